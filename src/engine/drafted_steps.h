// The steps of an answer, with tokens computed ahead where someone drafts them.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "nolens/generate.h"

#include "engine/draft_length.h"
#include "engine/drafter.h"

namespace nolens {

/// \throws Error{kUsage} if the options are out of range, or the assistant is one of another model.
void validate(const DraftOptions& options, const Model::Impl& model);

/// Steps from one token's logits to the next, over one answer. The logits are those of plain
/// decoding, bit for bit: a pass of several rows gives each row the bits that it has in a pass of
/// its own (src/kernels/README.md), and a row counts only if all tokens before it were chosen.
class DraftedSteps {
 public:
  DraftedSteps(Context& context, const DraftOptions& options);
  /// Leaves the context as plain decoding would.
  ~DraftedSteps() { context_.drop_ahead(); }
  DraftedSteps(const DraftedSteps&) = delete;
  DraftedSteps& operator=(const DraftedSteps&) = delete;

  /// One token was added to the context: makes context.logits() those after it. At most `remaining`
  /// >= 1 more tokens will be asked for.
  void step(std::int64_t remaining);

  [[nodiscard]] const DraftStats& stats() const noexcept { return stats_; }

 private:
  /// Tokens the model cannot choose, or after which nothing comes, are of no use in a draft.
  void cut_draft();

  Context& context_;
  std::unique_ptr<Drafter> drafter_;  ///< null = plain decoding
  DraftLength length_;
  std::vector<TokenId> draft_;  ///< of the latest pass
  std::int64_t accepted_ = 0;   ///< of draft_
  DraftStats stats_;
};

}  // namespace nolens
