// The differentiable steps of the decoder that are not plain torch operators. On the CPU they run
// the fused loops of cpu_ops, elsewhere they are put together from torch operators; both give the
// same numbers up to rounding.
#pragma once

#include <ATen/ATen.h>

#include "cpu_ops.h"

namespace nolens::train {

/// x [rows, in] times weight [out, in] transposed. With `bf16` the operands of the three products
/// (forward, and both of the gradient) are rounded to bfloat16; results and sums are float32.
at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, bool bf16);

/// RMSNorm over the last dimension of x [rows, width]; weight [width] or undefined.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps);

/// gelu_tanh(gate) * up, same shapes.
at::Tensor geglu(const at::Tensor& gate, const at::Tensor& up);

/// Cosines and sines of the rotary angles, each [positions, head_dim / 2].
struct RotaryTable {
  at::Tensor cosines;
  at::Tensor sines;
};

/// Projected rows to normalised, rotated heads; see head_norm_forward. weight and table.cosines may
/// be undefined. positions: int32 [batch * rows]. Result [batch * heads * repeat, rows, head_dim].
at::Tensor head_norm(const HeadShape& shape, const at::Tensor& x, const at::Tensor& weight,
                     double eps, const RotaryTable& table, const at::Tensor& positions);

/// Attention of queries over a prefix and over their own branch, scale 1.
/// q [batch * heads, queries, head_dim]; prefix keys and values [batch * heads, prefix_rows,
/// head_dim]; own ones [batch * heads, branches * own_rows, head_dim], undefined without branches.
/// ranges: int32 [batch * queries, 4], the members of KeyRange. Result like q.
at::Tensor range_attention(const AttentionShape& shape, const at::Tensor& q,
                           const at::Tensor& prefix_keys, const at::Tensor& prefix_values,
                           const at::Tensor& own_keys, const at::Tensor& own_values,
                           const at::Tensor& ranges);

}  // namespace nolens::train
