#include "platform/child_process.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "formats/temporary_folder.h"

namespace nolens {
namespace {

using ::testing::HasSubstr;
using How = ChildExit::How;

Deadline in(std::chrono::milliseconds time) {
  return std::chrono::steady_clock::now() + time;
}
const std::chrono::minutes kLong{1};

/// A shell command whose output is the pipe.
struct Shell {
  Pipe output = make_pipe();
  ChildProcess child;

  explicit Shell(const std::string& script, std::vector<std::string> environment = {})
      : child(ChildCommand{
            "/bin/sh", {"-c", script}, std::move(environment), {{output.write_end.number(), 1}}}) {
    output.write_end.reset();
  }
  std::string read_all() {
    std::string text;
    std::vector<std::byte> buffer(1000);
    while (true) {
      const ReadResult got = read_until(output.read_end.number(), buffer, in(kLong));
      if (got.outcome != ReadOutcome::kData) {
        return text;
      }
      text.append(reinterpret_cast<const char*>(buffer.data()), got.bytes);
    }
  }
};

TEST(ChildProcess, PassesArgumentsAndEnvironmentAndNothingElse) {
  Shell shell("printf '%s|%s|' \"$A\" \"$HOME\"; cat", {"A=1 2"});
  EXPECT_EQ(shell.read_all(), "1 2||");  // cat reads /dev/null
  const auto exit = shell.child.wait(in(kLong));
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->how, How::kExited);
  EXPECT_EQ(exit->value, 0);
}

TEST(ChildProcess, ReportsExitCodesAndSignals) {
  Shell code("exit 7");
  EXPECT_EQ(code.child.wait(in(kLong))->value, 7);
  EXPECT_EQ(code.child.wait(in(kLong))->value, 7) << "asking again gives the same";
  Shell signal("kill -TERM $$");
  const auto exit = signal.child.wait(in(kLong));
  EXPECT_EQ(exit->how, How::kSignal);
  EXPECT_EQ(exit->value, SIGTERM);
}

TEST(ChildProcess, LeavesADeadlineToTheCaller) {
  Shell shell("sleep 1000");
  EXPECT_FALSE(shell.child.wait(in(std::chrono::milliseconds(30))).has_value());
  std::byte byte{};
  const ReadResult got =
      read_until(shell.output.read_end.number(), {&byte, 1}, in(std::chrono::milliseconds(30)));
  EXPECT_EQ(got.outcome, ReadOutcome::kDeadline);
  const ChildExit exit = shell.child.kill();
  EXPECT_EQ(exit.how, How::kSignal);
  EXPECT_EQ(exit.value, SIGKILL);
}

TEST(ChildProcess, IsGoneWithItsObject) {
  int pid = 0;
  {
    const Shell shell("sleep 1000");
    pid = shell.child.pid();
    EXPECT_EQ(::kill(pid, 0), 0);
  }
  EXPECT_EQ(::kill(pid, 0), -1);  // not even a zombie
}

TEST(ChildProcess, NamesAProgramThatCannotBeStarted) {
  const TemporaryFolder folder;
  const auto start = [](const std::filesystem::path& program) {
    return error_of(ErrorCode::kResource, [&] { ChildProcess{ChildCommand{program, {}, {}, {}}}; });
  };
  EXPECT_THAT(start(folder.path() / "missing"), HasSubstr("missing': No such file"));
  EXPECT_THAT(start(folder.add("plain", "text")), HasSubstr("plain': Permission denied"));
  EXPECT_THAT(start(folder.path()), HasSubstr("Permission denied"));
}

TEST(ChildProcess, InheritsNoDescriptorThatIsNotGiven) {
  // Open without close-on-exec, at numbers low and high.
  const Descriptor low(::open("/dev/null", O_RDONLY));
  const Descriptor high(::fcntl(low.number(), F_DUPFD, 200));
  ASSERT_GE(high.number(), 200);
  Shell shell("ls /proc/self/fd");
  const std::string list = shell.read_all();
  EXPECT_EQ(std::count(list.begin(), list.end(), '\n'), 4) << list;  // 0, 1, 2 and ls's folder
}

TEST(ChildProcess, GivesDescriptorsTheirNumbersEvenCrosswise) {
  const std::string_view words[] = {"zero", "one"};
  const Descriptor first = sealed_memory(std::as_bytes(std::span(words[0])));
  const Descriptor second = sealed_memory(std::as_bytes(std::span(words[1])));
  Pipe output = make_pipe();
  ChildCommand command{"/bin/sh", {"-c", "cat <&4; cat <&3"}, {}, {}};
  command.descriptors = {{output.write_end.number(), 1}, {first.number(), 3}, {second.number(), 4}};
  ChildProcess child(command);
  output.write_end.reset();
  std::vector<std::byte> buffer(100);
  std::string text;
  while (true) {
    const ReadResult got = read_until(output.read_end.number(), buffer, in(kLong));
    if (got.outcome != ReadOutcome::kData) {
      break;
    }
    text.append(reinterpret_cast<const char*>(buffer.data()), got.bytes);
  }
  EXPECT_EQ(text, "onezero");
}

TEST(ChildProcess, HasItsOwnSessionAndNoBlockedOrIgnoredSignal) {
  sigset_t blocked;
  sigset_t before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, &blocked, &before), 0);
  const auto old_handler = std::signal(SIGPIPE, SIG_IGN);
  Shell shell("exec cat /proc/self/status /proc/self/stat");
  const std::string status = shell.read_all();
  std::signal(SIGPIPE, old_handler);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  EXPECT_THAT(status, HasSubstr("SigBlk:\t0000000000000000"));
  const std::size_t ignored = status.find("SigIgn:\t");
  ASSERT_NE(ignored, std::string::npos);
  // Signals 1 to 28; glibc keeps its own two, 32 and 33, ignored.
  EXPECT_EQ(status.substr(ignored + 8 + 9, 7), "0000000");
  const std::string pid = std::to_string(shell.child.pid());
  EXPECT_THAT(status, HasSubstr(pid + " " + pid + " 0")) << "group and session are its own";
}

