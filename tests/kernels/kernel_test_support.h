// Data for kernel tests: random numbers with fixed seeds, weights in every stored format at any
// alignment, and the parameter that runs one body over every table this machine can run.
#pragma once

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/checked_math.h"
#include "core/float16.h"
#include "core/matrix.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/stored_rows.h"
#include "kernels/reference/weight_value.h"

namespace nolens {

inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
inline constexpr float kInfinity = std::numeric_limits<float>::infinity();
inline constexpr double kEps = 0x1p-24;  // as cpu_kernels.h defines it

class Random {
 public:
  explicit Random(std::uint32_t seed) : engine_(seed) {}
  float normal() { return normal_(engine_); }
  std::int64_t integer(std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(engine_);
  }
  std::vector<float> normals(std::int64_t count) {
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& value : values) {
      value = normal();
    }
    return values;
  }

 private:
  std::mt19937 engine_;
  std::normal_distribution<float> normal_;
};

/// Random weights [rows, cols] in a format, `misalignment` bytes off any alignment.
class StoredWeights {
 public:
  StoredWeights(DType dtype, std::int64_t rows, std::int64_t cols, std::int64_t misalignment,
                Random& random) {
    view_.dtype = dtype;
    view_.rows = rows;
    view_.cols = cols;
    // No byte more than the rows need, so that a sanitizer sees reads past the end.
    bytes_.resize(static_cast<std::size_t>(misalignment + view_.bytes()));
    view_.data = bytes_.data() + misalignment;
    std::byte* out = bytes_.data() + misalignment;
    for (std::int64_t i = 0; i < rows * cols; i += block_size(dtype)) {
      append(out, dtype, random);
      out += traits(dtype).bytes;
    }
    if (needs_scales(dtype)) {
      scales_ = make_scales(dtype, rows, cols, random);
      view_.scales = &scales_->scales;
    }
  }
  [[nodiscard]] const WeightMatrix& view() const noexcept { return view_; }
  /// Value as a double; exact.
  [[nodiscard]] double at(std::int64_t row, std::int64_t col) const {
    return static_cast<double>(weight_value(view_, row, col));
  }

 private:
  /// Scales and the bytes they point to, one byte off alignment.
  struct Scales {
    WeightScales scales;
    std::vector<unsigned char> inner;
    std::vector<unsigned char> outer;
  };

  template <typename T>
  static void write(std::byte* out, const T& value) {
    std::memcpy(out, &value, sizeof(T));
  }
  static void append(std::byte* out, DType dtype, Random& random) {
    switch (dtype) {
      case DType::kF32: return write(out, random.normal());
      case DType::kF16: return write(out, to_f16(random.normal()));
      case DType::kBf16: return write(out, to_bf16(random.normal()));
      default: break;
    }
    for (std::int64_t i = 0; i < traits(dtype).bytes; ++i) {
      out[i] = static_cast<std::byte>(random.integer(0, 255));
    }
    const BlockHalves halves = block_halves(dtype);
    for (std::int64_t i = 0; i < halves.count; ++i) {
      write(out + halves.offset + 2 * i, to_f16(random.normal() * 0.01F));
    }
  }
  static std::vector<unsigned char> misaligned(const std::vector<float>& values) {
    std::vector<unsigned char> bytes(4 * values.size() + 1);
    std::memcpy(bytes.data() + 1, values.data(), 4 * values.size());
    return bytes;
  }
  static std::unique_ptr<Scales> make_scales(DType dtype, std::int64_t rows, std::int64_t cols,
                                             Random& random) {
    auto made = std::make_unique<Scales>();
    WeightScales& s = made->scales;
    s.block_size = std::int64_t{32} << random.integer(0, 3);
    const std::int64_t count = dtype == DType::kInt8 ? rows : ceil_div(rows * cols, s.block_size);
    for (float& entry : s.codebook) {
      entry = random.normal();
    }
    s.value_dtype = static_cast<DType>(random.integer(0, 2));
    s.nested = dtype != DType::kInt8 && random.integer(0, 1) == 1;
    if (s.nested) {
      for (float& entry : s.nested_codebook) {
        entry = random.normal();
      }
      s.nested_block_size = 256;
      s.nested_offset = random.normal();
      made->inner.resize(static_cast<std::size_t>(count));
      for (unsigned char& code : made->inner) {
        code = static_cast<unsigned char>(random.integer(0, 255));
      }
      made->outer = misaligned(random.normals(ceil_div(count, s.nested_block_size)));
      s.absmax = made->inner.data();
      s.nested_absmax = made->outer.data() + 1;
    } else {
      made->inner = misaligned(random.normals(count));
      s.absmax = made->inner.data() + 1;
    }
    return made;
  }

  std::vector<std::byte> bytes_;
  std::unique_ptr<Scales> scales_;
  WeightMatrix view_;
};

inline const DType kAllDTypes[] = {DType::kF32,  DType::kF16,    DType::kBf16, DType::kQ8_0,
                                   DType::kQ4_0, DType::kQ4_1,   DType::kQ5_0, DType::kQ5_1,
                                   DType::kQ4_K, DType::kQ5_K,   DType::kQ6_K, DType::kNf4,
                                   DType::kFp4,  DType::kIQ4_NL, DType::kInt8};
static_assert(std::size(kAllDTypes) == kDTypeCount);

/// The next whole number of a format's storage units.
inline std::int64_t whole_units(DType dtype, std::int64_t values) {
  return round_up(values, block_size(dtype));
}

/// One body over all runnable tables, parameterized by name so that test names are stable.
class TableTest : public testing::TestWithParam<std::string> {
 protected:
  TableTest() {
    for (const KernelTable* candidate : runnable_tables()) {
      if (GetParam() == candidate->name) {
        table_ = candidate;
      }
    }
  }
  [[nodiscard]] const KernelTable& table() const { return *table_; }
  /// 1, 3, and lengths around one and two vectors.
  [[nodiscard]] std::vector<std::int64_t> lengths() const {
    const std::int64_t w = table_->lanes;
    std::vector<std::int64_t> lengths = {1, 3, w, w + 1, 2 * w + 1, 4 * w + 3, 1000};
    if (w > 1) {
      lengths.push_back(w - 1);
    }
    return lengths;
  }

 private:
  const KernelTable* table_ = nullptr;
};

inline std::vector<std::string> runnable_table_names() {
  std::vector<std::string> names;
  for (const KernelTable* table : runnable_tables()) {
    names.emplace_back(table->name);
  }
  return names;
}

inline std::string table_test_name(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  for (char& c : name) {
    c = c == '-' ? '_' : c;
  }
  return name;
}

#define NOLENS_FOR_EVERY_TABLE(Fixture)                                                \
  INSTANTIATE_TEST_SUITE_P(Tables, Fixture, testing::ValuesIn(runnable_table_names()), \
                           table_test_name)

/// Same bits; NaN equals NaN.
inline testing::AssertionResult same_bits(const std::vector<float>& a,
                                          const std::vector<float>& b) {
  if (a.size() != b.size()) {
    return testing::AssertionFailure() << "sizes " << a.size() << " and " << b.size();
  }
  for (std::size_t i = 0; i < a.size(); ++i) {
    const bool both_nan = std::isnan(a[i]) && std::isnan(b[i]);
    if (!both_nan && std::bit_cast<std::uint32_t>(a[i]) != std::bit_cast<std::uint32_t>(b[i])) {
      return testing::AssertionFailure() << "element " << i << ": " << a[i] << " and " << b[i];
    }
  }
  return testing::AssertionSuccess();
}

}  // namespace nolens
