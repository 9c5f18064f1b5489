// Drafts without a second model: what followed the last tokens when they stood there before.
//
// Prompt lookup decoding (Saxena 2023; also "n-gram matching" in Yang et al. 2023, Inference with
// Reference): answers that quote, correct, translate or list repeat their prompt and themselves.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/drafter.h"

namespace nolens {

/// Finds the latest earlier occurrence of the longest run of last tokens. Constant time a token: a
/// table for each length of a run, whose slot is chosen by a hash of the run and holds where it
/// went on. Of two runs with one slot the newer stays; a find is compared token by token. So the
/// memory is bounded and a collision costs a draft, nothing else.
class PromptLookup final : public Drafter {
 public:
  /// `context_length` is the number of tokens to expect at most.
  explicit PromptLookup(std::int64_t context_length);

  void propose(Context& context, std::int64_t most, std::vector<TokenId>& draft) override;
  /// The same without a model. `ids` begin with those of the last call. A run that is still going
  /// on at the end of `ids` is continued with itself, so that a period of any length gives a full
  /// draft.
  void propose(std::span<const TokenId> ids, std::int64_t most, std::vector<TokenId>& draft);

  [[nodiscard]] std::int64_t bytes() const noexcept;

 private:
  static constexpr std::array<std::int64_t, 3> kRunLengths = {6, 4, 3};

  void index(std::span<const TokenId> ids);
  [[nodiscard]] std::size_t slot(std::span<const TokenId> run) const noexcept;

  std::uint64_t mask_ = 0;  ///< slots of a table - 1
  std::array<std::vector<std::uint32_t>, kRunLengths.size()>
      next_{};                ///< index after the run; 0 = none
  std::int64_t indexed_ = 0;  ///< ids that are the `next` of what stands in the tables
};

}  // namespace nolens
