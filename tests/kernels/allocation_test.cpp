// Counts allocations: once its buffers have grown, a step allocates nothing.
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

#include <gtest/gtest.h>

#include "kernels/cpu/cpu_backend.h"
#include "kernels/kernel_test_support.h"
#include "platform/thread_pool.h"

namespace {

std::atomic<long> allocations{0};

void* counted(std::size_t size, std::size_t alignment) noexcept {
  ++allocations;
  void* memory = nullptr;
  const int failed =
      posix_memalign(&memory, std::max(alignment, sizeof(void*)), std::max<std::size_t>(size, 1));
  return failed == 0 ? memory : nullptr;
}

void* counted_or_throw(std::size_t size, std::size_t alignment) {
  void* memory = counted(size, alignment);
  if (memory == nullptr) {
    throw std::bad_alloc();
  }
  return memory;
}

constexpr std::size_t kDefaultAlignment = alignof(std::max_align_t);

}  // namespace

// Replacements for the whole test program; the array forms call these. Where only one of a pair is
// inlined, GCC takes them for a mismatch: so none is.
[[gnu::noinline]] void* operator new(std::size_t size) {
  return counted_or_throw(size, kDefaultAlignment);
}
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t alignment) {
  return counted_or_throw(size, static_cast<std::size_t>(alignment));
}
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return counted(size, kDefaultAlignment);
}
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t alignment,
                                     const std::nothrow_t&) noexcept {
  return counted(size, static_cast<std::size_t>(alignment));
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}

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
  const SequenceSlice slice{{KvType::kF32, keys.data(), values.data(), 64}, 0, kRows, 0};
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
  const long before = allocations.load();
  EXPECT_GT(before, 0);  // the counter counts
  step(1);
  step(kRows);
  EXPECT_EQ(allocations.load(), before);
}

}  // namespace
}  // namespace nolens
