// Choice of the instruction set.
#include "kernels/cpu/dispatch.h"

#include <algorithm>
#include <cstdlib>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nolens/error.h"

#include "kernels/kernels.h"
#include "platform/thread_pool.h"

namespace nolens {
namespace {

/// Sets NOLENS_CPU for a scope.
class ForcedCpu {
 public:
  explicit ForcedCpu(const char* name) {
    if (const char* old = std::getenv("NOLENS_CPU")) {
      saved_ = old;
    }
    setenv("NOLENS_CPU", name, 1);
  }
  ~ForcedCpu() {
    if (saved_.empty()) {
      unsetenv("NOLENS_CPU");
    } else {
      setenv("NOLENS_CPU", saved_.c_str(), 1);
    }
  }
  ForcedCpu(const ForcedCpu&) = delete;
  ForcedCpu& operator=(const ForcedCpu&) = delete;

 private:
  std::string saved_;
};

TEST(Dispatch, TheScalarTableAlwaysRunsAndIsLast) {
  ASSERT_FALSE(runnable_instruction_sets().empty());
  EXPECT_EQ(runnable_instruction_sets().back(), "scalar");
}

TEST(Dispatch, WithoutAWishTheBestIsChosen) {
  const ForcedCpu forced("");
  EXPECT_EQ(choose_table().name, runnable_instruction_sets().front());
}

TEST(Dispatch, EveryRunnableNameCanBeForced) {
  for (const std::string_view name : runnable_instruction_sets()) {
    const ForcedCpu forced(std::string(name).c_str());
    ThreadPool pool(1);
    EXPECT_EQ(make_cpu_kernels(pool)->name(), name);
  }
}

TEST(Dispatch, AnUnknownNameIsAUsageErrorThatListsTheOthers) {
  for (const char* name : {"avx1024", "AVX2", "scalar ", "\x1b[31m"}) {
    const ForcedCpu forced(name);
    ThreadPool pool(1);
    try {
      make_cpu_kernels(pool);
      FAIL() << name << " was accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage);
      EXPECT_THAT(error.what(), testing::HasSubstr("scalar"));
      EXPECT_EQ(std::string(error.what()).find('\x1b'), std::string::npos);
    }
  }
}

TEST(Dispatch, ATableThisMachineCannotRunIsRefused) {
  const auto names = runnable_instruction_sets();
  for (const char* name : {"avx2", "avx2vnni", "avx512", "avx512vnni", "avx512bf16", "neon",
                           "neon-dotprod", "neon-i8mm"}) {
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      const ForcedCpu forced(name);
      EXPECT_THROW(static_cast<void>(choose_table()), Error) << name;
    }
  }
}

TEST(Dispatch, TablesAreComplete) {
  for (const KernelTable* table : runnable_tables()) {
    for (std::size_t dtype = 0; dtype < kDTypeCount; ++dtype) {
      EXPECT_NE(table->expand[dtype], nullptr) << table->name << " " << kDTypeTraits[dtype].name;
      EXPECT_NE(table->linear[dtype], nullptr) << table->name << " " << kDTypeTraits[dtype].name;
    }
    EXPECT_NE(table->attention[static_cast<std::size_t>(KvType::kF16)], nullptr) << table->name;
    // A table that multiplies rounded activations can round them.
    EXPECT_EQ(table->linear_bf16_rounded == nullptr, table->round_bf16 == nullptr) << table->name;
    EXPECT_EQ(table->linear_q8_0_int8 == nullptr, table->quantize_int8 == nullptr) << table->name;
  }
}

}  // namespace
}  // namespace nolens
