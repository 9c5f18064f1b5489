#include "composed.h"

#include <limits>
#include <vector>

namespace nolens::train::composed {

using at::Tensor;

namespace {

/// [batch * heads, queries, keys]: 0 where begin <= key < end, -inf elsewhere.
Tensor range_mask(const Tensor& ranges, std::int64_t column, std::int64_t keys,
                  const AttentionShape& shape) {
  const Tensor index = at::arange(keys, ranges.options());
  const Tensor hidden = (index < ranges.select(1, column).unsqueeze(1))
                            .logical_or_(index >= ranges.select(1, column + 1).unsqueeze(1));
  const Tensor mask = at::zeros(hidden.sizes(), ranges.options().dtype(at::kFloat))
                          .masked_fill_(hidden, -std::numeric_limits<float>::infinity());
  return mask.view({shape.batch, 1, shape.queries, keys})
      .expand({shape.batch, shape.heads, shape.queries, keys})
      .reshape({-1, shape.queries, keys});
}

}  // namespace

Tensor rms_norm(const Tensor& x, const Tensor& weight, double eps) {
  const Tensor y = x * at::rsqrt(x.square().mean(-1, true) + eps);
  return weight.defined() ? y * weight : y;
}

Tensor geglu(const Tensor& gate, const Tensor& up) {
  return at::gelu(gate, "tanh") * up;
}

Tensor head_norm(const HeadShape& shape, const Tensor& x, const Tensor& weight, double eps,
                 const RotaryTable& table, const Tensor& positions) {
  Tensor y =
      rms_norm(x.reshape({shape.batch, shape.rows, shape.heads, shape.head_dim}), weight, eps);
  if (table.cosines.defined()) {
    const auto angles = [&](const Tensor& values) {
      return values.index_select(0, positions.to(at::kLong))
          .view({shape.batch, shape.rows, 1, shape.head_dim / 2});
    };
    const Tensor c = angles(table.cosines);
    const Tensor s = angles(table.sines);
    const std::vector<Tensor> halves = y.chunk(2, -1);
    y = at::cat({halves[0] * c - halves[1] * s, halves[1] * c + halves[0] * s}, -1);
  }
  return y.permute({0, 2, 1, 3})
      .unsqueeze(2)
      .expand({shape.batch, shape.heads, shape.repeat, shape.rows, shape.head_dim})
      .reshape({-1, shape.rows, shape.head_dim});
}

Tensor range_attention(const AttentionShape& shape, const Tensor& q, const Tensor& prefix_keys,
                       const Tensor& prefix_values, const Tensor& own_keys,
                       const Tensor& own_values, const Tensor& ranges) {
  Tensor scores =
      at::bmm(q, prefix_keys.transpose(1, 2)) + range_mask(ranges, 0, shape.prefix_rows, shape);
  if (!own_keys.defined()) {
    return at::bmm(scores.softmax(-1), prefix_values);
  }
  const std::int64_t per_branch = shape.queries / shape.branches;
  const auto by_branch = [&](const Tensor& x, std::int64_t rows) {
    return x.reshape({-1, rows, x.size(-1)});
  };
  const Tensor own =
      at::bmm(by_branch(q, per_branch), by_branch(own_keys, shape.own_rows).transpose(1, 2))
          .view({-1, shape.queries, shape.own_rows}) +
      range_mask(ranges, 2, shape.own_rows, shape);
  const Tensor probabilities = at::cat({scores, own}, -1).softmax(-1);
  const Tensor seen = at::bmm(probabilities.narrow(-1, 0, shape.prefix_rows), prefix_values);
  const Tensor told =
      at::bmm(by_branch(probabilities.narrow(-1, shape.prefix_rows, shape.own_rows), per_branch),
              by_branch(own_values, shape.own_rows));
  return seen + told.view(seen.sizes());
}

}  // namespace nolens::train::composed
