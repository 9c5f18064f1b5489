// Caches, queries and visible ranges for tests of attention.
#pragma once

#include "kernels/cpu/cpu_backend.h"
#include "kernels/kernel_test_support.h"
#include "kernels/kv_layout.h"

namespace nolens {

inline constexpr KvType kAllTypes[] = {KvType::kF32, KvType::kF16, KvType::kBf16, KvType::kInt8};

struct Case {
  std::int64_t heads;
  std::int64_t kv_heads;
  std::int64_t head_dim;
  std::int64_t capacity;
  KvType type;
};

/// A cache with NaN in every slot that nothing was written to.
class Cache {
 public:
  explicit Cache(const Case& c) {
    const auto tiles = static_cast<std::size_t>(c.capacity / kKeyTile * c.kv_heads);
    const auto key_bytes = static_cast<std::size_t>(key_tile_bytes(c.type, c.head_dim));
    const auto value_bytes = static_cast<std::size_t>(value_tile_bytes(c.type, c.head_dim));
    keys_.resize(tiles * key_bytes, std::byte{0xFF});  // NaN as float, half, bfloat16 and scale
    values_.resize(tiles * value_bytes, std::byte{0xFF});
    view_ = {c.type, keys_.data(), values_.data(), c.capacity, c.kv_heads, c.head_dim};
  }
  [[nodiscard]] const KvView& view() const noexcept { return view_; }

 private:
  std::vector<std::byte> keys_;
  std::vector<std::byte> values_;
  KvView view_;
};

/// Queries and visible ranges of `rows` consecutive positions.
struct Step {
  std::vector<float> q;
  std::vector<std::int64_t> first;
  std::vector<std::int64_t> last;
};

inline Step random_step(const Case& c, std::int64_t rows, std::int64_t first_position,
                        Random& random) {
  Step step;
  step.q = random.normals(rows * c.heads * c.head_dim);
  for (std::int64_t t = 0; t < rows; ++t) {
    // Anything within the cache: windows, causal rows, blocks that see ahead.
    const std::int64_t oldest = std::max<std::int64_t>(0, first_position + rows - c.capacity);
    const std::int64_t newest = first_position + rows - 1;
    const std::int64_t a = random.integer(oldest, newest);
    const std::int64_t b = random.integer(oldest, newest);
    step.first.push_back(std::min(a, b));
    step.last.push_back(std::max(a, b));
  }
  return step;
}

inline std::vector<float> attend(Kernels& kernels, const Case& c, const Cache& cache,
                                 const Step& step, std::int64_t begin, std::int64_t end) {
  const std::int64_t width = c.heads * c.head_dim;
  const auto b = static_cast<std::size_t>(begin);
  const auto n = static_cast<std::size_t>(end - begin);
  std::vector<float> y(static_cast<std::size_t>((end - begin) * width), kNan);
  const SequenceSlice slice{cache.view(), 0, end - begin, begin};
  AttentionArgs args;
  args.q = {step.q.data() + begin * width, end - begin, width};
  args.sequences = {&slice, 1};
  args.first_visible = std::span(step.first).subspan(b, n);
  args.last_visible = std::span(step.last).subspan(b, n);
  args.num_attention_heads = c.heads;
  args.num_key_value_heads = c.kv_heads;
  args.head_dim = c.head_dim;
  args.scale = 0.37F / std::sqrt(static_cast<float>(c.head_dim));
  kernels.attention(args, {y.data(), end - begin, width});
  return y;
}

inline void fill(Kernels& kernels, const Case& c, const Cache& cache, std::int64_t first_position,
                 std::int64_t rows, Random& random) {
  const std::int64_t width = c.kv_heads * c.head_dim;
  std::vector<float> k = random.normals(rows * width);
  std::vector<float> v = random.normals(rows * width);
  const SequenceSlice slice{cache.view(), 0, rows, first_position};
  kernels.store_kv(ConstMatrix{k.data(), rows, width}, ConstMatrix{v.data(), rows, width},
                   {&slice, 1});
}

/// Whether a table rounds queries and weights, not only what it stores.
inline bool rounds_queries(const KernelTable& table, KvType type) {
  const std::string name = table.name;
  return (type == KvType::kBf16 && name == "avx512bf16") ||
         (type == KvType::kInt8 && (name == "avx512bf16" || name == "avx512vnni"));
}

}  // namespace nolens
