// Attention of the CPU backend, all tables: against the reference, and bit for bit against itself.
#include <gtest/gtest.h>

#include "kernels/attention_test_support.h"
#include "kernels/reference/reference_kernels.h"
#include "platform/thread_pool.h"

namespace nolens {
namespace {

class AttentionTest : public TableTest {};
NOLENS_FOR_EVERY_TABLE(AttentionTest);

std::vector<Case> cases() {
  std::vector<Case> cases;
  for (const KvType type : kAllTypes) {
    for (const std::int64_t head_dim : {8, 16, 24, 32, 64, 72, 128, 256, 512}) {
      cases.push_back({4, 2, head_dim, 256, type});
    }
    cases.push_back({16, 1, 64, 128, type});
    cases.push_back({3, 3, 40, 64, type});
  }
  return cases;
}

TEST_P(AttentionTest, MatchesTheReferenceForAnyVisibleRange) {
  Random random(31);
  ThreadPool pool(2);
  const auto kernels = make_cpu_kernels(table(), pool, {});
  const auto reference = make_reference_kernels();
  for (const Case& c : cases()) {
    for (const std::int64_t start : {std::int64_t{0}, c.capacity + 37}) {  // the second wraps
      const Cache cache(c);
      const std::int64_t rows = random.integer(1, std::min<std::int64_t>(c.capacity, 70));
      const std::int64_t oldest = std::max<std::int64_t>(0, start + rows - c.capacity);
      fill(*kernels, c, cache, oldest, start + rows - oldest, random);
      const Step step = random_step(c, rows, start, random);
      const std::vector<float> y = attend(*kernels, c, cache, step, 0, rows);
      const std::vector<float> expected = attend(*reference, c, cache, step, 0, rows);
      const float rounded = c.type == KvType::kBf16 ? 0.02F : 0.06F;
      const float tolerance = rounds_queries(table(), c.type) ? rounded : 5e-6F;
      for (std::size_t i = 0; i < y.size(); ++i) {
        // Weights sum to one, so the error is a few roundings of the largest value, about 4: of
        // floats, or of bfloat16 (2^-9) or int8 (1/254) queries and weights.
        ASSERT_NEAR(y[i], expected[i], tolerance)
            << "head_dim " << c.head_dim << " start " << start << " element " << i;
      }
    }
  }
}

TEST_P(AttentionTest, ChunksOfAPromptGiveTheSameBits) {
  Random random(32);
  ThreadPool pool(2);
  const auto kernels = make_cpu_kernels(table(), pool, {});
  for (const Case& c : cases()) {
    const Cache cache(c);
    const std::int64_t rows = std::min<std::int64_t>(c.capacity, 150);
    fill(*kernels, c, cache, 0, rows, random);
    const Step step = random_step(c, rows, 0, random);
    const std::vector<float> whole = attend(*kernels, c, cache, step, 0, rows);
    std::vector<float> parts;
    for (std::int64_t begin = 0; begin < rows;) {
      const std::int64_t end = std::min(rows, begin + random.integer(1, 9));
      const std::vector<float> part = attend(*kernels, c, cache, step, begin, end);
      parts.insert(parts.end(), part.begin(), part.end());
      begin = end;
    }
    ASSERT_TRUE(same_bits(whole, parts)) << "head_dim " << c.head_dim;
  }
}

TEST_P(AttentionTest, AnyNumberOfThreadsGivesTheSameBits) {
  Random random(33);
  for (const Case& c : {Case{16, 1, 64, 128, KvType::kF16}, Case{8, 4, 24, 192, KvType::kF32}}) {
    const Cache cache(c);
    std::vector<float> expected;
    std::vector<float> expected_row;
    Step step;
    for (const int threads : {1, 2, 3, 7}) {
      ThreadPool pool(threads);
      const auto kernels = make_cpu_kernels(table(), pool, {});
      if (threads == 1) {
        fill(*kernels, c, cache, 0, 100, random);
        step = random_step(c, 100, 0, random);
        expected = attend(*kernels, c, cache, step, 0, 100);
        expected_row = attend(*kernels, c, cache, step, 99, 100);
        continue;
      }
      EXPECT_TRUE(same_bits(attend(*kernels, c, cache, step, 0, 100), expected)) << threads;
      EXPECT_TRUE(same_bits(attend(*kernels, c, cache, step, 99, 100), expected_row)) << threads;
    }
  }
}

TEST_P(AttentionTest, TheSlotsOfARingDoNotMatter) {
  // The same keys at the same positions, in a ring that has wrapped and in a cache that has not.
  ThreadPool pool(1);
  const auto kernels = make_cpu_kernels(table(), pool, {});
  const Case small{4, 2, 32, 128, KvType::kF32};
  Case large = small;
  large.capacity = 1024;
  std::vector<std::vector<float>> results;
  for (const Case& c : {small, large}) {
    Random random(34);
    const Cache cache(c);
    fill(*kernels, c, cache, 0, 700, random);
    Step step;
    step.q = random.normals(c.heads * c.head_dim);
    step.first = {700 - 128};
    step.last = {699};
    results.push_back(attend(*kernels, c, cache, step, 0, 1));
  }
  EXPECT_TRUE(same_bits(results[0], results[1]));
}

TEST_P(AttentionTest, KeysOutsideTheRangeHaveNoEffectEvenIfTheyAreNan) {
  Random random(35);
  ThreadPool pool(1);
  const auto kernels = make_cpu_kernels(table(), pool, {});
  for (const KvType type : kAllTypes) {
    const Case c{4, 2, 24, 64, type};
    const Cache cache(c);
    fill(*kernels, c, cache, 10, 20, random);  // slots 10 … 29 hold numbers, the others NaN
    Step step;
    step.q = random.normals(2 * c.heads * c.head_dim);
    step.first = {10, 15};
    step.last = {29, 21};
    for (const float value : attend(*kernels, c, cache, step, 0, 2)) {
      EXPECT_TRUE(std::isfinite(value));
    }
    step.last = {29, 30};  // the second row sees one unwritten slot, the first does not
    const std::vector<float> y = attend(*kernels, c, cache, step, 0, 2);
    for (std::size_t i = 0; i < y.size(); ++i) {
      EXPECT_EQ(std::isnan(y[i]), i >= y.size() / 2);
    }
  }
}

TEST_P(AttentionTest, SoftmaxIsStableForHugeScoresAndIgnoresAShift) {
  ThreadPool pool(1);
  const auto kernels = make_cpu_kernels(table(), pool, {});
  const Case c{1, 1, 8, 64, KvType::kF32};
  const Cache cache(c);
  // Scores 1e6 + j (times the scale): only differences count.
  std::vector<float> k(8 * 8, 0.0F);
  std::vector<float> v(8 * 8, 0.0F);
  for (std::size_t j = 0; j < 8; ++j) {
    k[j * 8] = 1e6F;
    k[j * 8 + 1] = static_cast<float>(j);
    v[j * 8 + j] = 1.0F;
  }
  const SequenceSlice slice{cache.view(), 0, 8, 0};
  kernels->store_kv(ConstMatrix{k.data(), 8, 8}, ConstMatrix{v.data(), 8, 8}, {&slice, 1});
  Step step;
  step.q = {1.0F, 1.0F, 0, 0, 0, 0, 0, 0, 0.0F, 1.0F, 0, 0, 0, 0, 0, 0};
  step.first = {0, 0};
  step.last = {7, 7};
  const std::vector<float> y = attend(*kernels, c, cache, step, 0, 2);
  double sum = 0.0;
  for (std::size_t i = 0; i < 8; ++i) {
    sum += static_cast<double>(y[i]);
    EXPECT_NEAR(y[i], y[8 + i], 0.01F);  // 1e6 + j has 4 bits for fractions
  }
  EXPECT_NEAR(sum, 1.0, 1e-6);
}

TEST_P(AttentionTest, SequencesOfABatchDoNotSeeEachOther) {
  Random random(36);
  ThreadPool pool(3);
  const auto kernels = make_cpu_kernels(table(), pool, {});
  const Case c{4, 2, 32, 128, KvType::kF16};
  const std::int64_t width = c.heads * c.head_dim;
  const std::int64_t rows[] = {5, 1, 33};
  std::vector<Cache> fresh;
  for (int i = 0; i < 3; ++i) {
    fresh.emplace_back(c);
  }
  Step joined;
  std::vector<float> expected;
  std::vector<SequenceSlice> slices;
  std::int64_t first_row = 0;
  for (std::size_t s = 0; s < 3; ++s) {
    fill(*kernels, c, fresh[s], 0, rows[s], random);
    const Step step = random_step(c, rows[s], 0, random);
    const std::vector<float> alone = attend(*kernels, c, fresh[s], step, 0, rows[s]);
    expected.insert(expected.end(), alone.begin(), alone.end());
    joined.q.insert(joined.q.end(), step.q.begin(), step.q.end());
    joined.first.insert(joined.first.end(), step.first.begin(), step.first.end());
    joined.last.insert(joined.last.end(), step.last.begin(), step.last.end());
    slices.push_back({fresh[s].view(), first_row, rows[s], 0});
    first_row += rows[s];
  }
  std::vector<float> y(joined.q.size(), kNan);
  AttentionArgs args;
  args.q = {joined.q.data(), first_row, width};
  args.sequences = slices;
  args.first_visible = joined.first;
  args.last_visible = joined.last;
  args.num_attention_heads = c.heads;
  args.num_key_value_heads = c.kv_heads;
  args.head_dim = c.head_dim;
  args.scale = 0.37F / std::sqrt(static_cast<float>(c.head_dim));
  kernels->attention(args, {y.data(), first_row, width});
  EXPECT_TRUE(same_bits(y, expected));
}

TEST_P(AttentionTest, ARowThatSeesNothingIsZero) {
  Random random(37);
  ThreadPool pool(1);
  const auto kernels = make_cpu_kernels(table(), pool, {});
  const Case c{2, 1, 16, 64, KvType::kF32};
  const Cache cache(c);
  Step step;
  step.q = random.normals(c.heads * c.head_dim);
  step.first = {1};
  step.last = {0};
  for (const float value : attend(*kernels, c, cache, step, 0, 1)) {
    EXPECT_EQ(value, 0.0F);
  }
}

TEST_P(AttentionTest, WrongShapesAndRangesAreRefused) {
  Random random(38);
  ThreadPool pool(1);
  const auto kernels = make_cpu_kernels(table(), pool, {});
  const Case c{4, 2, 16, 64, KvType::kF32};
  const Cache cache(c);
  fill(*kernels, c, cache, 0, 64, random);
  Step step = random_step(c, 1, 63, random);
  step.first = {0};
  step.last = {64};  // 65 keys cannot be in 64 slots
  EXPECT_THROW(attend(*kernels, c, cache, step, 0, 1), Error);
  step.first = {-1};
  step.last = {5};
  EXPECT_THROW(attend(*kernels, c, cache, step, 0, 1), Error);
  step.first = {0};
  Case wrong = c;
  wrong.kv_heads = 3;
  EXPECT_THROW(attend(*kernels, wrong, cache, step, 0, 1), Error);
  Case odd = c;
  odd.capacity = 96;
  EXPECT_THROW(attend(*kernels, odd, Cache(odd), step, 0, 1), Error);
}

}  // namespace
}  // namespace nolens
