// OpenAI-style messages -> Message.
//
// Nothing is dropped in silence: an unknown role, part type or key is an error that names its
// place. Tolerated without effect: `cache_control`; `id` of a message; `name` of a message that is
// no tool result; `refusal`, `annotations`, `audio` and `function_call` while they are null or
// empty.
#include <utility>

#include "nolens/chat.h"
#include "nolens/error.h"

#include "core/escape.h"
#include "formats/json.h"
#include "prompt/media_source.h"
#include "prompt/message_fields.h"

namespace nolens {
namespace {

constexpr std::size_t kMaxDocumentBytes = std::size_t{128} << 20U;

[[noreturn]] void fail(const std::string& where, const std::string& what) {
  throw Error(ErrorCode::kInput, where + " " + what);
}

std::string place(const std::string& list, std::size_t index) {
  return list + "[" + std::to_string(index) + "]";
}

Role read_role(const Json& message, const std::string& where) {
  const std::string& role = required_string(message, "role", where);
  if (role == "system") {
    return Role::kSystem;
  }
  if (role == "developer") {
    return Role::kDeveloper;
  }
  if (role == "user") {
    return Role::kUser;
  }
  if (role == "assistant") {
    return Role::kAssistant;
  }
  if (role == "tool") {
    return Role::kTool;
  }
  if (role == "model") {
    fail(where + ".role", "is \"model\"; write \"assistant\"");
  }
  fail(where + ".role",
       "must be \"system\", \"developer\", \"user\", \"assistant\" or \"tool\", found \"" +
           escape_for_message(role, 40) + "\"");
}

ContentPart read_part(const Json& part, MessageMediaReader& media, const std::string& where) {
  if (!part.is_object()) {
    fail(where, "must be an object with a \"type\", found " + std::string(part.type_name()));
  }
  const std::string& type = required_string(part, "type", where);
  if (type == "text" || type == "input_text" || type == "output_text") {
    refuse_unknown_keys(part, {"text"}, where);
    return TextPart{required_string(part, "text", where)};
  }
  if (MessageMediaReader::is_media(type)) {
    return media.read(part, type, where);
  }
  fail(where + ".type",
       "must be \"text\", \"image\", \"image_url\", \"audio\", \"input_audio\", \"video\", "
       "\"video_url\" or \"input_video\", found \"" +
           escape_for_message(type, 40) + "\"");
}

/// Arguments as OpenAI sends them, JSON text, or as an object; null or "" means none.
std::string read_arguments(const Json& function, const std::string& where) {
  const auto entry = function.find("arguments");
  if (entry == function.end() || entry->is_null()) {
    return "{}";
  }
  if (entry->is_object()) {
    return entry->dump();
  }
  if (!entry->is_string()) {
    fail(where,
         "must be an object or the JSON text of one, found " + std::string(entry->type_name()));
  }
  const auto& text = entry->get_ref<const std::string&>();
  if (text.empty()) {
    return "{}";
  }
  const Json arguments = parse_json(text, where, ErrorCode::kInput);
  if (arguments.is_null()) {
    return "{}";
  }
  if (!arguments.is_object()) {
    fail(where, "must be the JSON text of an object, found " + std::string(arguments.type_name()));
  }
  return text;
}

ToolCall read_tool_call(const Json& call, const std::string& where) {
  if (!call.is_object()) {
    fail(where, "must be an object, found " + std::string(call.type_name()));
  }
  refuse_unknown_keys(call, {"id", "index", "function"}, where);
  const std::string* type = optional_string(call, "type", where);
  const auto function = call.find("function");
  if ((type != nullptr && *type != "function") || function == call.end() ||
      !function->is_object()) {
    fail(where, "must be of type \"function\" with a \"function\" object");
  }
  const std::string inner = where + ".function";
  refuse_unknown_keys(*function, {"name", "arguments"}, inner);
  ToolCall result;
  if (const std::string* id = optional_string(call, "id", where)) {
    result.id = *id;
  }
  result.name = required_string(*function, "name", inner);
  if (result.name.empty()) {
    fail(inner + ".name", "must not be empty");
  }
  result.arguments = read_arguments(*function, inner + ".arguments");
  return result;
}

void require_empty(const Json& message, const char* key, const std::string& where) {
  const auto entry = message.find(key);
  const bool empty = entry == message.end() || entry->is_null() || entry->empty() ||
                     (entry->is_string() && entry->get_ref<const std::string&>().empty());
  if (!empty) {
    fail(where + "." + key, "is not supported");
  }
}

void read_content(const Json& message, MessageMediaReader& media, const std::string& where,
                  Message& result) {
  const auto entry = message.find("content");
  if (entry == message.end()) {
    if (result.role != Role::kAssistant) {
      fail(where, "needs \"content\"");
    }
    return;
  }
  if (entry->is_string()) {
    result.content.emplace_back(TextPart{entry->get<std::string>()});
  } else if (entry->is_array()) {
    result.content_is_string = false;
    for (std::size_t i = 0; i < entry->size(); ++i) {
      result.content.push_back(read_part((*entry)[i], media, place(where + ".content", i)));
    }
  } else if (result.role == Role::kTool) {
    result.result_json = entry->dump();
  } else if (!entry->is_null() || result.role != Role::kAssistant) {
    fail(where + ".content",
         "must be a string or an array of parts, found " + std::string(entry->type_name()));
  }
}

void read_assistant_fields(const Json& message, const std::string& where, Message& result) {
  const std::string* reasoning = optional_string(message, "reasoning", where);
  const std::string* reasoning_content = optional_string(message, "reasoning_content", where);
  // `reasoning` first, as in the template.
  if (reasoning != nullptr && !reasoning->empty()) {
    result.reasoning = *reasoning;
  } else if (reasoning_content != nullptr) {
    result.reasoning = *reasoning_content;
  }
  const auto calls = message.find("tool_calls");
  if (calls == message.end() || calls->is_null()) {
    return;
  }
  if (!calls->is_array()) {
    fail(where + ".tool_calls", "must be an array, found " + std::string(calls->type_name()));
  }
  for (std::size_t i = 0; i < calls->size(); ++i) {
    result.tool_calls.push_back(read_tool_call((*calls)[i], place(where + ".tool_calls", i)));
  }
}

Message read_message(const Json& message, MessageMediaReader& media, const std::string& where) {
  if (!message.is_object()) {
    fail(where, "must be an object, found " + std::string(message.type_name()));
  }
  Message result;
  result.role = read_role(message, where);
  for (const char* key : {"refusal", "annotations", "audio", "function_call"}) {
    require_empty(message, key, where);
  }
  switch (result.role) {
    case Role::kAssistant:
      refuse_unknown_keys(message,
                          {"role", "content", "name", "id", "refusal", "annotations", "audio",
                           "function_call", "reasoning", "reasoning_content", "tool_calls"},
                          where);
      read_assistant_fields(message, where, result);
      break;
    case Role::kTool:
      refuse_unknown_keys(message, {"role", "content", "name", "id", "tool_call_id"}, where);
      if (const std::string* id = optional_string(message, "tool_call_id", where)) {
        result.tool_call_id = *id;
      }
      if (const std::string* name = optional_string(message, "name", where)) {
        result.name = *name;
      }
      break;
    case Role::kSystem:
    case Role::kDeveloper:
    case Role::kUser: refuse_unknown_keys(message, {"role", "content", "name", "id"}, where); break;
  }
  read_content(message, media, where, result);
  return result;
}

}  // namespace

std::vector<Message> parse_messages(std::string_view json,
                                    const std::filesystem::path& base_directory,
                                    const MediaOptions& options) {
  JsonLimits json_limits;
  json_limits.max_bytes = kMaxDocumentBytes;
  const Json document = parse_json(json, "messages", ErrorCode::kInput, json_limits);
  if (!document.is_array() || document.empty()) {
    fail("messages", "must be a JSON array with at least one message");
  }
  MessageMediaReader media(base_directory, options);
  std::vector<Message> result;
  result.reserve(document.size());
  for (std::size_t i = 0; i < document.size(); ++i) {
    result.push_back(read_message(document[i], media, place("messages", i)));
  }
  return result;
}

}  // namespace nolens
