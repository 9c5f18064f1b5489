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

  /// part.y = x * part.w^T + part.bias; the weights are in panels.
  void linear(ConstMatrix x, const LinearPart& part);
  /// The same of rms_norm(x), for each part.
  void normed_linear(ConstMatrix x, const RmsNorm& norm, std::span<const LinearPart> parts);
  /// y = (activation(h * gate^T) * (h * up^T)) * down^T, h = rms_norm(x); all in panels, gate and up
  /// of one format.
  void mlp(ConstMatrix x, const RmsNorm& norm, const GatedMlp& weights, Matrix y);

 private:
  /// x as integers, and rms_norm of it.
  void quantize(ConstMatrix x, SplitMatrix& to);
  void quantize(ConstMatrix x, const RmsNorm& norm, SplitMatrix& to);
  struct RowBlock;
  struct Strip;
  struct Work;
  /// Calls body(strip, rows) for all pieces of the work.
  template <typename Body>
  void for_each_strip(const Work& work, const Body& body);
  void multiply(const SplitMatrix& x, const Strip& strip, RowBlock rows) const;
  /// The first matrix's sums to y, with a bias if there is one.
  static void store(const Strip& strip, RowBlock rows, std::span<const float> bias, Matrix y);
  /// The same to groups of inner_.
  void store_hidden(const Strip& strip, RowBlock rows) const;
  void multiply_parts(const SplitMatrix& x, std::span<const LinearPart> parts);
  /// multiply() of gate and up, and the activation of their sums.
  void multiply_gated(const GatedMlp& weights, Strip strip, RowBlock rows) const;

  const KernelTable& table_;
  ThreadPool& pool_;
  bool fine_codebook_;
  SplitMatrix normed_;
  SplitMatrix inner_;  // all other activations, and hidden columns of an MLP
  AlignedBuffer<float> scratch_;
  AlignedBuffer<float> few_rows_;
  std::vector<std::int64_t> first_panels_;
};

}  // namespace nolens
