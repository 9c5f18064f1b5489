// Compares logits as numbers and as distributions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "nolens/conform.h"

#include "conform/reference.h"
#include "conform/row_comparer.h"

namespace nolens {

/// Of every recorded row, or of the last position where only that is recorded.
class LogitsComparer {
 public:
  /// \param tokens  positions of the prompt
  /// \throws Error{kInput} if neither logits nor last_logits is recorded.
  LogitsComparer(const Reference& reference, std::int64_t tokens, std::int64_t vocab_size);
  void add(std::int64_t position, std::span<const float> logits);
  [[nodiscard]] Difference difference() const noexcept { return rows_->result(); }
  [[nodiscard]] LogitsAgreement agreement() const;
  [[nodiscard]] bool last_only() const noexcept { return last_only_; }

 private:
  std::optional<RowComparer> rows_;
  bool last_only_ = false;
  LogitsAgreement agreement_;
};

}  // namespace nolens
