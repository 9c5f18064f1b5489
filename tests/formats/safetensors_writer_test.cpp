#include "formats/safetensors_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/safetensors_bytes.h"
#include "formats/temporary_folder.h"
#include "formats/tensor_store.h"

namespace nolens {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(SafetensorsWriter, WritesWhatTheReaderReads) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "m.safetensors";
  SafetensorsWriter writer(file,
                           {{"b", DType::kF32, {2}},
                            {"a", DType::kBf16, {3, 1}},
                            {"scalar", DType::kF16, {}},
                            {"empty", DType::kF32, {0, 4}}},
                           {{"format", "pt"}, {"step", "7"}});
  writer.append(as_byte_span("0123"));
  writer.append(as_byte_span("4567"));
  writer.append(as_byte_span("abcdefXY"));
  EXPECT_FALSE(std::filesystem::exists(file));
  writer.commit();

  const TensorStore store = TensorStore::open_file(file);
  ASSERT_EQ(store.tensors().size(), 4U);
  EXPECT_EQ(store.find("b")->shape, (std::vector<std::int64_t>{2}));
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(store.find("b")->data), 8), "01234567");
  EXPECT_EQ(store.find("a")->dtype, DType::kBf16);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(store.find("a")->data), 6), "abcdef");
  EXPECT_EQ(store.find("scalar")->bytes, 2);
  EXPECT_EQ(store.find("empty")->bytes, 0);
  EXPECT_THAT(content_of(file), HasSubstr(R"("__metadata__":{"format":"pt","step":"7"})"));
}

TEST(SafetensorsWriter, AlignsTheDataToACacheLine) {
  const TemporaryFolder folder;
  for (std::size_t length = 1; length < 70; ++length) {
    const auto file = folder.path() / "m.safetensors";
    SafetensorsWriter writer(file, {{std::string(length, 'n'), DType::kF32, {1}}});
    writer.append(as_byte_span("0123"));
    writer.commit();
    EXPECT_EQ((content_of(file).size() - 4) % 64, 0U) << length;
    EXPECT_NO_THROW(TensorStore::open_file(file));
  }
}

TEST(SafetensorsWriter, LeavesNothingWithoutCommit) {
  const TemporaryFolder folder;
  folder.add("m.safetensors", "old");
  {
    SafetensorsWriter writer(folder.path() / "m.safetensors", {{"a", DType::kF32, {1}}});
    writer.append(as_byte_span("0123"));
  }
  EXPECT_THAT(folder.names(), ElementsAre("m.safetensors"));
  EXPECT_EQ(content_of(folder.path() / "m.safetensors"), "old");
}

TEST(SafetensorsWriter, CountsTheBytes) {
  const TemporaryFolder folder;
  SafetensorsWriter writer(folder.path() / "m.safetensors", {{"a", DType::kF32, {1}}});
  EXPECT_THAT(error_of(ErrorCode::kInternal, [&] { writer.commit(); }),
              HasSubstr("internal error"));
  EXPECT_THAT(error_of(ErrorCode::kInternal, [&] { writer.append(as_byte_span("01234")); }),
              HasSubstr("internal error"));
}

TEST(SafetensorsWriter, RefusesSpecsThatCannotBeWritten) {
  const TemporaryFolder folder;
  const auto refusal = [&](std::vector<TensorSpec> specs) {
    return error_of(ErrorCode::kUsage,
                    [&] { SafetensorsWriter(folder.path() / "m.safetensors", std::move(specs)); });
  };
  EXPECT_THAT(refusal({{"a", DType::kF32, {1}}, {"a", DType::kF32, {1}}}),
              HasSubstr("unique name"));
  EXPECT_THAT(refusal({{"", DType::kF32, {1}}}), HasSubstr("unique name"));
  EXPECT_THAT(refusal({{"a", DType::kQ8_0, {32}}}), HasSubstr("no Q8_0"));
  EXPECT_THAT(refusal({{"a", DType::kF32, {-1}}}), HasSubstr("negative"));
  EXPECT_THAT(refusal({{"a", DType::kF32, {std::int64_t{1} << 40, std::int64_t{1} << 40}}}),
              HasSubstr("does not fit"));
  EXPECT_THAT(folder.names(), IsEmpty());
}

TEST(SafetensorsWriter, SaysBeforehandThatTheDiskIsTooSmall) {
  const TemporaryFolder folder;
  EXPECT_THAT(error_of(ErrorCode::kResource,
                       [&] {
                         SafetensorsWriter(folder.path() / "m.safetensors",
                                           {{"a", DType::kF32, {std::int64_t{1} << 58}}});
                       }),
              HasSubstr("are free there"));
  EXPECT_THAT(folder.names(), IsEmpty());
}

}  // namespace
}  // namespace nolens
