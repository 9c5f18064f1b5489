// Fused elementwise steps on plain float arrays: the parts of a training step that would otherwise
// be bound by memory traffic. Each has its gradient beside it.
#pragma once

#include <cstdint>

namespace nolens::train {

/// y = x / rms(x) * weight for each of `rows` rows; weight may be null (all ones). `scale` [rows]
/// receives 1 / rms(x). y may be x's buffer only if the gradient is not needed.
void rms_norm_forward(const float* x, const float* weight, float eps, std::int64_t rows,
                      std::int64_t width, float* y, float* scale);
/// dx from dy; adds to dweight [width] unless it is null.
void rms_norm_backward(const float* dy, const float* x, const float* weight, const float* scale,
                       std::int64_t rows, std::int64_t width, float* dx, float* dweight);

/// y = gelu_tanh(gate) * up over n values.
void geglu_forward(const float* gate, const float* up, std::int64_t n, float* y);
void geglu_backward(const float* dy, const float* gate, const float* up, std::int64_t n,
                    float* dgate, float* dup);

/// What turns projected rows into attention heads.
struct HeadShape {
  std::int64_t batch = 0;     ///< sequences
  std::int64_t rows = 0;      ///< per sequence
  std::int64_t heads = 0;     ///< in a projected row
  std::int64_t head_dim = 0;  ///< even
  std::int64_t repeat = 1;    ///< copies of each head in the result (grouped queries)
};

/// x [batch * rows, heads * head_dim] -> y [batch, heads * repeat, rows, head_dim]: RMSNorm of each
/// head, weight [head_dim] or null, then, unless `cosines` is null, rotation by the angles of
/// positions [batch * rows] in tables [*, head_dim / 2]. `scale` receives 1 / rms, [batch * rows,
/// heads].
void head_norm_forward(const HeadShape& shape, const float* x, const float* weight, float eps,
                       const float* cosines, const float* sines, const std::int32_t* positions,
                       float* y, float* scale);
/// dx from dy; adds to dweight [head_dim] unless it is null.
void head_norm_backward(const HeadShape& shape, const float* dy, const float* x,
                        const float* weight, const float* cosines, const float* sines,
                        const std::int32_t* positions, const float* scale, float* dx,
                        float* dweight);

/// Queries of one or several branches over a shared prefix and over the branch's own rows. All
/// heads of a sequence have the same ranges. Without branches (own_rows 0) queries see the prefix
/// alone.
struct AttentionShape {
  std::int64_t batch = 0;        ///< sequences
  std::int64_t heads = 0;        ///< key and value heads are already repeated to this number
  std::int64_t queries = 0;      ///< per sequence; a multiple of `branches`
  std::int64_t prefix_rows = 0;  ///< keys of the prefix
  std::int64_t branches = 1;
  std::int64_t own_rows = 0;  ///< keys of each branch
  std::int64_t head_dim = 0;
};

/// Visible keys of a query: [prefix_begin, prefix_end) of the prefix and [own_begin, own_end) of
/// its branch. At least one key is visible.
struct KeyRange {
  std::int32_t prefix_begin = 0;
  std::int32_t prefix_end = 0;
  std::int32_t own_begin = 0;
  std::int32_t own_end = 0;
};

/// Turns prefix scores [batch * heads, queries, prefix_rows] into probabilities in place, together
/// with the own scores, which it computes from q [batch * heads, queries, head_dim] and own_keys
/// [batch * heads, branches * own_rows, head_dim]. Writes own probabilities [batch * heads,
/// queries, own_rows] and their share of the output, [batch * heads, queries, head_dim].
void attention_forward(const AttentionShape& shape, const KeyRange* ranges, const float* q,
                       const float* own_keys, const float* own_values, float* scores,
                       float* own_probabilities, float* output);

/// Gradients that attention_forward's results need; arrays as there.
struct AttentionGradients {
  float* scores = nullptr;      ///< in: d loss / d prefix probabilities; out: d loss / d scores
  float* q = nullptr;           ///< out: share of the own keys
  float* own_keys = nullptr;    ///< added to
  float* own_values = nullptr;  ///< added to
};
void attention_backward(const AttentionShape& shape, const KeyRange* ranges, const float* doutput,
                        const float* q, const float* own_keys, const float* own_values,
                        const float* probabilities, const float* own_probabilities,
                        const AttentionGradients& gradients);

}  // namespace nolens::train
