// Measures how far the engine's rows are from the reference's.
#pragma once

#include <cstdint>
#include <span>

#include "nolens/conform.h"

namespace nolens {

/// Takes rows one by one, so that neither tensor is held in memory.
class DifferenceMeter {
 public:
  /// Both rows have the same length. `row` is what Difference::worst_row may name.
  void add(std::int64_t row, std::span<const float> reference, std::span<const float> engine);
  [[nodiscard]] Difference result() const noexcept;

 private:
  Difference difference_;
  double sum_ = 0.0;
  std::int64_t values_ = 0;
};

/// KL(softmax(reference) || softmax(engine)) in nats, in double.
[[nodiscard]] double kl_divergence(std::span<const float> reference, std::span<const float> engine);

/// The first largest value that is not suppressed, and its distance to the next one.
struct TopTwo {
  TokenId best = -1;
  double margin = 0.0;
};
/// `suppressed` [size of logits], or empty: none.
[[nodiscard]] TopTwo top_two(std::span<const float> logits,
                             const std::vector<bool>& suppressed = {});

}  // namespace nolens
