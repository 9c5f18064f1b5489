// Attention over contexts of several segments, and what the cache's types keep of a value.
#include <gtest/gtest.h>

#include "kernels/attention_test_support.h"
#include "kernels/kv_layout.h"
#include "kernels/reference/reference_kernels.h"
#include "kernels/reference/stored_head.h"
#include "platform/thread_pool.h"

namespace nolens {
namespace {

class LongAttentionTest : public TableTest {};
NOLENS_FOR_EVERY_TABLE(LongAttentionTest);

/// Causal rows at the end of a context of `length` positions, the last `window` of which they see.
Step causal_step(const Case& c, std::int64_t rows, std::int64_t length, std::int64_t window,
                 Random& random) {
  Step step;
  step.q = random.normals(rows * c.heads * c.head_dim);
  for (std::int64_t p = length - rows; p < length; ++p) {
    step.first.push_back(std::max<std::int64_t>(0, p - window + 1));
    step.last.push_back(p);
  }
  return step;
}

TEST_P(LongAttentionTest, ManySegmentsMatchTheReference) {
  Random random(41);
  ThreadPool pool(3);
  const auto kernels = make_cpu_kernels(table(), pool, {});
  const auto reference = make_reference_kernels();
  for (const KvType type : kAllTypes) {
    const Case c{4, 1, 32, 3264, type};
    const Cache cache(c);
    fill(*kernels, c, cache, 0, 3210, random);
    for (const std::int64_t window : {5000, 1100}) {
      const Step step = causal_step(c, 3, 3210, window, random);
      const std::vector<float> y = attend(*kernels, c, cache, step, 0, 3);
      const std::vector<float> expected = attend(*reference, c, cache, step, 0, 3);
      const float tolerance = rounds_queries(table(), type) ? 0.01F : 5e-6F;
      for (std::size_t i = 0; i < y.size(); ++i) {
        ASSERT_NEAR(y[i], expected[i], tolerance) << "window " << window << " element " << i;
      }
    }
  }
}

TEST_P(LongAttentionTest, ThreadsAndNeighboursDoNotChangeALongRow) {
  // One row alone is computed segment by segment by several threads, forty rows item by item.
  for (const KvType type : kAllTypes) {
    Random random(42);
    const Case c{4, 1, 64, 4160, type};
    const Cache cache(c);
    std::vector<float> expected;
    for (const int threads : {1, 2, 5}) {
      ThreadPool pool(threads);
      const auto kernels = make_cpu_kernels(table(), pool, {});
      if (expected.empty()) {
        fill(*kernels, c, cache, 0, 4100, random);
      }
      Random queries(43);
      const Step step = causal_step(c, 40, 4100, 1 << 20, queries);
      std::vector<float> rows = attend(*kernels, c, cache, step, 0, 40);
      for (std::int64_t t = 0; t < 40; t += 13) {
        const std::vector<float> alone = attend(*kernels, c, cache, step, t, t + 1);
        const auto begin = rows.begin() + t * c.heads * c.head_dim;
        EXPECT_TRUE(same_bits(alone, {begin, begin + c.heads * c.head_dim})) << threads;
      }
      if (expected.empty()) {
        expected = rows;
      }
      EXPECT_TRUE(same_bits(rows, expected)) << threads;
    }
  }
}

TEST_P(LongAttentionTest, ARingKeepsAWindowOverItsSeam) {
  // The same window, in a ring that has wrapped several times and in a cache that never does.
  for (const KvType type : kAllTypes) {
    std::vector<std::vector<float>> results;
    for (const std::int64_t capacity : {1216, 4096}) {
      Random random(44);
      ThreadPool pool(2);
      const auto kernels = make_cpu_kernels(table(), pool, {});
      const Case c{4, 2, 48, capacity, type};
      const Cache cache(c);
      for (std::int64_t p = 0; p < 3900; p += 100) {
        fill(*kernels, c, cache, p, 100, random);
      }
      const Step step = causal_step(c, 100, 3900, 1024, random);
      results.push_back(attend(*kernels, c, cache, step, 0, 100));
    }
    EXPECT_TRUE(same_bits(results[0], results[1]));
  }
}

TEST_P(LongAttentionTest, StoredHeadsAreWithinTheirTypesRounding) {
  Random random(45);
  ThreadPool pool(1);
  const auto kernels = make_cpu_kernels(table(), pool, {});
  for (const KvType type : kAllTypes) {
    for (const std::int64_t head_dim : {8, 24, 72, 96, 256, 512}) {
      const Case c{2, 2, head_dim, 64, type};
      const Cache cache(c);
      const std::int64_t width = 2 * head_dim;
      std::vector<float> x = random.normals(width);
      x[3] = 40.0F;  // one large dimension, as keys have
      const SequenceSlice slice{cache.view(), 0, 1, 77};
      kernels->store_kv({x.data(), 1, width}, {x.data(), 1, width}, {&slice, 1});
      for (std::int64_t head = 0; head < 2; ++head) {
        const std::vector<double> key = stored_key(cache.view(), head, 77);
        const std::vector<double> value = stored_value(cache.view(), head, 77);
        for (std::int64_t d = 0; d < head_dim; ++d) {
          const auto exact = static_cast<double>(x[static_cast<std::size_t>(head * head_dim + d)]);
          double bound = type == KvType::kF32 ? 0.0 : std::abs(exact) * 0x1p-11;
          bound = type == KvType::kBf16 ? std::abs(exact) * 0x1p-8 : bound;
          bound = type == KvType::kInt8 ? 0.4 : bound;  // half a step is 40 / 254 before rotation
          EXPECT_LE(std::abs(key[static_cast<std::size_t>(d)] - exact), bound);
          EXPECT_LE(std::abs(value[static_cast<std::size_t>(d)] - exact), bound);
        }
      }
    }
  }
}

TEST_P(LongAttentionTest, AnInt8HeadWithNanIsNanAsAWhole) {
  ThreadPool pool(1);
  const auto kernels = make_cpu_kernels(table(), pool, {});
  const Case c{1, 1, 32, 64, KvType::kInt8};
  for (const bool in_key : {true, false}) {
    const Cache cache(c);
    std::vector<float> k(32, 1.0F);
    std::vector<float> v(32, 1.0F);
    (in_key ? k : v)[5] = kNan;
    const SequenceSlice slice{cache.view(), 0, 1, 0};
    kernels->store_kv({k.data(), 1, 32}, {v.data(), 1, 32}, {&slice, 1});
    Step step;
    step.q.assign(32, 0.5F);
    step.first = {0};
    step.last = {0};
    for (const float value : attend(*kernels, c, cache, step, 0, 1)) {
      EXPECT_TRUE(std::isnan(value));
    }
  }
}

}  // namespace
}  // namespace nolens
