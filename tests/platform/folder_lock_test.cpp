#include "platform/folder_lock.h"

#include <csignal>
#include <optional>
#include <string>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "formats/temporary_folder.h"
#include "platform/list_folder.h"

namespace nolens {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

TEST(FolderLock, TheSecondIsToldWhoHasIt) {
  const TemporaryFolder folder;
  const FolderLock first(folder.path(), "a test");
  EXPECT_THAT(error_of(ErrorCode::kUsage, [&] { FolderLock(folder.path(), "another"); }),
              AllOf(HasSubstr("process " + std::to_string(::getpid())), HasSubstr("(a test)")));
}

TEST(FolderLock, GoesAwayWithoutATrace) {
  const TemporaryFolder folder;
  { const FolderLock lock(folder.path(), "a test"); }
  EXPECT_THAT(folder.names(), IsEmpty());
  const FolderLock again(folder.path(), "a test");
  EXPECT_THAT(again.abandoned_by(), IsEmpty());
}

TEST(FolderLock, OfAKilledProcessIsFreeAndSaysWhatItWasFor) {
  const TemporaryFolder folder;
  const pid_t child = ::fork();
  if (child == 0) {
    const FolderLock lock(folder.path(), "a doomed test");
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  const FolderLock lock(folder.path(), "short");
  EXPECT_EQ(lock.abandoned_by(), "a doomed test");
  EXPECT_THAT(error_of(ErrorCode::kUsage, [&] { FolderLock(folder.path(), "another"); }),
              HasSubstr("(short)"));
}

TEST(FolderLock, StaysWithItsHolderWhenAForkedProcessDropsIt) {
  const TemporaryFolder folder;
  std::optional<FolderLock> lock;
  lock.emplace(folder.path(), "a test");
  const pid_t child = ::fork();
  if (child == 0) {
    lock.reset();
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_THAT(error_of(ErrorCode::kUsage, [&] { FolderLock(folder.path(), "another"); }),
              HasSubstr("(a test)"));
}

TEST(FolderLock, SurvivesAnythingInItsFile) {
  for (const std::string& content : {std::string(), std::string("12"), std::string("x y\n"),
                                     std::string(5000, '7'), std::string(3, '\0')}) {
    const TemporaryFolder folder;
    folder.add(std::string(FolderLock::kFileName), content);
    const FolderLock lock(folder.path(), "a test");
    EXPECT_THAT(error_of(ErrorCode::kUsage, [&] { FolderLock(folder.path(), "another"); }),
                HasSubstr("process " + std::to_string(::getpid()) + " (a test)"));
  }
}

TEST(FolderLock, AFolderThatIsNotThereIsNamed) {
  const TemporaryFolder folder;
  EXPECT_THAT(error_of(ErrorCode::kUsage, [&] { FolderLock(folder.path() / "none", "a test"); }),
              AllOf(HasSubstr("none"), HasSubstr("No such file")));
}

TEST(ListFolder, NamesEverythingButItselfAndItsParent) {
  const TemporaryFolder folder;
  folder.add("a", "");
  folder.add(".b", "");
  int error = -1;
  EXPECT_THAT(list_folder(folder.path(), error), UnorderedElementsAre("a", ".b"));
  EXPECT_EQ(error, 0);
  EXPECT_THAT(list_folder(folder.path() / "none", error), IsEmpty());
  EXPECT_EQ(error, ENOENT);
}

}  // namespace
}  // namespace nolens
