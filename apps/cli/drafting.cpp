#include "drafting.h"

#include <filesystem>

#include "nolens/assistant.h"
#include "nolens/error.h"

#include "files.h"
#include "terminal.h"

namespace nolens::cli {

DraftOptions DraftingOptions::draft(const std::shared_ptr<const Model>& model) const {
  DraftOptions options;
  options.max_tokens = tokens;
  if (source == "prompt-lookup") {
    options.source = DraftSource::kPromptLookup;
  } else if (source != "off") {
    std::error_code error;
    if (!std::filesystem::is_directory(source, error)) {
      throw Error(ErrorCode::kUsage, "--draft " + quoted_path(source) +
                                         ": expected off, prompt-lookup or the directory of an "
                                         "assistant model");
    }
    options.source = DraftSource::kAssistant;
    options.assistant =
        Assistant::load(source, model, [](LogLevel level, std::string_view message) {
          if (level == LogLevel::kWarning) {
            print_error("warning: " + std::string(message) + "\n");
          }
        });
  }
  return options;
}

void add_draft_options(CLI::App& command, DraftingOptions& options) {
  command
      .add_option("--draft", options.source,
                  "Guess tokens ahead and check several at once; the answer stays the same: off, "
                  "prompt-lookup (what followed the same words before) or the directory of an "
                  "assistant model")
      ->type_name("SOURCE");
  command.add_option("--draft-tokens", options.tokens, "Most tokens to guess at once")
      ->check(CLI::Range(std::int64_t{1}, kMaxDraftTokens).description(""))
      ->type_name("N");
}

std::string describe_drafts(const DraftOptions& options, const DraftStats& stats) {
  if (options.source == DraftSource::kOff) {
    return "";
  }
  constexpr double kPercent = 100.0;
  return "drafts: " + std::to_string(stats.accepted) + " of " + std::to_string(stats.drafted) +
         " tokens accepted (" + with_decimals(kPercent * stats.acceptance(), 1) + " %), " +
         with_decimals(stats.tokens_per_pass(), 2) + " tokens per pass\n";
}

}  // namespace nolens::cli
