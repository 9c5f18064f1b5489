// The part of attention between the large matrix products: own scores, softmax, own outputs.
#include <algorithm>

#include "cpu_ops.h"
#include "cpu_vector.h"

namespace nolens::train {
namespace {

[[gnu::always_inline]] inline float range_maximum(const float* x, std::int64_t begin,
                                                  std::int64_t end, float start) {
  float partial[kLanes];
  std::fill_n(partial, kLanes, start);
  std::int64_t i = begin;
  for (; i + kLanes <= end; i += kLanes) {
    for (std::int64_t lane = 0; lane < kLanes; ++lane) {
      partial[lane] = x[i + lane] > partial[lane] ? x[i + lane] : partial[lane];
    }
  }
  for (; i < end; ++i) {
    partial[0] = x[i] > partial[0] ? x[i] : partial[0];
  }
  return *std::max_element(partial, partial + kLanes);
}

/// x = exp(x - shift) in [begin, end), 0 elsewhere below n. Returns the sum.
[[gnu::always_inline]] inline float exponentials(float* x, std::int64_t begin, std::int64_t end,
                                                 std::int64_t n, float shift) {
  for (std::int64_t i = begin; i < end; ++i) {
    x[i] = exp_approximation(x[i] - shift);
  }
  for (std::int64_t i = 0; i < begin; ++i) {
    x[i] = 0.0F;
  }
  for (std::int64_t i = end; i < n; ++i) {
    x[i] = 0.0F;
  }
  float partial[kLanes] = {};
  std::int64_t i = begin;
  for (; i + kLanes <= end; i += kLanes) {
    for (std::int64_t lane = 0; lane < kLanes; ++lane) {
      partial[lane] += x[i + lane];
    }
  }
  float sum = 0.0F;
  for (; i < end; ++i) {
    sum += x[i];
  }
  for (const float p : partial) {
    sum += p;
  }
  return sum;
}

[[gnu::always_inline]] inline void scale_by(float factor, std::int64_t n, float* x) {
  for (std::int64_t i = 0; i < n; ++i) {
    x[i] *= factor;
  }
}

}  // namespace

NOLENS_CLONES void attention_forward(const AttentionShape& shape, const KeyRange* ranges,
                                     const float* q, const float* own_keys, const float* own_values,
                                     float* scores, float* own_probabilities, float* output) {
  const std::int64_t dim = shape.head_dim;
  const std::int64_t per_branch = shape.queries / shape.branches;
  for (std::int64_t bh = 0; bh < shape.batch * shape.heads; ++bh) {
    const KeyRange* row_ranges = ranges + bh / shape.heads * shape.queries;
    for (std::int64_t n = 0; n < shape.queries; ++n) {
      const KeyRange range = row_ranges[n];
      const std::int64_t row = bh * shape.queries + n;
      const std::int64_t own = (bh * shape.branches + n / per_branch) * shape.own_rows * dim;
      float* s = scores + row * shape.prefix_rows;
      float* p = own_probabilities + row * shape.own_rows;
      float* out = output + row * dim;
      float largest = range_maximum(s, range.prefix_begin, range.prefix_end, -3.0e38F);
      for (std::int64_t l = range.own_begin; l < range.own_end; ++l) {
        p[l] = dot(q + row * dim, own_keys + own + l * dim, dim);
        largest = std::max(largest, p[l]);
      }
      float sum = exponentials(s, range.prefix_begin, range.prefix_end, shape.prefix_rows, largest);
      sum += exponentials(p, range.own_begin, range.own_end, shape.own_rows, largest);
      scale_by(1.0F / sum, shape.prefix_rows, s);
      scale_by(1.0F / sum, shape.own_rows, p);
      std::fill_n(out, dim, 0.0F);
      for (std::int64_t l = range.own_begin; l < range.own_end; ++l) {
        add_scaled(p[l], own_values + own + l * dim, dim, out);
      }
    }
  }
}

NOLENS_CLONES void attention_backward(const AttentionShape& shape, const KeyRange* ranges,
                                      const float* doutput, const float* q, const float* own_keys,
                                      const float* own_values, const float* probabilities,
                                      const float* own_probabilities,
                                      const AttentionGradients& gradients) {
  const std::int64_t dim = shape.head_dim;
  const std::int64_t per_branch = shape.queries / shape.branches;
  for (std::int64_t bh = 0; bh < shape.batch * shape.heads; ++bh) {
    const KeyRange* row_ranges = ranges + bh / shape.heads * shape.queries;
    for (std::int64_t n = 0; n < shape.queries; ++n) {
      const KeyRange range = row_ranges[n];
      const std::int64_t row = bh * shape.queries + n;
      const std::int64_t own = (bh * shape.branches + n / per_branch) * shape.own_rows * dim;
      const float* s = probabilities + row * shape.prefix_rows;
      const float* p = own_probabilities + row * shape.own_rows;
      const float* given = doutput + row * dim;
      float* ds = gradients.scores + row * shape.prefix_rows;
      float* dq = gradients.q + row * dim;
      float mean = dot(ds, s, shape.prefix_rows);
      for (std::int64_t l = range.own_begin; l < range.own_end; ++l) {
        mean += p[l] * dot(given, own_values + own + l * dim, dim);
      }
      for (std::int64_t i = 0; i < shape.prefix_rows; ++i) {
        ds[i] = s[i] * (ds[i] - mean);
      }
      std::fill_n(dq, dim, 0.0F);
      for (std::int64_t l = range.own_begin; l < range.own_end; ++l) {
        const std::int64_t key = own + l * dim;
        const float slope = p[l] * (dot(given, own_values + key, dim) - mean);
        add_scaled(slope, own_keys + key, dim, dq);
        add_scaled(slope, q + row * dim, dim, gradients.own_keys + key);
        add_scaled(p[l], given, dim, gradients.own_values + key);
      }
    }
  }
}

}  // namespace nolens::train
