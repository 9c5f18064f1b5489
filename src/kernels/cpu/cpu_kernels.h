// What an instruction set provides: a table of functions that compute rows on the calling thread.
// No threads, no allocation, no dispatch inside; shapes are checked by the caller, cpu_backend.cpp.
//
// Notation: M rows (tokens), N outputs, K inputs, S head size, D values of a row, W floats of a
// vector. Order:    every sum runs in an order that depends on the table and on K alone, never on
// M, N or on
//           which rows share a call. tests/kernels/table_test.cpp compares bit for bit.
// Pointers may have any alignment that their type allows; unsigned char* any at all.
// This header is included by code built for an instruction set: it may define data only, no
// functions; of core/dtype.h that code may use the enumeration only, and functions of
// core/panel_layout.h only to make constants.
#pragma once

#include <cstdint>

#include "core/dtype.h"
#include "core/panel_layout.h"
#include "kernels/kv_type.h"

namespace nolens {

/// WeightScales (core/weight_scales.h) as plain data.
struct BlockScales {
  const float* codebook;  ///< [16]
  std::int64_t block_size;
  const unsigned char* absmax;
  const float* nested_codebook;        ///< [256]
  const unsigned char* nested_absmax;  ///< null if the scales are not nested
  std::int64_t nested_block_size;
  float nested_offset;
  DType value_dtype;
  /// The codebook for integer products: entry i is about code_step * (code_bytes[i] - 128), and closer
  /// to that plus code_step / 256 * (fine_bytes[i] - 128).
  unsigned char code_bytes[16];
  unsigned char fine_bytes[16];
  float code_step;
  std::int64_t rows;  ///< N
};

/// Rows of weights [N, K] as they lie in the file, in the format of the function called.
struct WeightRows {
  const unsigned char* data;
  std::int64_t row_bytes;
  const BlockScales* scales;  ///< of NF4, FP4 and INT8
  std::int64_t cols;          ///< K
};

/// y[m, n] = sum_k x[m, k] * w[n, k] + bias[n]     for n in [n0, n1)
template <typename X>
struct LinearArgs {
  const X* x;             ///< [M, K]
  std::int64_t x_stride;  ///< from row to row
  std::int64_t m;
  std::int64_t k;  ///< any positive number of whole storage units
  WeightRows w;
  const float* bias;  ///< [N], or null for none; added after the sum
  float* y;           ///< [M, N]
  std::int64_t y_stride;
  std::int64_t n0;
  std::int64_t n1;
};

/// Rows of int8 activations in blocks of 32: value = scale * q. Element k of row m: q[m * K + k].
struct Int8Rows {
  std::int8_t* q;      ///< [M, K], in [-127, 127]
  float* scales;       ///< [M, K/32]
  std::int32_t* sums;  ///< [M, K/32] sum of a block's q
};

struct Int8LinearArgs {
  Int8Rows x;
  std::int64_t m;
  std::int64_t k;
  WeightRows w;  ///< Q8_0
  const float* bias;
  float* y;
  std::int64_t y_stride;
  std::int64_t n0;
  std::int64_t n1;
};

/// Rows of activations as integers v with value = scale * v, |v| <= 16319, a scale for each group
/// of 256 columns. v = low + 128 * high, and high is 0 where |v| <= 127: in all but a few columns.
/// Products therefore cost little more than with 8 bits, while outliers do not coarsen their
/// neighbours.
///
/// Groups come one after the other, of a group row after row: element j of group g of row m is at
/// (g * rows + m) * 256 + j. The last group of a row may be shorter; the rest of its 256 is not
/// read.
struct SplitRows {
  std::int8_t* low;           ///< [G, rows, 256]
  std::int8_t* high;          ///< [G, rows, 256]
  std::uint64_t* high_steps;  ///< [G, rows] bit s: one of columns 4s … 4s + 3 has a high part
  std::int32_t* sums16;       ///< [G, rows, 16] sums of v over 16 columns each
  std::int32_t* sums32;       ///< [G, rows, 8] over 32 columns
  std::int32_t* sums64;       ///< [G, rows, 4] over 64 columns
  float* scales;              ///< [G, rows]
  std::int64_t rows;
};

/// y[i][m, r] = sum_k x[m, k] * w[i][r, k] for the 16 rows r of one or two panels of the same
/// format. Two panels suit many rows of x, one panel suits few; the results are the same.
///
/// Only columns [k0, k1) take part, of which k0 is a multiple of 256 and so is k1 unless it is k.
/// Where k0 is not 0 the sums are added to y: one stretch after the other gives what a single call
/// gives.
struct PanelPairArgs {
  SplitRows x;
  std::int64_t m0;  ///< rows [m0, m1) of x
  std::int64_t m1;
  std::int64_t k;
  std::int64_t k0;
  std::int64_t k1;
  const unsigned char* panels[2];  ///< the second may be null
  const BlockScales* scales[2];    ///< of codebook formats
  std::int64_t first_rows[2];      ///< number of the panel's first row in its matrix
  const unsigned char* next[2];  ///< what the next call reads first, or null; two are fetched ahead
  float* y[2];                   ///< [m1 - m0, 16], 64-byte aligned
  bool fine_codebook;            ///< codebooks of floats: multiply by their fine bytes too
};

/// Softmax sums of rows so far: maximum of the scores, sum of the weights relative to it, and the
/// sum of weights times values. S is head_dim rounded up to 16.
struct SoftmaxState {
  float* out;      ///< [R, S]
  float* maximum;  ///< [R]
  float* sum;      ///< [R]
};

/// Some query rows of one sequence and some heads that read the same key/value head; R = rows *
/// heads. A row that sees no key (first_visible > last_visible) becomes zero.
struct AttentionPart {
  const float* q;  ///< row t, head h: q + t * q_stride + h * head_dim
  std::int64_t q_stride;
  float* y;  ///< laid out as q
  std::int64_t y_stride;
  std::int64_t rows;
  std::int64_t heads;
  std::int64_t head_dim;
  const unsigned char* keys;    ///< this head's part of the first tile (kv_layout.h)
  const unsigned char* values;  ///< the same
  std::int64_t key_stride;      ///< bytes from tile to tile
  std::int64_t value_stride;
  std::int64_t tiles;                 ///< of 64 slots; tile i of the sequence lies in i % tiles
  const std::int64_t* first_visible;  ///< [rows]
  const std::int64_t* last_visible;   ///< [rows]
  float scale;
  std::int64_t segment;  ///< kAllSegments: y is written; otherwise only this one, and `partial`
  SoftmaxState partial;
  float* scratch;  ///< attention_scratch() floats
};

/// Keys are summed up in segments of so many absolute positions, whose states are then merged in
/// order: a long context can be shared between threads without a change of the result.
inline constexpr std::int64_t kAttentionSegment = 1024;
inline constexpr std::int64_t kAllSegments = -1;
/// Floats of scratch per query row and head: query, two states and a tile of scores, S each; and
/// numbers.
inline constexpr std::int64_t kAttentionScratchVectors = 3;
inline constexpr std::int64_t kAttentionScratchPerRow = 64 + 8;

/// Merges `count` segments of a part, computed one by one, into its y. part.partial is the first's
/// state; those of the others follow, `stride` floats from one to the next.
struct AttentionMerge {
  AttentionPart part;
  std::int64_t count;
  std::int64_t stride;
};

/// eps below is 2^-24, half a unit in the last place of 1.
struct KernelTable {
  const char* name;     ///< as NOLENS_CPU spells it
  std::int64_t lanes;   ///< W
  std::int64_t tile_m;  ///< rows that share a register tile in linear

