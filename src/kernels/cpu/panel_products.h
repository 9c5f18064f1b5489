// Products with weights in panels: activations become integers once, threads take pairs of panels.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/aligned_buffer.h"
#include "core/matrix.h"
#include "kernels/cpu/cpu_kernels.h"
#include "kernels/kernels.h"
#include "platform/thread_pool.h"

namespace nolens {

class PanelProducts {
 public:
  PanelProducts(const KernelTable& table, ThreadPool& pool) : table_(table), pool_(pool) {}

  /// The x of the products that follow.
  void set_x(ConstMatrix x);
  /// part.y = x * part.w^T + part.bias for each; the weights are in panels.
  void linear(std::span<const LinearPart> parts);
  /// y = activation(x * gate^T) * (x * up^T); both in panels of the same format and shape.
  void gated_linear(const WeightMatrix& gate, const WeightMatrix& up, Activation activation, Matrix y);

 private:
  struct Pair;
  void run_pair(const Pair& pair, std::int64_t m0, std::int64_t m1, float* const (&y)[2]);

  const KernelTable& table_;
  ThreadPool& pool_;
  SplitRows x_{};
  std::int64_t cols_ = 0;
  AlignedBuffer<std::int8_t> low_;
  AlignedBuffer<std::int8_t> high_;
  AlignedBuffer<std::uint64_t> high_steps_;
  AlignedBuffer<std::int32_t> sums_;
  AlignedBuffer<float> x_scales_;
  AlignedBuffer<float> scratch_;
  std::vector<std::int64_t> first_pairs_;
};

}  // namespace nolens
