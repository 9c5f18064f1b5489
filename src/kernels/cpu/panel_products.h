// Products with weights in panels: activations become integers once, threads take strips of panels.
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
  /// fine_codebook: codebooks of floats are multiplied with 16 bits, else with 8.
  PanelProducts(const KernelTable& table, ThreadPool& pool, bool fine_codebook)
      : table_(table), pool_(pool), fine_codebook_(fine_codebook) {}

  /// The x of the products that follow.
  void set_x(ConstMatrix x);
  /// part.y = x * part.w^T + part.bias for each; the weights are in panels.
  void linear(std::span<const LinearPart> parts);
  /// y = activation(x * gate^T) * (x * up^T); both in panels of the same format and shape.
  void gated_linear(const WeightMatrix& gate, const WeightMatrix& up, Activation activation,
                    Matrix y);

 private:
  struct Strip;
  struct RowBlock;
  /// Calls body(begin, end, sums) for strips of panels [begin, end) of `panels` in each of
  /// `matrices`; sums has room for those of a block of rows. A panel has `size` bytes.
  template <typename Body>
  void for_each_strip(std::int64_t panels, std::int64_t matrices, std::int64_t size,
                      const Body& body);
  /// Rows of x that pass a strip at once.
  [[nodiscard]] std::int64_t row_block() const;
  void multiply(const Strip& strip, RowBlock rows) const;
  /// The first matrix's sums to y, with a bias if there is one.
  static void store(const Strip& strip, RowBlock rows, std::span<const float> bias, Matrix y);

  const KernelTable& table_;
  ThreadPool& pool_;
  bool fine_codebook_;
  SplitRows x_{};
  std::int64_t cols_ = 0;
  AlignedBuffer<std::int8_t> low_;
  AlignedBuffer<std::int8_t> high_;
  AlignedBuffer<std::uint64_t> high_steps_;
  AlignedBuffer<std::int32_t> sums16_;
  AlignedBuffer<std::int32_t> sums32_;
  AlignedBuffer<std::int32_t> sums64_;
  AlignedBuffer<float> x_scales_;
  AlignedBuffer<float> scratch_;
  std::vector<std::int64_t> first_panels_;
};

}  // namespace nolens
