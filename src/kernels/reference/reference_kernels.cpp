// Nothing here is optimized: readers compare it with the formula, tests compare kernels with it.
#include "kernels/reference/reference_kernels.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>
#include <vector>

#include "core/check.h"
#include "core/float16.h"
#include "kernels/reference/panel_value.h"
#include "kernels/reference/stored_head.h"
#include "kernels/reference/weight_value.h"

namespace nolens {
namespace {

template <typename T>
T read(const std::byte* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}

void rms_norm_values(const float* x, std::span<const float> weight, float eps, std::int64_t d,
                     float* y) {
  double squares = 0.0;
  for (std::int64_t i = 0; i < d; ++i) {
    squares += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  }
  const double factor = std::pow(squares / static_cast<double>(d) + static_cast<double>(eps), -0.5);
  for (std::int64_t i = 0; i < d; ++i) {
    const double w =
        weight.empty() ? 1.0 : static_cast<double>(weight[static_cast<std::size_t>(i)]);
    y[i] = static_cast<float>(static_cast<double>(x[i]) * factor * w);
  }
}

double activate(double x, Activation activation) {
  if (activation == Activation::kSilu) {
    return x / (1.0 + std::exp(-x));
  }
  const double u = std::sqrt(2.0 / std::numbers::pi) * (x + 0.044715 * x * x * x);
  return x / (1.0 + std::exp(-2.0 * u));  // = 0.5 x (1 + tanh(u))
}

float stored_value(const WeightMatrix& w, std::int64_t row, std::int64_t col) {
  return w.layout == WeightLayout::kPanels ? panel_value(w, row, col) : weight_value(w, row, col);
}

class ReferenceKernels final : public Kernels {
 public:
  [[nodiscard]] const char* name() const noexcept override { return "reference"; }

  void embed_rows(std::span<const TokenId> ids, const WeightMatrix& table, float scale,
                  Matrix y) override {
    for (std::int64_t t = 0; t < y.rows; ++t) {
      const TokenId id = ids[static_cast<std::size_t>(t)];
      NOLENS_CHECK(id >= 0 && id < table.rows);
      for (std::int64_t i = 0; i < y.cols; ++i) {
        const auto value = static_cast<double>(stored_value(table, id, i));
        y.row(t)[i] = static_cast<float>(value * static_cast<double>(scale));
      }
    }
  }

  void rms_norm(ConstMatrix x, std::span<const float> weight, float eps, Matrix y) override {
    for (std::int64_t t = 0; t < x.rows; ++t) {
      rms_norm_values(x.row(t), weight, eps, x.cols, y.row(t));
    }
  }

  void layer_norm(ConstMatrix x, std::span<const float> weight, std::span<const float> bias,
                  float eps, Matrix y) override {
    const auto d = static_cast<double>(x.cols);
    for (std::int64_t t = 0; t < x.rows; ++t) {
      double mean = 0.0;
      for (std::int64_t i = 0; i < x.cols; ++i) {
        mean += static_cast<double>(x.row(t)[i]) / d;
      }
      double variance = 0.0;
      for (std::int64_t i = 0; i < x.cols; ++i) {
        variance += std::pow(static_cast<double>(x.row(t)[i]) - mean, 2.0) / d;
      }
      const double factor = std::pow(variance + static_cast<double>(eps), -0.5);
      for (std::int64_t i = 0; i < x.cols; ++i) {
        const auto j = static_cast<std::size_t>(i);
        y.row(t)[i] = static_cast<float>((static_cast<double>(x.row(t)[i]) - mean) * factor *
                                             static_cast<double>(weight[j]) +
                                         static_cast<double>(bias[j]));
      }
    }
  }

  void rms_norm_heads(ConstMatrix x, std::int64_t heads, std::span<const float> weight, float eps,
                      Matrix y) override {
    const std::int64_t head_dim = x.cols / heads;
    for (std::int64_t t = 0; t < x.rows; ++t) {
      for (std::int64_t h = 0; h < heads; ++h) {
        const std::int64_t head = h * head_dim;
        rms_norm_values(x.row(t) + head, weight, eps, head_dim, y.row(t) + head);
      }
    }
  }

