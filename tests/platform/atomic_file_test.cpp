#include "platform/atomic_file.h"

#include <csignal>
#include <string>
#include <unistd.h>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "formats/temporary_folder.h"

namespace nolens {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

TEST(AtomicFile, AppearsWithCommitOnly) {
  const TemporaryFolder folder;
  const auto target = folder.path() / "f";
  AtomicFile file(target);
  file.write("hello ");
  file.write("world");
  EXPECT_FALSE(std::filesystem::exists(target));
  file.commit();
  EXPECT_EQ(content_of(target), "hello world");
  EXPECT_THAT(folder.names(), ElementsAre("f"));
}

TEST(AtomicFile, KeepsTheOldFileWithoutCommit) {
  const TemporaryFolder folder;
  const auto target = folder.add("f", "old");
  {
    AtomicFile file(target);
    file.write("new");
  }
  EXPECT_EQ(content_of(target), "old");
  EXPECT_THAT(folder.names(), ElementsAre("f"));
}

TEST(AtomicFile, ReplacesTheOldFile) {
  const TemporaryFolder folder;
  write_file_atomically(folder.add("f", "a longer old file"), "new");
  EXPECT_EQ(content_of(folder.path() / "f"), "new");
}

TEST(AtomicFile, AcceptsANameWithoutFolder) {
  const TemporaryFolder folder;
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  write_file_atomically("plain", "x");
  std::filesystem::current_path(before);
  EXPECT_EQ(content_of(folder.path() / "plain"), "x");
}

TEST(AtomicFile, RefusesTargetsThatAreNoFile) {
  const TemporaryFolder folder;
  const auto refusal = [](const std::filesystem::path& target) {
    return error_of(ErrorCode::kUsage, [&] { AtomicFile{target}; });
  };
  EXPECT_THAT(refusal(folder.path() / "missing" / "f"), HasSubstr("No such file"));
  EXPECT_THAT(refusal(folder.path()), HasSubstr("no regular file"));
  EXPECT_THAT(refusal(folder.path() / ""), HasSubstr("no file name"));
  EXPECT_THAT(refusal("/dev/full"), HasSubstr("no regular file"));
  EXPECT_THAT(refusal(folder.add("f", "") / "g"), HasSubstr("is no folder"));
  EXPECT_THAT(folder.names(), ElementsAre("f"));
}

TEST(AtomicFile, ReportsAFullDiskAndKeepsTheOldFile) {
  const TemporaryFolder folder;
  const auto target = folder.add("f", "old");
  // A file-size limit fails in the same place as a full disk, and needs no special file system.
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{1000, before.rlim_max};
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string message = error_of(
      ErrorCode::kResource, [&] { write_file_atomically(target, std::string(2000, 'x')); });
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_THAT(message, HasSubstr("File too large; the previous file, if any, is unchanged"));
  EXPECT_EQ(content_of(target), "old");
  EXPECT_THAT(folder.names(), ElementsAre("f"));
}

TEST(AtomicFile, RemovesWhatAKilledWriterLeftButNotALivingOne) {
  const TemporaryFolder folder;
  const auto target = folder.path() / "f";
  const pid_t child = ::fork();
  if (child == 0) {
    AtomicFile file(target);
    file.write("half");
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  ASSERT_EQ(folder.names().size(), 1U);
  const std::string abandoned = folder.names().front();
  folder.add(".other.1-0.tmp", "belongs to another target");

  AtomicFile living(target);
  living.write("living");
  EXPECT_THAT(folder.names(), ::testing::Not(::testing::Contains(abandoned)));
  write_file_atomically(target, "second");
  EXPECT_EQ(content_of(target), "second");
  living.commit();
  EXPECT_EQ(content_of(target), "living");
  EXPECT_THAT(folder.names(), UnorderedElementsAre("f", ".other.1-0.tmp"));
}

TEST(AtomicFile, CannotBeUsedAfterCommit) {
  const TemporaryFolder folder;
  AtomicFile file(folder.path() / "f");
  file.commit();
  EXPECT_THAT(error_of(ErrorCode::kInternal, [&] { file.write("x"); }),
              HasSubstr("internal error"));
  EXPECT_THAT(error_of(ErrorCode::kInternal, [&] { file.commit(); }), HasSubstr("internal error"));
}

}  // namespace
}  // namespace nolens
