// posix_spawn, poll, waitpid. glibc's posix_spawn does not copy the address space and is safe while
// other threads run; fork() is not.
#include "platform/child_process.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <thread>
#include <unistd.h>

#include <sys/syscall.h>
#include <sys/wait.h>

#include "nolens/error.h"

#include "platform/quoted_path.h"

namespace nolens {
namespace {

/// Sources are moved above the targets, so that no dup2 overwrites one that is still needed.
constexpr int kFirstFree = 16;

class SpawnActions {
 public:
  SpawnActions() { check(::posix_spawn_file_actions_init(&actions_)); }
  ~SpawnActions() { ::posix_spawn_file_actions_destroy(&actions_); }
  SpawnActions(const SpawnActions&) = delete;
  SpawnActions& operator=(const SpawnActions&) = delete;

  void add(const ChildCommand& command) {
    std::array<bool, kFirstFree> taken{};
    for (const auto& [source, target] : command.descriptors) {
      Descriptor& moved = moved_.emplace_back(::fcntl(source, F_DUPFD_CLOEXEC, kFirstFree));
      if (moved.number() < 0 || target < 0 || target >= kFirstFree) {
        throw Error(ErrorCode::kResource, "cannot pass a descriptor to a child process");
      }
      taken[static_cast<std::size_t>(target)] = true;
      check(::posix_spawn_file_actions_adddup2(&actions_, moved.number(), target));
    }
    for (int standard = 0; standard < 3; ++standard) {
      if (!taken[static_cast<std::size_t>(standard)]) {
        check(::posix_spawn_file_actions_addopen(&actions_, standard, "/dev/null", O_RDWR, 0));
      }
    }
    for (int number = 3; number < kFirstFree; ++number) {
      if (!taken[static_cast<std::size_t>(number)]) {
        check(::posix_spawn_file_actions_addclose(&actions_, number));
      }
    }
    check(::posix_spawn_file_actions_addclosefrom_np(&actions_, kFirstFree));
  }
  [[nodiscard]] const posix_spawn_file_actions_t* get() const noexcept { return &actions_; }

 private:
  static void check(int error) {
    if (error != 0) {
      throw Error(ErrorCode::kResource, "cannot prepare a child process: " + errno_text(error));
    }
  }

  posix_spawn_file_actions_t actions_{};
  std::vector<Descriptor> moved_;
};

/// Own session, all signals as the system has them at first.
class SpawnAttributes {
 public:
  SpawnAttributes() {
    ::posix_spawnattr_init(&attributes_);
    sigset_t none;
    sigset_t all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
    ::posix_spawnattr_setflags(&attributes_,
                               POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
  }
  ~SpawnAttributes() { ::posix_spawnattr_destroy(&attributes_); }
  SpawnAttributes(const SpawnAttributes&) = delete;
  SpawnAttributes& operator=(const SpawnAttributes&) = delete;
  [[nodiscard]] const posix_spawnattr_t* get() const noexcept { return &attributes_; }

 private:
  posix_spawnattr_t attributes_{};
};

/// Pointers into `texts`, which posix_spawn takes as non-const but does not change.
std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  for (std::string& text : texts) {
    result.push_back(text.data());
  }
  result.push_back(nullptr);
  return result;
}

/// For poll(): rounded up, at most an hour (callers loop).
int milliseconds_until(Deadline deadline) {
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000));
}

/// True if the descriptor has something to say before the deadline.
bool wait_readable(int descriptor, Deadline deadline) {
  while (true) {
    const int left = milliseconds_until(deadline);
    pollfd entry{descriptor, POLLIN, 0};
    const int ready = ::poll(&entry, 1, left);
    if (ready > 0) {
      return true;
    }
    if (ready < 0 && errno != EINTR && errno != EAGAIN) {
      throw Error(ErrorCode::kInternal, "internal error: poll failed: " + errno_text(errno));
    }
    if (std::chrono::steady_clock::now() >= deadline) {
      return false;
    }
  }
}

}  // namespace

ChildProcess::ChildProcess(const ChildCommand& command) {
  SpawnActions actions;
  actions.add(command);
  const SpawnAttributes attributes;
  std::vector<std::string> words{command.program.native()};
  words.insert(words.end(), command.arguments.begin(), command.arguments.end());
  std::vector<std::string> environment = command.environment;
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, command.program.c_str(), actions.get(), attributes.get(),
                                  pointers(words).data(), pointers(environment).data());
  if (error != 0) {
    throw Error(ErrorCode::kResource,
                "cannot start " + quoted_path(command.program) + ": " + errno_text(error));
  }
  pid_ = pid;
  // The raw call: glibc has a function for it only since 2.36.
  handle_ = Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
}

ChildProcess::~ChildProcess() {
  if (!exit_) {
    kill();
  }
}

bool ChildProcess::collect(int options) {
  int status = 0;
  pid_t got = 0;
  do {
    got = ::waitpid(pid_, &status, options);
  } while (got < 0 && errno == EINTR);
  if (got == 0) {
    return false;
  }
  if (got < 0) {
    exit_ = ChildExit{ChildExit::How::kUnknown, 0};
  } else if (WIFSIGNALED(status)) {
    exit_ = ChildExit{ChildExit::How::kSignal, WTERMSIG(status)};
  } else {
    exit_ = ChildExit{ChildExit::How::kExited, WEXITSTATUS(status)};
  }
  return true;
}

std::optional<ChildExit> ChildProcess::wait(Deadline deadline) {
  if (exit_) {
    return exit_;
  }
  if (handle_.number() >= 0) {
    if (!wait_readable(handle_.number(), deadline)) {
      return std::nullopt;
    }
    collect(0);
    return exit_;
  }
  while (!collect(WNOHANG)) {
    if (std::chrono::steady_clock::now() >= deadline) {
      return std::nullopt;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return exit_;
}

ChildExit ChildProcess::kill() {
  if (!exit_) {
    // Through the pidfd no other process is hit, even if the system has already removed the child.
    if (handle_.number() < 0 ||
        ::syscall(SYS_pidfd_send_signal, handle_.number(), SIGKILL, nullptr, 0) != 0) {
      ::kill(pid_, SIGKILL);
    }
    collect(0);
  }
  return *exit_;
}

ReadResult read_until(int descriptor, std::span<std::byte> buffer, Deadline deadline) {
  while (true) {
    if (!wait_readable(descriptor, deadline)) {
      return {ReadOutcome::kDeadline, 0};
    }
    const ssize_t got = ::read(descriptor, buffer.data(), buffer.size());
    if (got > 0) {
      return {ReadOutcome::kData, static_cast<std::size_t>(got)};
    }
    if (got == 0) {
      return {ReadOutcome::kEnd, 0};
    }
    if (errno != EINTR && errno != EAGAIN) {
      throw Error(ErrorCode::kInternal,
                  "internal error: cannot read from a child process: " + errno_text(errno));
    }
  }
}

}  // namespace nolens
