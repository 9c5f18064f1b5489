// Template first, control tokens second.
#include "engine/chat_choice.h"

#include <system_error>

#include "formats/json.h"
#include "formats/model_directory.h"
#include "platform/mapped_file.h"
#include "prompt/template_family.h"

namespace nolens {

namespace {

constexpr std::size_t kMaxTemplateBytes = 4U << 20U;
constexpr std::size_t kMaxTokenizerConfigBytes = 16U << 20U;

/// The template itself, or the one named "default" of a list of named ones.
std::string template_in(const Json& config) {
  const auto found = config.is_object() ? config.find("chat_template") : config.end();
  if (found == config.end() || found->is_string()) {
    return found == config.end() ? std::string() : found->get<std::string>();
  }
  for (const Json& entry : found->is_array() ? *found : Json::array()) {
    if (has_text(entry, "name", "default") && entry.value("template", Json()).is_string()) {
      return entry.at("template").get<std::string>();
    }
  }
  return {};
}

bool has_control_token(const Tokenizer& tokenizer, const char* token) {
  const TokenId id = tokenizer.find(token);
  return id >= 0 && tokenizer.is_special(id);
}

ChatFamily family_of(const Tokenizer& tokenizer) {
  return !has_control_token(tokenizer, "<|turn>") && has_control_token(tokenizer, "<start_of_turn>")
             ? ChatFamily::kGemma3
             : ChatFamily::kGemma4;
}

}  // namespace

ChatTemplate read_chat_template(const std::filesystem::path& directory) {
  constexpr const char* kTemplateFile = "chat_template.jinja";
  constexpr const char* kConfigFile = "tokenizer_config.json";
  std::error_code ignored;
  if (std::filesystem::exists(directory / kTemplateFile, ignored)) {
    const std::filesystem::path file = model_file(directory, kTemplateFile);
    return {read_file(file, kMaxTemplateBytes, ErrorCode::kModel), file.string()};
  }
  if (!std::filesystem::exists(directory / kConfigFile, ignored)) {
    return {};
  }
  const std::filesystem::path file = model_file(directory, kConfigFile);
  const std::string text = read_file(file, kMaxTokenizerConfigBytes, ErrorCode::kModel);
  return {template_in(parse_json(text, kConfigFile, ErrorCode::kModel)), file.string()};
}

ChatFamily choose_chat_family(const ChatTemplate& chat_template, const Tokenizer& tokenizer,
                              const LogSink& log) {
  if (!chat_template.text.empty()) {
    switch (chat_template_family(chat_template.text)) {
      case TemplateFamily::kGemma3: return ChatFamily::kGemma3;
      case TemplateFamily::kGemma4:
      case TemplateFamily::kGemma4NoEmptyThought: return ChatFamily::kGemma4;
      case TemplateFamily::kUnknown: break;
    }
  }
  const ChatFamily family = family_of(tokenizer);
  if (!chat_template.text.empty() && log) {
    log(LogLevel::kWarning,
        chat_template.source +
            ": this chat template is not one nolens knows; messages are rendered with the Gemma " +
            (family == ChatFamily::kGemma3 ? "3" : "4") +
            " template, so answers may be worse than they could be");
  }
  return family;
}

}  // namespace nolens