  // ---- Weights as float: y[i] = value k0 + i of a row, then times scale; i < count.
  // k0 and count are whole storage units. For scale = 1 the exact bits of the format's definition.
  using Expand = void (*)(const WeightRows& w, std::int64_t row, std::int64_t k0,
                          std::int64_t count, float scale, float* y) noexcept;
  Expand expand[kDTypeCount];  ///< by DType

  // ---- Linear, float activations. |error| <= (K/W + 16) * eps * sum_k |x * w|, w as expand gives
  // it
  using Linear = void (*)(const LinearArgs<float>& args) noexcept;
  Linear linear[kDTypeCount];  ///< by DType

  // ---- Linear, rounded activations; null where the instruction set has no dot product for them.
  /// y[i] = bfloat16 nearest to x[i], ties to even.
  void (*round_bf16)(const float* x, std::int64_t n, std::uint16_t* y) noexcept;
  /// As linear of BF16 with bfloat16 x; subnormal x, w and sums count as 0. Each output has four
  /// lanes and each lane rounds after every product, in blocks of 768 values of k: |error| <=
  /// (min(K, 768)/4 + K/768 + 4) * eps * sum_k |x * w|.
  void (*linear_bf16_rounded)(const LinearArgs<std::uint16_t>& args) noexcept;
  /// One row of `blocks` * 32 values: scale = max |x| / 127, q = x / scale to nearest.
  /// A block with NaN or infinity gets scale NaN; one below 2^-100 becomes zero.
  void (*quantize_int8)(const float* x, std::int64_t blocks, std::int8_t* q, float* scales,
                        std::int32_t* sums) noexcept;
  /// Integer sums of 32 products are exact; over blocks one float chain:
  /// |error| <= (K/32 + 2) * eps * sum over blocks of |scales * integer sum|.
  void (*linear_q8_0_int8)(const Int8LinearArgs& args) noexcept;

