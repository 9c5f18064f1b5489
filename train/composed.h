// The steps of functions.h put together from torch operators: for devices without fused loops, and
// what the fused loops are tested against.
#pragma once

#include <ATen/ATen.h>

#include "functions.h"

namespace nolens::train::composed {

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps);
at::Tensor geglu(const at::Tensor& gate, const at::Tensor& up);
at::Tensor head_norm(const HeadShape& shape, const at::Tensor& x, const at::Tensor& weight,
                     double eps, const RotaryTable& table, const at::Tensor& positions);
at::Tensor range_attention(const AttentionShape& shape, const at::Tensor& q,
                           const at::Tensor& prefix_keys, const at::Tensor& prefix_values,
                           const at::Tensor& own_keys, const at::Tensor& own_values,
                           const at::Tensor& ranges);

}  // namespace nolens::train::composed