  void linear(ConstMatrix x, const WeightMatrix& w, std::span<const float> bias,
              Matrix y) override {
    for (std::int64_t n = 0; n < w.rows; ++n) {
      for (std::int64_t t = 0; t < x.rows; ++t) {
        double sum = bias.empty() ? 0.0 : static_cast<double>(bias[static_cast<std::size_t>(n)]);
        for (std::int64_t k = 0; k < w.cols; ++k) {
          sum += static_cast<double>(x.row(t)[k]) * static_cast<double>(stored_value(w, n, k));
        }
        y.row(t)[n] = static_cast<float>(sum);
      }
    }
  }

  void normed_linear(ConstMatrix x, const RmsNorm& norm, std::span<const LinearPart> parts,
                     Matrix scratch) override {
    rms_norm(x, norm.weight, norm.eps, scratch);
    for (const LinearPart& part : parts) {
      linear(scratch, part.w, part.bias, part.y);
    }
  }

  void mlp(ConstMatrix x, const RmsNorm& norm, const GatedMlp& weights, Matrix scratch,
           Matrix y) override {
    const Matrix gate = scratch.row_range(0, x.rows);
    const Matrix up = scratch.row_range(x.rows, 2 * x.rows);
    rms_norm(x, norm.weight, norm.eps, y);
    linear(y, weights.gate, {}, gate);
    linear(y, weights.up, {}, up);
    gated_activation(gate, up, weights.activation, gate);
    linear(gate, weights.down, {}, y);
  }

  [[nodiscard]] bool mlp_needs_scratch(const GatedMlp& /*weights*/) const noexcept override {
    return true;
  }

  void pixel_linear(const PixelRows& x, const RowNorm& norm, const WeightMatrix& w,
                    std::span<const float> bias, Matrix y) override {
    std::vector<float> values(static_cast<std::size_t>(x.rows * x.cols));
    std::transform(x.data, x.data + values.size(), values.begin(),
                   [&](std::uint8_t pixel) { return x.scale.value(pixel); });
    const Matrix rows{values.data(), x.rows, x.cols};
    if (!norm.weight.empty()) {
      layer_norm(rows, norm.weight, norm.bias, norm.eps, rows);
    }
    linear(rows, w, bias, y);
  }

  void rope(ConstMatrix cos, ConstMatrix sin, std::int64_t heads, Matrix x) override {
    const std::int64_t half = x.cols / heads / 2;
    for (std::int64_t t = 0; t < x.rows; ++t) {
      for (std::int64_t h = 0; h < heads; ++h) {
        float* head = x.row(t) + h * 2 * half;
        for (std::int64_t i = 0; i < half; ++i) {
          const auto c = static_cast<double>(cos.row(t)[i]);
          const auto s = static_cast<double>(sin.row(t)[i]);
          const auto x1 = static_cast<double>(head[i]);
          const auto x2 = static_cast<double>(head[half + i]);
          head[i] = static_cast<float>(x1 * c - x2 * s);
          head[half + i] = static_cast<float>(x2 * c + x1 * s);
        }
      }
    }
  }

  void store_kv(ConstMatrix k, ConstMatrix v, std::span<const SequenceSlice> sequences) override {
    for (const SequenceSlice& sequence : sequences) {
      for (std::int64_t i = 0; i < sequence.row_count; ++i) {
        const KvView& kv = sequence.kv;
        const auto part = [&](ConstMatrix x, std::int64_t head) {
          return std::span(x.row(sequence.first_row + i) + head * kv.head_dim,
                           static_cast<std::size_t>(kv.head_dim));
        };
        for (std::int64_t head = 0; head < kv.num_heads; ++head) {
          store_key(kv, head, sequence.first_position + i, part(k, head));
          store_value(kv, head, sequence.first_position + i, part(v, head));
        }
      }
    }
  }

  void attention(const AttentionArgs& args, Matrix y) override {
    const std::int64_t group = args.num_attention_heads / args.num_key_value_heads;
    for (const SequenceSlice& sequence : args.sequences) {
      for (std::int64_t kv_head = 0; kv_head < args.num_key_value_heads; ++kv_head) {
        const HeadRows rows = read_head(args, sequence, kv_head);
        for (std::int64_t i = 0; i < sequence.row_count; ++i) {
          for (std::int64_t h = kv_head * group; h < (kv_head + 1) * group; ++h) {
            attend(args, rows, sequence.first_row + i, h, y);
          }
        }
      }
    }
  }

