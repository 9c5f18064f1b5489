#include "decoder/kv_cache.h"

#include <cstring>
#include <random>

#include <gtest/gtest.h>

#include "nolens/error.h"

#include "kernels/kv_layout.h"

namespace nolens {
namespace {

constexpr std::int64_t kWindow = 16;

/// One sliding and one full layer with one head of 4 values.
TextConfig two_layers() {
  TextConfig config;
  config.num_attention_heads = 1;
  config.sliding_window = kWindow;
  config.layers = {{.type = LayerType::kSlidingAttention, .head_dim = 4, .num_key_value_heads = 1},
                   {.type = LayerType::kFullAttention, .head_dim = 4, .num_key_value_heads = 1}};
  return config;
}

/// Where the first value of a position's only head lies.
std::byte* key_at(const KvView& view, std::int64_t position) {
  const std::int64_t slot = position % view.capacity;
  return view.keys + slot / kKeyTile * key_tile_bytes(view.type, view.head_dim) +
         key_index(view.type, slot % kKeyTile, 0) * 4;
}
std::byte* value_at(const KvView& view, std::int64_t position) {
  const std::int64_t slot = position % view.capacity;
  return view.values + slot / kKeyTile * value_tile_bytes(view.type, view.head_dim) +
         value_index(view.type, view.head_dim, slot % kKeyTile, 0) * 4;
}

/// Writes rows that name their position, as a step would.
void store(KvCache& cache, std::int64_t rows) {
  cache.reserve(rows);
  for (std::size_t layer = 0; layer < 2; ++layer) {
    const KvView view = cache.view(layer);
    for (std::int64_t i = 0; i < rows; ++i) {
      const std::int64_t position = cache.end() + i;
      const auto name = static_cast<float>(position);
      std::memcpy(key_at(view, position), &name, sizeof(name));
      std::memcpy(value_at(view, position), &name, sizeof(name));
    }
  }
  cache.advance(rows);
}

bool holds(KvCache& cache, std::size_t layer, std::int64_t position) {
  const KvView view = cache.view(layer);
  float key = -1.0F;
  float value = -1.0F;
  std::memcpy(&key, key_at(view, position), sizeof(key));
  std::memcpy(&value, value_at(view, position), sizeof(value));
  return key == static_cast<float>(position) && value == key;
}

TEST(KvCache, KeepsTheWindowBeforeEveryStepOfAnySize) {
  std::mt19937 random(7);
  for (int run = 0; run < 50; ++run) {
    KvCache cache(two_layers(), KvType::kF32, 4000);
    while (cache.end() < 1500) {
      const std::int64_t rows =
          random() % 3 == 0 ? static_cast<std::int64_t>(random() % 200 + 1) : 1;
      const std::int64_t begin = cache.end();
      store(cache, rows);
      for (std::int64_t p = std::max<std::int64_t>(0, begin - kWindow + 1); p < cache.end(); ++p) {
        ASSERT_TRUE(holds(cache, 0, p)) << "position " << p << " of " << cache.end();
      }
      for (std::int64_t p = 0; p < cache.end(); ++p) {
        ASSERT_TRUE(holds(cache, 1, p)) << "position " << p << " of " << cache.end();
      }
    }
  }
}

TEST(KvCache, SlidingLayersStayAsSmallAsTheirWindow) {
  KvCache cache(two_layers(), KvType::kF32, 100'000);
  for (int i = 0; i < 5000; ++i) {
    store(cache, 1);
  }
  EXPECT_EQ(cache.view(0).capacity, kKeyTile);
  EXPECT_GE(cache.view(1).capacity, 5000);
}

TEST(KvCache, RewindIsAllowedExactlyWhileTheWindowIsHeld) {
  std::mt19937 random(11);
  for (int run = 0; run < 200; ++run) {
    KvCache cache(two_layers(), KvType::kF32, 4000);
    for (int i = 0; i < 20; ++i) {
      store(cache, static_cast<std::int64_t>(random() % 100 + 1));
      const auto target =
          static_cast<std::int64_t>(random() % static_cast<unsigned>(cache.end() + 1));
      bool all_held = true;
      for (std::int64_t p = std::max<std::int64_t>(0, target - kWindow + 1); p < target; ++p) {
        all_held = all_held && holds(cache, 0, p);
      }
      if (cache.can_rewind(target)) {
        ASSERT_TRUE(all_held) << "rewind to " << target << " of " << cache.end();
        cache.rewind(target);
        ASSERT_EQ(cache.end(), target);
      }
    }
    ASSERT_TRUE(cache.can_rewind(cache.end()));
    ASSERT_TRUE(cache.can_rewind(0));
  }
}

TEST(KvCache, TheLatestStepCanAlwaysBeRewoundInto) {
  std::mt19937 random(12);
  for (const KvType type : {KvType::kF32, KvType::kF16, KvType::kBf16, KvType::kInt8}) {
    KvCache cache(two_layers(), type, 4000);
    for (int i = 0; i < 400; ++i) {
      const auto rows = static_cast<std::int64_t>(random() % 9 + 1);
      const std::int64_t begin = cache.end();
      if (type == KvType::kF32) {
        store(cache, rows);
      } else {
        cache.reserve(rows);
        cache.advance(rows);
      }
      const auto kept = static_cast<std::int64_t>(random() % static_cast<unsigned>(rows + 1));
      ASSERT_TRUE(cache.can_rewind(begin + kept)) << kept << " of " << rows << " after " << begin;
      cache.rewind(begin + kept);
      for (std::int64_t p = std::max<std::int64_t>(0, cache.end() - kWindow + 1);
           type == KvType::kF32 && p < cache.end(); ++p) {
        ASSERT_TRUE(holds(cache, 0, p)) << "position " << p << " of " << cache.end();
      }
    }
    EXPECT_GT(cache.end(), 4 * cache.view(0).capacity) << "the ring must have wrapped";
  }
}

TEST(KvCache, RewindBeyondTheRingIsRefused) {
  KvCache cache(two_layers(), KvType::kF32, 4000);
  for (int i = 0; i < 1000; ++i) {
    store(cache, 1);
  }
  EXPECT_FALSE(cache.can_rewind(500));
  EXPECT_THROW(cache.rewind(500), Error);
}

TEST(KvCache, CloneIsIndependent) {
  KvCache cache(two_layers(), KvType::kF32, 4000);
  store(cache, 100);
  KvCache twin = cache.clone();
  cache.rewind(90);
  store(cache, 5);
  EXPECT_EQ(twin.end(), 100);
  EXPECT_TRUE(holds(twin, 0, 99));
  EXPECT_TRUE(holds(twin, 1, 3));
}

TEST(KvCache, SizeFormulaMatchesAFullCache) {
  const TextConfig config = two_layers();
  for (const KvType type : {KvType::kF32, KvType::kF16, KvType::kBf16, KvType::kInt8}) {
    KvCache cache(config, type, 1024);
    for (int i = 0; i < 2; ++i) {
      cache.reserve(512);
      cache.advance(512);
    }
    EXPECT_EQ(cache.bytes(), KvCache::bytes_at(config, type, 1024, 512));
  }
}

}  // namespace
}  // namespace nolens
