// --draft and --draft-tokens: tokens guessed ahead, and what that brought.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>

#include "nolens/generate.h"
#include "nolens/model.h"

namespace nolens::cli {

struct DraftingOptions {
  std::string source = "off";
  std::int64_t tokens = DraftOptions{}.max_tokens;
  /// Loads the assistant if one is named. \throws what Assistant::load throws; Error{kUsage}
  [[nodiscard]] DraftOptions draft(const std::shared_ptr<const Model>& model) const;
};
void add_draft_options(CLI::App& command, DraftingOptions& options);

/// A line for people; empty without drafting.
std::string describe_drafts(const DraftOptions& options, const DraftStats& stats);

}  // namespace nolens::cli