  void gated_activation(ConstMatrix gate, ConstMatrix up, Activation activation,
                        Matrix y) override {
    for (std::int64_t t = 0; t < y.rows; ++t) {
      for (std::int64_t i = 0; i < y.cols; ++i) {
        y.row(t)[i] = static_cast<float>(activate(static_cast<double>(gate.row(t)[i]), activation) *
                                         static_cast<double>(up.row(t)[i]));
      }
    }
  }

  void add(ConstMatrix x, Matrix y) override {
    for (std::int64_t t = 0; t < y.rows; ++t) {
      for (std::int64_t i = 0; i < y.cols; ++i) {
        y.row(t)[i] += x.row(t)[i];
      }
    }
  }

  void add_rms_norm(ConstMatrix x, const RmsNorm& norm, float factor, Matrix y) override {
    std::vector<float> row(static_cast<std::size_t>(x.cols));
    for (std::int64_t t = 0; t < y.rows; ++t) {
      rms_norm_values(x.row(t), norm.weight, norm.eps, x.cols, row.data());
      for (std::int64_t i = 0; i < y.cols; ++i) {
        y.row(t)[i] = (y.row(t)[i] + row[static_cast<std::size_t>(i)]) * factor;
      }
    }
  }

  void softcap(float cap, Matrix x) override {
    const auto limit = static_cast<double>(cap);
    for (std::int64_t t = 0; t < x.rows; ++t) {
      for (std::int64_t i = 0; i < x.cols; ++i) {
        float& value = x.row(t)[i];
        value = static_cast<float>(limit * std::tanh(static_cast<double>(value) / limit));
      }
    }
  }

 private:
  /// Keys and values of one head from position `begin` on.
  struct HeadRows {
    std::int64_t begin;
    std::vector<std::vector<double>> keys;
    std::vector<std::vector<double>> values;
  };
  static HeadRows read_head(const AttentionArgs& args, const SequenceSlice& sequence,
                            std::int64_t kv_head) {
    std::int64_t begin = std::numeric_limits<std::int64_t>::max();
    std::int64_t end = 0;
    for (std::int64_t i = 0; i < sequence.row_count; ++i) {
      const auto t = static_cast<std::size_t>(sequence.first_row + i);
      if (args.first_visible[t] <= args.last_visible[t]) {
        begin = std::min(begin, args.first_visible[t]);
        end = std::max(end, args.last_visible[t] + 1);
      }
    }
    HeadRows rows{begin, {}, {}};
    for (std::int64_t position = begin; position < end; ++position) {
      rows.keys.push_back(stored_key(sequence.kv, kv_head, position));
      rows.values.push_back(stored_value(sequence.kv, kv_head, position));
    }
    return rows;
  }

  static void attend(const AttentionArgs& args, const HeadRows& rows, std::int64_t t,
                     std::int64_t h, Matrix y) {
    const std::int64_t s = args.head_dim;
    const float* q = args.q.row(t) + h * s;
    std::vector<double> weights;
    const std::int64_t first = args.first_visible[static_cast<std::size_t>(t)];
    const std::int64_t last = args.last_visible[static_cast<std::size_t>(t)];
    double maximum = -std::numeric_limits<double>::infinity();
    for (std::int64_t position = first; position <= last; ++position) {
      const std::vector<double>& key = rows.keys[static_cast<std::size_t>(position - rows.begin)];
      double score = 0.0;
      for (std::int64_t i = 0; i < s; ++i) {
        score += static_cast<double>(q[i]) * key[static_cast<std::size_t>(i)];
      }
      weights.push_back(score * static_cast<double>(args.scale));
      maximum = std::max(maximum, weights.back());
    }
    double sum = 0.0;
    for (double& weight : weights) {
      weight = std::exp(weight - maximum);
      sum += weight;
    }
    std::vector<double> values(static_cast<std::size_t>(s));
    for (std::int64_t position = first; position <= last; ++position) {
      const double weight = weights[static_cast<std::size_t>(position - first)] / sum;
      const std::vector<double>& value =
          rows.values[static_cast<std::size_t>(position - rows.begin)];
      for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] += weight * value[i];
      }
    }
    for (std::int64_t i = 0; i < s; ++i) {
      y.row(t)[h * s + i] = static_cast<float>(values[static_cast<std::size_t>(i)]);
    }
  }
};

}  // namespace

std::unique_ptr<Kernels> make_reference_kernels() {
  return std::make_unique<ReferenceKernels>();
}

}  // namespace nolens
