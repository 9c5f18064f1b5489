// Counts allocations: once its buffers have grown, a step allocates nothing.
#include <gtest/gtest.h>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/kernel_test_support.h"
#include "platform/thread_pool.h"
#include "support/allocation_count.h"

namespace nolens {
namespace {

class AllocationTest : public TableTest {};
NOLENS_FOR_EVERY_TABLE(AllocationTest);

TEST_P(AllocationTest, ARepeatedStepAllocatesNothing) {
  ThreadPool pool(3);
  const auto kernels = make_cpu_kernels(table(), pool, {});
  Random random(51);
  constexpr std::int64_t kRows = 20;
  constexpr std::int64_t kWidth = 512;
  std::vector<float> x = random.normals(kRows * kWidth);
  std::vector<float> y(x.size());
  std::vector<std::byte> keys(64 * 256 * 4);
  std::vector<std::byte> values(keys.size());
  const SequenceSlice slice{{KvType::kF32, keys.data(), values.data(), 64, 2, 128}, 0, kRows, 0};
  std::vector<std::int64_t> first(kRows, 0);
  std::vector<std::int64_t> last(kRows, kRows - 1);
  std::vector<StoredWeights> weights;
  for (const DType dtype : kAllDTypes) {
    weights.emplace_back(dtype, kWidth, kWidth, 0, random);
  }
  const auto step = [&](std::int64_t rows) {
    const ConstMatrix in{x.data(), rows, kWidth};
    const Matrix out{y.data(), rows, kWidth};
    for (const StoredWeights& w : weights) {
      kernels->linear(in, w.view(), {}, out);
    }
    kernels->rms_norm(in, {}, 1e-6F, out);
    kernels->gated_activation(in, in, Activation::kGeluTanh, out);
    SequenceSlice part = slice;
    part.row_count = rows;
    kernels->store_kv({x.data(), rows, 256, kWidth}, {x.data(), rows, 256, kWidth}, {&part, 1});
    AttentionArgs args;
    args.q = in;
    args.sequences = {&part, 1};
    args.first_visible = std::span(first).first(static_cast<std::size_t>(rows));
    args.last_visible = std::span(last).first(static_cast<std::size_t>(rows));
    args.num_attention_heads = 4;
    args.num_key_value_heads = 2;
    args.head_dim = 128;
    kernels->attention(args, out);
  };
  step(kRows);
  step(1);
  const long before = allocation_count();
  EXPECT_GT(before, 0);  // the counter counts
  step(1);
  step(kRows);
  EXPECT_EQ(allocation_count(), before);
}

}  // namespace
}  // namespace nolens
