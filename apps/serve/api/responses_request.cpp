// Items become messages: the two APIs say the same in different words.
#include "serve/api/responses_request.h"

#include <algorithm>
#include <utility>

#include "serve/api/chat_request.h"
#include "serve/api/generation_fields.h"
#include "serve/api/model_endpoints.h"
#include "serve/api/refusals.h"
#include "serve/api/request_fields.h"

namespace nolens::serve {
namespace {

constexpr std::size_t kMaxInstructionBytes = std::size_t{4} << 20U;
constexpr std::size_t kMaxTools = 128;
constexpr std::string_view kOpenChannel = "<|channel>thought\n";

std::string item_place(std::size_t index) { return "input[" + std::to_string(index) + "]"; }

/// Parts of an item; texts that an earlier response wrote come with fields that mean nothing here.
Json read_content(const Json& content) {
  if (!content.is_array()) {
    return content;
  }
  Json parts = Json::array();
  for (const Json& part : content) {
    const bool is_text = has_text(part, "type", "output_text") || has_text(part, "type", "input_text");
    parts.push_back(is_text && part.contains("text") ? Json{{"type", "text"}, {"text", part["text"]}} : part);
  }
  return parts;
}

Json read_call(RequestFields& fields) {
  const auto text = [&](const char* name) {
    const auto value = fields.string(name, kMaxInstructionBytes);
    if (!value.has_value()) {
      fields.fail(name, "is missing");
    }
    return *value;
  };
  return {{"id", text("call_id")},
          {"type", "function"},
          {"function", {{"name", text("name")}, {"arguments", text("arguments")}}}};
}

/// Calls that follow each other are of one message.
void add_call(Json& messages, Json call) {
  if (messages.empty() || messages.back()["role"] != "assistant" || !messages.back().contains("tool_calls")) {
    messages.push_back({{"role", "assistant"}, {"content", nullptr}, {"tool_calls", Json::array()}});
  }
  messages.back()["tool_calls"].push_back(std::move(call));
}

void add_item(Json& messages, const Json& item, std::size_t index) {
  RequestFields fields(item, item_place(index));
  const std::string type = fields.string("type", 64).value_or("message");
  if (type == "function_call") {
    add_call(messages, read_call(fields));
  } else if (type == "function_call_output") {
    messages.push_back({{"role", "tool"},
                        {"tool_call_id", fields.string("call_id", 1024).value_or("")},
                        {"content", item.value("output", Json(""))}});
  } else if (type == "message") {
    const auto role = fields.choice("role", {"user", "assistant", "system", "developer"});
    if (!role.has_value() || !item.contains("content")) {
      fields.fail(role.has_value() ? "content" : "role", "is missing");
    }
    messages.push_back({{"role", *role}, {"content", read_content(item["content"])}});
  } else if (type != "reasoning") {  // thoughts of earlier turns are not part of the prompt
    throw unsupported(item_place(index) + ".type \"" + type.substr(0, 40) +
                          "\" is not offered; messages, function_call, function_call_output and reasoning are",
                      item_place(index) + ".type");
  }
}

Json read_messages(RequestFields& fields, const Service& service) {
  Json messages = Json::array();
  if (const auto instructions = fields.string("instructions", kMaxInstructionBytes)) {
    messages.push_back({{"role", "system"}, {"content", *instructions}});
  }
  const Json* input = fields.value("input");
  if (input != nullptr && input->is_string()) {
    messages.push_back({{"role", "user"}, {"content", *input}});
    return messages;
  }
  if (input == nullptr || !input->is_array() || input->empty() || input->size() > service.options.max_messages) {
    fields.fail("input", "must be a text, or an array of 1 to " + std::to_string(service.options.max_messages) +
                             " items");
  }
  for (std::size_t i = 0; i < input->size(); ++i) {
    add_item(messages, (*input)[i], i);
  }
  return messages;
}

/// Declarations as the chat template has them.
Json read_tools(RequestFields& fields) {
  const Json* tools = fields.array("tools", kMaxTools);
  Json list = Json::array();
  for (std::size_t i = 0; tools != nullptr && i < tools->size(); ++i) {
    const Json& tool = (*tools)[i];
    if (!has_text(tool, "type", "function")) {
      throw unsupported("tools[" + std::to_string(i) + "] can only be of type \"function\"",
                        "tools[" + std::to_string(i) + "].type");
    }
    Json function = tool;
    function.erase("type");
    function.erase("strict");
    list.push_back({{"type", "function"}, {"function", std::move(function)}});
  }
  return list;
}

void refuse_what_is_not_offered(RequestFields& fields) {
  fields.refuse("previous_response_id", "is not offered: nothing is stored; send the conversation in input");
  fields.refuse("conversation", "is not offered: nothing is stored");
  fields.refuse("prompt", "is not offered: there are no stored prompts");
  if (fields.boolean("background").value_or(false)) {
    throw unsupported("background can only be false: nothing is stored", "background");
  }
  if (const Json* text = fields.object("text")) {
    RequestFields inner(*text, "text");
    const Json* format = inner.object("format");
    if (format != nullptr && !has_text(*format, "type", "text")) {
      throw unsupported("text.format.type can only be \"text\"", "text.format.type");
    }
  }
  if (fields.choice("truncation", {"auto", "disabled"}).value_or("disabled") != "disabled") {
    throw unsupported("truncation can only be \"disabled\": nothing is cut in silence", "truncation");
  }
}

/// The request as chat completions have it.
Json as_chat(RequestFields& fields, const Service& service) {
  Json chat = {{"messages", read_messages(fields, service)}, {"tools", read_tools(fields)}};
  if (const Json* choice = fields.value("tool_choice")) {
    chat["tool_choice"] = *choice;
  }
  if (const auto parallel = fields.boolean("parallel_tool_calls")) {
    chat["parallel_tool_calls"] = *parallel;
  }
  if (const Json* latency = fields.value("image_latency")) {
    chat["image_latency"] = *latency;
  }
  if (const Json* reasoning = fields.object("reasoning")) {
    RequestFields inner(*reasoning, "reasoning");
    if (const auto effort = inner.string("effort", 64)) {
      chat["reasoning_effort"] = *effort;
    }
  }
  return chat;
}

/// What the response repeats.
OutputJson echo_of(const Json& body, const ResponsesCall& call) {
  OutputJson echo;
  const auto repeat = [&](const char* name, const Json& otherwise) {
    const auto found = body.find(name);
    echo[name] = found == body.end() || found->is_null() ? otherwise : *found;
  };
  repeat("instructions", nullptr);
  repeat("max_output_tokens", nullptr);
  repeat("metadata", Json::object());
  repeat("parallel_tool_calls", true);
  repeat("tool_choice", "auto");
  repeat("tools", Json::array());
  repeat("user", nullptr);
  echo["previous_response_id"] = nullptr;
  echo["reasoning"] = {{"effort", body.value("reasoning", Json::object()).value("effort", Json(nullptr))},
                       {"summary", nullptr}};
  echo["store"] = false;
  echo["temperature"] = call.request.generate.sampler.temperature;
  echo["top_p"] = call.request.generate.sampler.top_p;
  echo["text"] = {{"format", {{"type", "text"}}}};
  echo["truncation"] = "disabled";
  return echo;
}

}  // namespace

ResponsesCall read_responses_request(const Json& body, Service& service) {
  RequestFields fields(body, "");
  require_model(fields.string("model", 1024).value_or(""), service);
  ResponsesCall call;
  GenerateOptions& generate = call.request.generate;
  generate = read_generation(fields, *service.model);
  const std::int64_t most = service.engine.context_length();
  generate.max_tokens = std::min(fields.integer("max_output_tokens", 1, INT32_MAX).value_or(most), most);
  if (const Json* include = fields.array("include", 16)) {
    generate.logprobs = std::find(include->begin(), include->end(), "message.output_text.logprobs") != include->end();
  }
  generate.top_logprobs = fields.integer("top_logprobs", 0, 20).value_or(0);
  generate.logprobs = generate.logprobs || generate.top_logprobs > 0;
  call.stream = fields.boolean("stream").value_or(false);
  refuse_what_is_not_offered(fields);
  const Json chat = as_chat(fields, service);
  RequestFields chat_fields(chat, "");
  ChatPrompt prompt = read_chat_prompt(chat_fields, service);
  call.request.prompt = std::move(prompt.prompt);
  call.image_budget = std::move(prompt.image_budget);
  call.open_thought = prompt_text(call.request.prompt).ends_with(kOpenChannel);
  for (std::string& stop : chat_stops(service.options.family)) {
    generate.stop.push_back(std::move(stop));
  }
  fields.ignore({"store", "metadata", "service_tier", "user", "safety_identifier", "prompt_cache_key",
                 "prompt_cache_retention", "stream_options", "max_tool_calls"});
  call.ignored = fields.unknown();
  if (service.options.strict_params && !call.ignored.empty()) {
    throw invalid_field(call.ignored.front() + " is not a parameter of this endpoint", call.ignored.front(),
                        "unknown_parameter");
  }
  call.echo = echo_of(body, call);
  return call;
}

}  // namespace nolens::serve