TEST(ChildProcess, WorksWhereChildrenAreReapedBySomebodyElse) {
  const auto old_handler = std::signal(SIGCHLD, SIG_IGN);
  Shell shell("exit 3");
  const auto exit = shell.child.wait(in(kLong));
  std::signal(SIGCHLD, old_handler);
  ASSERT_TRUE(exit.has_value());
  EXPECT_EQ(exit->how, How::kUnknown);
}

TEST(ChildProcess, RunsFromManyThreadsAtOnce) {
  std::vector<std::thread> threads;
  std::vector<std::string> texts(4);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    threads.emplace_back([&texts, i] {
      for (int round = 0; round < 5; ++round) {
        Shell shell("echo " + std::to_string(i));
        texts[i] += shell.read_all();
        shell.child.wait(in(kLong));
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  for (std::size_t i = 0; i < texts.size(); ++i) {
    std::string expected;
    for (int round = 0; round < 5; ++round) {
      expected += std::to_string(i) + "\n";
    }
    EXPECT_EQ(texts[i], expected);
  }
}

TEST(SealedMemory, CanBeReadButNeitherWrittenNorResized) {
  const std::string content(100'000, 'x');
  const Descriptor memory = sealed_memory(std::as_bytes(std::span(content)));
  std::string read(content.size(), '\0');
  EXPECT_EQ(::pread(memory.number(), read.data(), read.size(), 0), 100'000);
  EXPECT_EQ(read, content);
  EXPECT_EQ(::pwrite(memory.number(), "y", 1, 0), -1);
  EXPECT_EQ(::ftruncate(memory.number(), 10), -1);
  EXPECT_NE(::fcntl(memory.number(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST(Descriptor, ClosesOnceAndMoves) {
  Pipe pipe = make_pipe();
  const int number = pipe.read_end.number();
  {
    const Descriptor moved = std::move(pipe.read_end);
    EXPECT_EQ(moved.number(), number);
    EXPECT_EQ(pipe.read_end.number(), -1);  // NOLINT: that is what is tested
  }
  EXPECT_EQ(::fcntl(number, F_GETFD), -1);
}

}  // namespace
}  // namespace nolens
