// Element by element: nothing here is optimized.
#include "kernels/reference/stored_head.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/float16.h"
#include "kernels/kv_layout.h"

namespace nolens {
namespace {

/// Where a head of a tile lies, and which of its elements are meant.
struct StoredHead {
  const KvView& kv;
  bool is_key;
  std::byte* tile;
  std::int64_t j;  ///< position within the tile

  StoredHead(const KvView& view, bool key, std::int64_t head, std::int64_t position)
      : kv(view), is_key(key), j(position % kKeyTile) {
    const std::int64_t index = position % kv.capacity / kKeyTile * kv.num_heads + head;
    tile = key ? kv.keys + index * key_tile_bytes(kv.type, kv.head_dim)
               : kv.values + index * value_tile_bytes(kv.type, kv.head_dim);
  }
  [[nodiscard]] std::byte* element(std::int64_t d) const {
    const std::int64_t index =
        is_key ? key_index(kv.type, j, d) : value_index(kv.type, kv.head_dim, j, d);
    return tile + index * kv_element_bytes(kv.type);
  }
  [[nodiscard]] std::byte* scale(std::int64_t d) const {
    const std::int64_t elements = kKeyTile * padded_head_dim(kv.head_dim);
    return tile + elements + 4 * (is_key ? d / kScaleGroup * kKeyTile + j : j);
  }
  /// Bytes of keys are stored plus 128.
  [[nodiscard]] int offset() const { return is_key ? 128 : 0; }
};

/// x times the Hadamard matrix divided by the square root of its size.
std::vector<double> rotated(const std::vector<double>& x, std::int64_t size) {
  std::vector<double> y(x.size(), 0.0);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t run = i / static_cast<std::size_t>(size) * static_cast<std::size_t>(size);
    for (std::size_t k = run; k < run + static_cast<std::size_t>(size); ++k) {
      bool negative = false;  // parity of the common bits
      for (std::size_t bits = (i - run) & (k - run); bits != 0; bits &= bits - 1) {
        negative = !negative;
      }
      y[i] += negative ? -x[k] : x[k];
    }
    y[i] /= std::sqrt(static_cast<double>(size));
  }
  return y;
}

double number_at(const StoredHead& head, std::int64_t d) {
  const std::byte* element = head.element(d);
  const auto read = [&]<typename T>(T value) {
    std::memcpy(&value, element, sizeof(T));
    return value;
  };
  switch (head.kv.type) {
    case KvType::kF32: return static_cast<double>(read(0.0F));
    case KvType::kF16: return static_cast<double>(to_float(read(F16{})));
    case KvType::kBf16: return static_cast<double>(to_float(read(Bf16{})));
    case KvType::kInt8: break;
  }
  float scale = 0.0F;
  std::memcpy(&scale, head.scale(d), sizeof(scale));
  const int q = head.is_key ? static_cast<int>(read(std::uint8_t{})) - 128
                            : static_cast<int>(read(std::int8_t{}));
  return static_cast<double>(q) * static_cast<double>(scale);
}

std::vector<double> stored(const StoredHead& head) {
  const std::int64_t dims =
      head.kv.type == KvType::kInt8 ? padded_head_dim(head.kv.head_dim) : head.kv.head_dim;
  std::vector<double> x;
  for (std::int64_t d = 0; d < dims; ++d) {
    x.push_back(number_at(head, d));
  }
  if (head.kv.type == KvType::kInt8) {
    // The cache holds x times the matrix of entries 1 and -1, sqrt(size) times the rotation.
    const std::int64_t size = rotation_size(head.kv.head_dim);
    x = rotated(x, size);
    for (double& value : x) {
      value /= std::sqrt(static_cast<double>(size));
    }
    x.resize(static_cast<std::size_t>(head.kv.head_dim));
  }
  return x;
}

void store_int8(const StoredHead& head, std::span<const float> x) {
  std::vector<double> values(x.begin(), x.end());
  values.resize(static_cast<std::size_t>(padded_head_dim(head.kv.head_dim)), 0.0);
  const std::int64_t size = rotation_size(head.kv.head_dim);
  values = rotated(values, size);
  const auto count = static_cast<std::int64_t>(values.size());
  const std::int64_t group = head.is_key ? kScaleGroup : count;
  for (std::int64_t begin = 0; begin < count; begin += group) {
    const std::int64_t end = std::min(count, begin + group);
    double peak = 0.0;
    for (std::int64_t d = begin; d < end; ++d) {
      values[static_cast<std::size_t>(d)] *= std::sqrt(static_cast<double>(size));
      peak = std::max(peak, std::abs(values[static_cast<std::size_t>(d)]));
    }
    const auto scale = static_cast<float>(peak / 127.0);
    std::memcpy(head.scale(begin), &scale, sizeof(scale));
    for (std::int64_t d = begin; d < end; ++d) {
      const double q =
          peak > 0.0 ? std::nearbyint(values[static_cast<std::size_t>(d)] / peak * 127.0) : 0.0;
      *head.element(d) = static_cast<std::byte>(static_cast<int>(q) + head.offset());
    }
  }
}

void store(const StoredHead& head, std::span<const float> x) {
  if (head.kv.type == KvType::kInt8) {
    return store_int8(head, x);
  }
  for (std::int64_t d = 0; d < padded_head_dim(head.kv.head_dim); ++d) {
    const float value = d < head.kv.head_dim ? x[static_cast<std::size_t>(d)] : 0.0F;
    const F16 half = to_f16(value);
    const Bf16 brain = to_bf16(value);
    switch (head.kv.type) {
      case KvType::kF32: std::memcpy(head.element(d), &value, 4); break;
      case KvType::kF16: std::memcpy(head.element(d), &half, 2); break;
      default: std::memcpy(head.element(d), &brain, 2); break;
    }
  }
}

}  // namespace

std::vector<double> stored_key(const KvView& kv, std::int64_t head, std::int64_t position) {
  return stored({kv, true, head, position});
}
std::vector<double> stored_value(const KvView& kv, std::int64_t head, std::int64_t position) {
  return stored({kv, false, head, position});
}
void store_key(const KvView& kv, std::int64_t head, std::int64_t position,
               std::span<const float> x) {
  store({kv, true, head, position}, x);
}
void store_value(const KvView& kv, std::int64_t head, std::int64_t position,
                 std::span<const float> x) {
  store({kv, false, head, position}, x);
}

}  // namespace nolens