  // ---- Weights in panels (core/panel_layout.h)
  /// As expand: y[i] = value k0 + i of a row, then times scale; of w only data, scales and cols
  /// count.
  Expand expand_panels[kPanelFormatCount];
  /// As linear, float activations.
  Linear linear_panels[kPanelFormatCount];
  /// Row m of `rows` from k values. The scale of a group is the smaller of max |x| / 127 and 1.5
  /// times the median of 16 maxima / 127, the i-th over columns i, i + 16, …; at least max |x| /
  /// 16256. v to nearest. A group with NaN or infinity gets scale NaN; one below 2^-100 becomes
  /// zero.
  void (*quantize_split)(const float* x, std::int64_t k, std::int64_t m,
                         const SplitRows& rows) noexcept;
  /// Integer sums of a block are exact. sum over blocks: f = fma(scale, float(sum), f) and, with
  /// minimums, fma(minimum, float(sum of v), f); over groups: y = fma(scale of x, f, y), in order
  /// of k.
  using PanelPair = void (*)(const PanelPairArgs& args) noexcept;
  PanelPair panel_pair[kPanelFormatCount];

  // ---- Pixels
  /// y[i] = x[i] * factor, or x[i] / divisor unless that is 0: correctly rounded.
  void (*pixel_values)(const std::uint8_t* x, float factor, float divisor, std::int64_t n,
                       float* y) noexcept;

  // ---- Rows of D values. x and y may be the same.
  /// y = x * (mean(x^2) + eps)^-1/2 * weight; weight null = 1. Sums in double: relative error 3 *
  /// eps.
  void (*rms_norm)(const float* x, const float* weight, float epsilon, std::int64_t d,
                   float* y) noexcept;
  /// y = (x - mean) * (var + eps)^-1/2 * weight + bias. Statistics in double, then 4 * eps relative
  /// to
  /// |(x - mean) * rstd * weight| + |bias| + |mean * rstd * weight|.
  void (*layer_norm)(const float* x, const float* weight, const float* bias, float epsilon,
                     std::int64_t d, float* y) noexcept;
  /// One head of 2 * half values, in place: pairs (i, i + half). |error| <= 3 * eps * (|x1| +
  /// |x2|).
  void (*rope)(const float* cos, const float* sin, std::int64_t half, float* x) noexcept;

  // ---- Elementwise over n values. Bounds in units in the last place of the exact value (ulp),
  // down to errors of 2^-121: below that gelu and silu are 0 where exp is infinite.
  /// What softmax uses. 2 ulp; 0 below -104, infinity above 88.73.
  void (*exp)(const float* x, std::int64_t n, float* y) noexcept;
  /// y = gelu_tanh(gate) * up = gate / (1 + exp(-2u)) * up, u = sqrt(2/pi) (g + 0.044715 g^3). 4
  /// ulp.
  void (*gelu_gate)(const float* gate, const float* up, std::int64_t n, float* y) noexcept;
  /// y = gate / (1 + exp(-gate)) * up. 4 ulp.
  void (*silu_gate)(const float* gate, const float* up, std::int64_t n, float* y) noexcept;
  /// y += x
  void (*add)(const float* x, std::int64_t n, float* y) noexcept;
  /// x *= factor
  void (*scale)(float factor, std::int64_t n, float* x) noexcept;
  /// x = cap * tanh(x / cap). 4 ulp.
  void (*softcap)(float cap, std::int64_t n, float* x) noexcept;
  /// y[i] = half nearest to x[i], ties to even.
  void (*to_f16)(const float* x, std::int64_t n, std::uint16_t* y) noexcept;

  // ---- Attention
  /// Writes head_dim values x into a tile's head, at position `slot` of 64.
  using StoreHead = void (*)(const float* x, std::int64_t head_dim, std::int64_t slot,
                             unsigned char* tile) noexcept;
  StoreHead store_key[kKvTypeCount];    ///< by KvType
  StoreHead store_value[kKvTypeCount];  ///< by KvType
  using Attention = void (*)(const AttentionPart& args) noexcept;
  Attention attention[kKvTypeCount];  ///< by KvType
  using MergeAttention = void (*)(const AttentionMerge& args) noexcept;
  MergeAttention merge_attention[kKvTypeCount];  ///< by KvType
};

// Constant data, not functions: no code built for an instruction set may run before dispatch.
extern const KernelTable kScalarKernels;
extern const KernelTable kAvx2Kernels;
extern const KernelTable kAvx2VnniKernels;
extern const KernelTable kAvx512Kernels;
extern const KernelTable kAvx512VnniKernels;
extern const KernelTable kAvx512Bf16Kernels;
extern const KernelTable kNeonKernels;
extern const KernelTable kNeonDotprodKernels;
extern const KernelTable kNeonI8mmKernels;

}  // namespace nolens
