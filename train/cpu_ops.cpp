#include "cpu_ops.h"

#include <cmath>
#include <vector>

#include "cpu_vector.h"

namespace nolens::train {
namespace {

// gelu_tanh(g) = g * sigmoid(2 u), u = sqrt(2/pi) (g + 0.044715 g^3).
constexpr float kTwoRootTwoOverPi = 1.59576912F;
constexpr float kCubic = 0.044715F;

[[gnu::always_inline]] inline float gelu_gate(float g) {
  const float two_u = kTwoRootTwoOverPi * (g + kCubic * g * g * g);
  return 1.0F / (1.0F + exp_approximation(-two_u));
}

}  // namespace

NOLENS_CLONES void rms_norm_forward(const float* x, const float* weight, float eps,
                                    std::int64_t rows, std::int64_t width, float* y, float* scale) {
  for (std::int64_t row = 0; row < rows; ++row) {
    const float* in = x + row * width;
    float* out = y + row * width;
    const float s = 1.0F / std::sqrt(dot(in, in, width) / static_cast<float>(width) + eps);
    scale[row] = s;
    if (weight == nullptr) {
      for (std::int64_t i = 0; i < width; ++i) {
        out[i] = in[i] * s;
      }
    } else {
      for (std::int64_t i = 0; i < width; ++i) {
        out[i] = in[i] * s * weight[i];
      }
    }
  }
}

NOLENS_CLONES void rms_norm_backward(const float* dy, const float* x, const float* weight,
                                     const float* scale, std::int64_t rows, std::int64_t width,
                                     float* dx, float* dweight) {
  for (std::int64_t row = 0; row < rows; ++row) {
    const float* g = dy + row * width;
    const float* in = x + row * width;
    float* out = dx + row * width;
    const float s = scale[row];
    const float along = weight == nullptr ? dot(g, in, width) : dot3(g, in, weight, width);
    const float pull = along * s * s * s / static_cast<float>(width);
    if (weight == nullptr) {
      for (std::int64_t i = 0; i < width; ++i) {
        out[i] = g[i] * s - in[i] * pull;
      }
    } else {
      for (std::int64_t i = 0; i < width; ++i) {
        out[i] = g[i] * weight[i] * s - in[i] * pull;
      }
    }
    if (dweight != nullptr) {
      for (std::int64_t i = 0; i < width; ++i) {
        dweight[i] += g[i] * in[i] * s;
      }
    }
  }
}

NOLENS_CLONES void geglu_forward(const float* gate, const float* up, std::int64_t n, float* y) {
  for (std::int64_t i = 0; i < n; ++i) {
    y[i] = gate[i] * gelu_gate(gate[i]) * up[i];
  }
}

NOLENS_CLONES void geglu_backward(const float* dy, const float* gate, const float* up,
                                  std::int64_t n, float* dgate, float* dup) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float g = gate[i];
    const float s = gelu_gate(g);
    const float slope = kTwoRootTwoOverPi * (1.0F + 3.0F * kCubic * g * g);
    dup[i] = dy[i] * g * s;
    dgate[i] = dy[i] * up[i] * (s + g * s * (1.0F - s) * slope);
  }
}

NOLENS_CLONES void head_norm_forward(const HeadShape& shape, const float* x, const float* weight,
                                     float eps, const float* cosines, const float* sines,
                                     const std::int32_t* positions, float* y, float* scale) {
  const std::int64_t dim = shape.head_dim;
  const std::int64_t half = dim / 2;
  for (std::int64_t b = 0; b < shape.batch; ++b) {
    for (std::int64_t t = 0; t < shape.rows; ++t) {
      const std::int64_t row = b * shape.rows + t;
      for (std::int64_t h = 0; h < shape.heads; ++h) {
        const float* in = x + (row * shape.heads + h) * dim;
        const std::int64_t first = (b * shape.heads + h) * shape.repeat;
        float* out = y + (first * shape.rows + t) * dim;
        const float s = 1.0F / std::sqrt(dot(in, in, dim) / static_cast<float>(dim) + eps);
        scale[row * shape.heads + h] = s;
        for (std::int64_t i = 0; i < dim; ++i) {
          out[i] = in[i] * s;
        }
        if (weight != nullptr) {
          for (std::int64_t i = 0; i < dim; ++i) {
            out[i] *= weight[i];
          }
        }
        if (cosines != nullptr) {
          const float* c = cosines + positions[row] * half;
          const float* n = sines + positions[row] * half;
          for (std::int64_t i = 0; i < half; ++i) {
            const float low = out[i];
            const float high = out[i + half];
            out[i] = low * c[i] - high * n[i];
            out[i + half] = high * c[i] + low * n[i];
          }
        }
        for (std::int64_t copy = 1; copy < shape.repeat; ++copy) {
          float* twin = out + copy * shape.rows * dim;
          for (std::int64_t i = 0; i < dim; ++i) {
            twin[i] = out[i];
          }
        }
      }
    }
  }
}

NOLENS_CLONES void head_norm_backward(const HeadShape& shape, const float* dy, const float* x,
                                      const float* weight, const float* cosines, const float* sines,
                                      const std::int32_t* positions, const float* scale, float* dx,
                                      float* dweight) {
  const std::int64_t dim = shape.head_dim;
  const std::int64_t half = dim / 2;
  std::vector<float> buffer(static_cast<std::size_t>(dim));
  float* g = buffer.data();
  for (std::int64_t b = 0; b < shape.batch; ++b) {
    for (std::int64_t t = 0; t < shape.rows; ++t) {
      const std::int64_t row = b * shape.rows + t;
      for (std::int64_t h = 0; h < shape.heads; ++h) {
        const float* in = x + (row * shape.heads + h) * dim;
        float* out = dx + (row * shape.heads + h) * dim;
        const std::int64_t first = (b * shape.heads + h) * shape.repeat;
        const float* given = dy + (first * shape.rows + t) * dim;
        for (std::int64_t i = 0; i < dim; ++i) {
          g[i] = given[i];
        }
        for (std::int64_t copy = 1; copy < shape.repeat; ++copy) {
          const float* twin = given + copy * shape.rows * dim;
          for (std::int64_t i = 0; i < dim; ++i) {
            g[i] += twin[i];
          }
        }
        if (cosines != nullptr) {
          const float* c = cosines + positions[row] * half;
          const float* n = sines + positions[row] * half;
          for (std::int64_t i = 0; i < half; ++i) {
            const float low = g[i];
            const float high = g[i + half];
            g[i] = low * c[i] + high * n[i];
            g[i + half] = high * c[i] - low * n[i];
          }
        }
        const float s = scale[row * shape.heads + h];
        if (dweight != nullptr) {
          for (std::int64_t i = 0; i < dim; ++i) {
            dweight[i] += g[i] * in[i] * s;
          }
        }
        if (weight != nullptr) {
          for (std::int64_t i = 0; i < dim; ++i) {
            g[i] *= weight[i];
          }
        }
        const float pull = dot(g, in, dim) * s * s * s / static_cast<float>(dim);
        for (std::int64_t i = 0; i < dim; ++i) {
          out[i] = g[i] * s - in[i] * pull;
        }
      }
    }
  }
}

}  // namespace nolens::train
