#include "platform/mapped_file.h"

#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "formats/temporary_folder.h"

namespace nolens {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

std::string map_refusal(const std::filesystem::path& path) {
  return model_error_of([&] { MappedFile(path, ErrorCode::kModel); });
}

TEST(MappedFile, ShowsTheBytesOfTheFile) {
  const TemporaryFolder folder;
  const MappedFile file(folder.add("f", "hello"), ErrorCode::kModel);
  EXPECT_EQ(text_of(file), "hello");
  EXPECT_EQ(file.path(), folder.path() / "f");
}

TEST(MappedFile, MapsAnEmptyFileToAnEmptySpan) {
  const TemporaryFolder folder;
  EXPECT_TRUE(MappedFile(folder.add("f", ""), ErrorCode::kModel).bytes().empty());
  EXPECT_TRUE(MappedFile().bytes().empty());
}

TEST(MappedFile, MovesItsBytes) {
  const TemporaryFolder folder;
  MappedFile first(folder.add("f", "first"), ErrorCode::kModel);
  MappedFile second(std::move(first));
  EXPECT_EQ(text_of(second), "first");
  MappedFile third(folder.add("g", "third"), ErrorCode::kModel);
  third = std::move(second);
  EXPECT_EQ(text_of(third), "first");
}

TEST(MappedFile, KeepsTheOldContentWhenTheFileIsReplaced) {
  const TemporaryFolder folder;
  const MappedFile file(folder.add("f", "old"), ErrorCode::kModel);
  std::filesystem::rename(folder.add("g", "new"), folder.path() / "f");
  EXPECT_EQ(text_of(file), "old");
}

TEST(MappedFile, NamesThePathAndTheReason) {
  const TemporaryFolder folder;
  EXPECT_THAT(map_refusal(folder.path() / "none\x1b"),
              AllOf(HasSubstr("none\\x1b"), HasSubstr("No such file")));
  EXPECT_THAT(map_refusal(folder.path()), HasSubstr("is a directory"));
  EXPECT_THAT(map_refusal("/dev/zero"), HasSubstr("no regular file"));
  EXPECT_THAT(map_refusal(folder.path() / std::string(5000, 'x')), HasSubstr("too long"));
  EXPECT_THAT(map_refusal(std::string("a\0b", 3)), HasSubstr("NUL"));
  std::filesystem::create_symlink("loop", folder.path() / "loop");
  EXPECT_THAT(map_refusal(folder.path() / "loop"), HasSubstr("symbolic links"));
  EXPECT_THAT(error_of(ErrorCode::kInput, [&] { MappedFile("/nothing", ErrorCode::kInput); }),
              HasSubstr("/nothing"));
}

TEST(MappedFile, DoesNotWaitForAFifo) {
  const TemporaryFolder folder;
  const auto fifo = folder.path() / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_THAT(map_refusal(fifo), HasSubstr("no regular file"));
}

TEST(ReadFile, ReadsUpToTheLimit) {
  const TemporaryFolder folder;
  const std::string content(10'000, 'x');
  const auto file = folder.add("f", content);
  EXPECT_EQ(read_file(file, 10'000, ErrorCode::kModel), content);
  EXPECT_THAT(model_error_of([&] { read_file(file, 9'999, ErrorCode::kModel); }),
              HasSubstr("at most 9999"));
  EXPECT_EQ(read_file(folder.add("e", ""), 0, ErrorCode::kModel), "");
  EXPECT_THAT(model_error_of([&] { read_file(folder.path(), 10, ErrorCode::kModel); }),
              HasSubstr("is a directory"));
}

TEST(ReadFile, RefusesAHugeFileWithoutReadingIt) {
  const TemporaryFolder folder;
  const auto file = folder.add("sparse", "");
  std::filesystem::resize_file(file, std::uintmax_t{1} << 40);
  EXPECT_THAT(model_error_of([&] { read_file(file, 1 << 20, ErrorCode::kModel); }),
              HasSubstr("at most 1048576"));
}

}  // namespace
}  // namespace nolens
