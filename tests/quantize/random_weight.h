// Random weights of every block format, with scales that are finite numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "core/float16.h"
#include "core/matrix.h"

namespace nolens::testing {

/// Owns what a WeightMatrix points to.
struct RandomWeight {
  std::vector<std::byte> data;
  std::vector<unsigned char> absmax;
  std::vector<float> nested_absmax;
  WeightScales scales;
  WeightMatrix matrix;
};

/// Of NF4 and FP4.
struct ScaleShape {
  std::int64_t block = 64;
  bool nested = false;
  std::int64_t nested_block = 256;
  DType value_dtype = DType::kBf16;
};

inline void fill_scales(RandomWeight& w, std::int64_t values, const ScaleShape& shape,
                        std::mt19937& random) {
  std::uniform_real_distribution<float> uniform(-1.0F, 1.0F);
  const std::int64_t blocks = (values + shape.block - 1) / shape.block;
  w.scales.block_size = shape.block;
  w.scales.value_dtype = shape.value_dtype;
  w.scales.nested = shape.nested;
  for (float& entry : w.scales.codebook) {
    entry = uniform(random);
  }
  w.scales.codebook[7] = 0.0F;
  if (shape.nested) {
    for (std::int64_t b = 0; b < blocks; ++b) {
      w.absmax.push_back(static_cast<unsigned char>(random() & 255U));
    }
    for (float& entry : w.scales.nested_codebook) {
      entry = uniform(random);
    }
    for (std::int64_t b = 0; b < blocks; b += shape.nested_block) {
      w.nested_absmax.push_back(uniform(random));
    }
    w.scales.nested_absmax = reinterpret_cast<const unsigned char*>(w.nested_absmax.data());
    w.scales.nested_block_size = shape.nested_block;
    w.scales.nested_offset = 0.3F;
  } else {
    w.absmax.resize(static_cast<std::size_t>(blocks) * 4);
    for (std::size_t b = 0; b < w.absmax.size(); b += 4) {
      const float scale = uniform(random);
      std::memcpy(w.absmax.data() + b, &scale, 4);
    }
  }
  w.scales.absmax = w.absmax.data();
}

/// Not to be moved after: the matrix points into it.
inline void make_weight(RandomWeight& w, DType dtype, std::int64_t rows, std::int64_t cols,
                        unsigned seed, const ScaleShape& shape = {}) {
  std::mt19937 random(seed);
  w.data.resize(static_cast<std::size_t>(rows * row_bytes(dtype, cols)));
  for (std::byte& byte : w.data) {
    byte = static_cast<std::byte>(random() & 255U);
  }
  // Random bits of a half may be infinity or NaN.
  const BlockHalves halves = block_halves(dtype);
  const auto stride = static_cast<std::size_t>(traits(dtype).bytes);
  std::uniform_real_distribution<float> uniform(-2.0F, 2.0F);
  for (std::size_t b = 0; halves.count > 0 && b < w.data.size(); b += stride) {
    for (std::int64_t i = 0; i < halves.count; ++i) {
      const F16 half = to_f16(uniform(random));
      std::memcpy(w.data.data() + b + static_cast<std::size_t>(halves.offset + 2 * i), &half, 2);
    }
  }
  w.matrix = {w.data.data(), dtype, rows, cols};
  if (needs_scales(dtype)) {
    fill_scales(w, rows * cols, shape, random);
    w.matrix.scales = &w.scales;
  }
}

}  // namespace nolens::testing
