// Data for kernel tests: random numbers with fixed seeds, weights in every stored format at any
// alignment, and the parameter that runs one body over every table this machine can run.
#pragma once

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/float16.h"
#include "core/matrix.h"
#include "kernels/cpu/dispatch.h"

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
      out = append(out, dtype, random);
    }
  }
  [[nodiscard]] const WeightMatrix& view() const noexcept { return view_; }
  /// Value as a double; exact.
  [[nodiscard]] double at(std::int64_t row, std::int64_t col) const {
    const std::byte* data = view_.data + row * view_.bytes_per_row();
    switch (view_.dtype) {
      case DType::kF32: return static_cast<double>(read<float>(data + 4 * col));
      case DType::kF16: return static_cast<double>(to_float(read<F16>(data + 2 * col)));
      case DType::kBf16: return static_cast<double>(to_float(read<Bf16>(data + 2 * col)));
      case DType::kQ8_0: {
        const auto block = read<BlockQ8_0>(data + col / 32 * 34);
        return static_cast<double>(to_float(F16{block.d})) * block.qs[col % 32];
      }
    }
    return 0.0;
  }

 private:
  template <typename T>
  static T read(const std::byte* bytes) {
    T value;
    std::memcpy(&value, bytes, sizeof(T));
    return value;
  }
  template <typename T>
  static std::byte* write(std::byte* out, const T& value) {
    std::memcpy(out, &value, sizeof(T));
    return out + sizeof(T);
  }
  static std::byte* append(std::byte* out, DType dtype, Random& random) {
    switch (dtype) {
      case DType::kF32: return write(out, random.normal());
      case DType::kF16: return write(out, to_f16(random.normal()));
      case DType::kBf16: return write(out, to_bf16(random.normal()));
      case DType::kQ8_0: {
        BlockQ8_0 block{};
        block.d = to_f16(random.normal() * 0.01F).bits;
        for (std::int8_t& q : block.qs) {
          q = static_cast<std::int8_t>(random.integer(-128, 127));
        }
        return write(out, block);
      }
    }
    return out;
  }

  std::vector<std::byte> bytes_;
  WeightMatrix view_;
};

inline const DType kAllDTypes[] = {DType::kF32, DType::kF16, DType::kBf16, DType::kQ8_0};

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
