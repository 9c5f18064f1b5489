// THE LIST: every operation the model is made of, with shapes. Everything above is mathematics,
// everything below is hardware.
//
// Notation: T rows (tokens), D hidden size, F intermediate size, N outputs, K inputs, H query heads,
//           G key/value heads, S head size, V vocabulary.
// Rules:    outputs come last; outputs never alias inputs unless "in place" is said; shapes are checked
//           in every build (NOLENS_CHECK); calls run in order. Results do not depend on the number of
//           threads nor on how rows are split into calls, bit for bit.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "core/matrix.h"
#include "core/pixel_rows.h"
#include "kernels/attention_args.h"
#include "nolens/config.h"

namespace nolens {

class ThreadPool;

/// One of several products with the same x.
struct LinearPart {
  const WeightMatrix& w;          ///< [N, K]
  std::span<const float> bias{};  ///< [N] or empty
  Matrix y;                       ///< [T, N]
};

/// What rms_norm takes beside its rows.
struct RmsNorm {
  std::span<const float> weight{};  ///< [K] or empty (= 1)
  float eps = 0.0F;
};

/// A gated feed-forward network without biases.
struct GatedMlp {
  const WeightMatrix& gate;  ///< [F, D]
  const WeightMatrix& up;    ///< [F, D]
  const WeightMatrix& down;  ///< [D, F]
  Activation activation;
};

/// What layer_norm takes beside its rows; without weights, none.
struct RowNorm {
  std::span<const float> weight{};  ///< [K]
  std::span<const float> bias{};    ///< [K]
  float eps = 0.0F;
};

class Kernels {
 public:
  virtual ~Kernels() = default;
  /// Instruction set, such as "avx512bf16".
  [[nodiscard]] virtual const char* name() const noexcept = 0;

  // ---- Embedding
  /// y[t] = table[ids[t]] * scale            ids [T] in [0, V); table [V, D]; y [T, D]
  virtual void embed_rows(std::span<const TokenId> ids, const WeightMatrix& table, float scale,
                          Matrix y) = 0;

  // ---- Normalization
  /// y = x * (mean(x^2) + eps)^-1/2 * weight, per row    x, y [T, D], in place allowed;
  /// weight [D] or empty (= 1).              Zhang & Sennrich 2019, eq. 4
  virtual void rms_norm(ConstMatrix x, std::span<const float> weight, float eps, Matrix y) = 0;
  /// y = (x - mean) * (var + eps)^-1/2 * weight + bias   x, y [T, D], in place allowed;
  /// weight, bias [D]; population variance.  Ba et al. 2016
  virtual void layer_norm(ConstMatrix x, std::span<const float> weight,
                          std::span<const float> bias, float eps, Matrix y) = 0;
  /// rms_norm of every head by itself     x, y [T, heads*S], in place allowed; weight [S] or empty
  virtual void rms_norm_heads(ConstMatrix x, std::int64_t heads, std::span<const float> weight,
                              float eps, Matrix y) = 0;

  // ---- Linear
  /// y = x * w^T + bias                      x [T, K]; w [N, K]; bias [N] or empty; y [T, N]
  virtual void linear(ConstMatrix x, const WeightMatrix& w, std::span<const float> bias,
                      Matrix y) = 0;
  /// linear of rms_norm(x) for each part: the same numbers in one go.     x, scratch [T, K]
  virtual void normed_linear(ConstMatrix x, const RmsNorm& norm, std::span<const LinearPart> parts,
                             Matrix scratch) = 0;
  /// y = (activation(h * gate^T) * (h * up^T)) * down^T, h = rms_norm(x): the same numbers as one by
  /// one.                                    x, y [T, D];
  /// scratch [2 * T, F], of any size where mlp_needs_scratch() says that it is not used
  virtual void mlp(ConstMatrix x, const RmsNorm& norm, const GatedMlp& weights, Matrix scratch,
                   Matrix y) = 0;
  /// Whether mlp() with these weights writes its scratch, for any T.
  [[nodiscard]] virtual bool mlp_needs_scratch(const GatedMlp& weights) const noexcept = 0;

  /// linear of the values of pixels, after layer_norm if `norm` has weights: the same numbers, without
  /// the values ever being there as a whole.     x [T, K]; norm [K]; w [N, K]; y [T, N]
  virtual void pixel_linear(const PixelRows& x, const RowNorm& norm, const WeightMatrix& w,
                            std::span<const float> bias, Matrix y) = 0;

  // ---- Position and attention
  /// Rotates every head of x in place: pairs (i, i + S/2).   Su et al. 2021 (RoFormer), eq. 34
  ///   cos, sin [T, S/2]; x [T, heads*S]
  virtual void rope(ConstMatrix cos, ConstMatrix sin, std::int64_t heads, Matrix x) = 0;
  /// Writes k, v [T, G*S] into the caches at their positions.
  virtual void store_kv(ConstMatrix k, ConstMatrix v,
                        std::span<const SequenceSlice> sequences) = 0;
  /// y[t, h] = softmax(q . K^T * scale) . V over the visible keys; head h reads K/V head h / (H/G).
  /// y [T, H*S]. Online softmax over key tiles: Dao 2023 (FlashAttention-2), algorithm 1.
  virtual void attention(const AttentionArgs& args, Matrix y) = 0;

  // ---- Elementwise
  /// y = activation(gate) * up               gate, up, y [T, N], y may be gate
  virtual void gated_activation(ConstMatrix gate, ConstMatrix up, Activation activation,
                                Matrix y) = 0;
  /// y += x                                  x, y [T, D]
  virtual void add(ConstMatrix x, Matrix y) = 0;
  /// y = (y + rms_norm(x)) * factor          x, y [T, D]
  virtual void add_rms_norm(ConstMatrix x, const RmsNorm& norm, float factor, Matrix y) = 0;
  /// x = cap * tanh(x / cap), in place       x [T, V]; cap > 0
  virtual void softcap(float cap, Matrix x) = 0;
};

struct KernelOptions {
  /// Float32 activations in every product. Otherwise a product with BF16 or Q8_0 weights may round its
  /// activations to bfloat16 or to int8 per block, where the instruction set has dot products for them, and
  /// weights in panels are multiplied by integers of 8 to 15 bits (SplitRows in cpu/cpu_kernels.h).
  bool exact = false;
  /// Codebooks of floats (NF4, FP4) are multiplied as bytes instead of 16 bits: many rows in half the
  /// time, and about as much error again as that of the activations.
  bool byte_codebook = false;
};

/// The best instruction set this processor runs, or the one the environment variable NOLENS_CPU names.
/// `pool` must outlive the result. \throws Error{kUsage} if NOLENS_CPU is unknown or cannot run here.
std::unique_ptr<Kernels> make_cpu_kernels(ThreadPool& pool, const KernelOptions& options = {});

/// Names that NOLENS_CPU accepts on this machine, best first.
std::vector<std::string_view> runnable_instruction_sets();

}  // namespace nolens
