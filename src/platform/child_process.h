// Starts another program, reads from it until a deadline, ends it. Leaves no zombies.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "platform/descriptor.h"

namespace nolens {

/// What to start. The child gets exactly this environment and these descriptors; every other
/// descriptor of this process is closed in it, and 0, 1, 2 are /dev/null where `descriptors` does
/// not say otherwise. It leads its own session, no signal is blocked or ignored in it.
struct ChildCommand {
  struct Descriptor {
    int source = -1;  ///< here
    int target = -1;  ///< there, 0…15, each once
  };
  std::filesystem::path program;         ///< not looked up in PATH
  std::vector<std::string> arguments;    ///< without the program's name
  std::vector<std::string> environment;  ///< "NAME=value"
  std::vector<Descriptor> descriptors;
};

/// How a child ended.
struct ChildExit {
  enum class How : std::uint8_t {
    kExited,   ///< value is the exit code
    kSignal,   ///< value is the signal
    kUnknown,  ///< the program that uses this library ignores SIGCHLD, so the system does not tell
  };
  How how = How::kUnknown;
  int value = 0;
};

using Deadline = std::chrono::steady_clock::time_point;

/// A running child. May be used in a program with many threads, each with children of its own; one
/// object belongs to one thread at a time.
class ChildProcess {
 public:
  /// \throws Error{kResource} if the program is missing, may not be executed, or resources are
  /// short.
  explicit ChildProcess(const ChildCommand& command);
  /// Kills the child if it still runs, and waits for its end.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  /// Waits until the child ends or the deadline passes (nothing comes back then; it still runs).
  std::optional<ChildExit> wait(Deadline deadline);
  /// SIGKILL, then waits for the end.
  ChildExit kill();

  [[nodiscard]] int pid() const noexcept { return pid_; }

 private:
  bool collect(int options);

  int pid_ = -1;
  Descriptor handle_;  // pidfd, or none on kernels before 5.3
  std::optional<ChildExit> exit_;
};

enum class ReadOutcome : std::uint8_t { kData, kEnd, kDeadline };
struct ReadResult {
  ReadOutcome outcome = ReadOutcome::kEnd;
  std::size_t bytes = 0;
};

/// Waits for bytes and reads at most buffer.size() of them. \throws Error{kInternal} on a bad
/// descriptor.
ReadResult read_until(int descriptor, std::span<std::byte> buffer, Deadline deadline);

}  // namespace nolens
