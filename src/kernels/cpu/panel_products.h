// Products with weights in panels: activations become integers once, threads take strips of panels.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/aligned_buffer.h"
#include "core/matrix.h"
#include "kernels/cpu/cpu_kernels.h"
#include "kernels/cpu/split_matrix.h"
#include "kernels/kernels.h"
#include "platform/thread_pool.h"

namespace nolens {

class PanelProducts {
 public:
  /// fine_codebook: codebooks of floats are multiplied with 16 bits, else with 8.
  PanelProducts(const KernelTable& table, ThreadPool& pool, bool fine_codebook)
      : table_(table), pool_(pool), fine_codebook_(fine_codebook) {}

  /// The x of the products that follow, and rms_norm of it.
  void set_x(ConstMatrix x);
  void set_x(ConstMatrix x, const RmsNorm& norm);
  /// part.y = x * part.w^T + part.bias for each; the weights are in panels.
  void linear(std::span<const LinearPart> parts) { linear(x_, parts); }
  /// y = (activation(x * gate^T) * (x * up^T)) * down^T; all in panels, gate and up of one format.
  void mlp(const GatedMlp& weights, Matrix y);

 private:
  void quantize(ConstMatrix x, SplitMatrix& to);

  struct RowBlock;
  struct Strip;
  struct Work;
  /// Calls body(strip, rows) for all pieces of the work.
  template <typename Body>
  void for_each_strip(const Work& work, const Body& body);
  void multiply(const SplitMatrix& x, const Strip& strip, RowBlock rows) const;
  /// The first matrix's sums to y, with a bias if there is one.
  static void store(const Strip& strip, RowBlock rows, std::span<const float> bias, Matrix y);
  /// The same to groups of hidden_.
  void store_hidden(const Strip& strip, RowBlock rows) const;
  void linear(const SplitMatrix& x, std::span<const LinearPart> parts);
  /// multiply() of gate and up, and the activation of their sums.
  void multiply_gated(const GatedMlp& weights, const Strip& strip, RowBlock rows) const;

  const KernelTable& table_;
  ThreadPool& pool_;
  bool fine_codebook_;
  SplitMatrix x_;
  SplitMatrix hidden_;  // of an MLP
  AlignedBuffer<float> scratch_;
  AlignedBuffer<float> few_rows_;
  std::vector<std::int64_t> first_panels_;
};

}  // namespace nolens
