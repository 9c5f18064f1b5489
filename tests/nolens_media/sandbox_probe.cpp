// Stands in for nolens-media in tests: enters the same sandbox, then does what the "file" says. If
// a wall gives way, it writes a valid sound of one sample, and the test fails. If a call is refused
// with an error, it says so: Problem kTooLoud with the errno as the sample's number.
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <grp.h>
#include <string>
#include <string_view>
#include <unistd.h>

#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "media/media_wire.h"
#include "sandbox.h"

namespace {

namespace wire = nolens::wire;
using nolens::media_app::SandboxOptions;

template <typename T>
void put(wire::Type type, const T& value) {
  std::array<char, sizeof(wire::Head) + sizeof(T)> bytes{};
  const wire::Head head{static_cast<std::uint32_t>(type), sizeof(T)};
  std::memcpy(bytes.data(), &head, sizeof(head));
  std::memcpy(bytes.data() + sizeof(head), &value, sizeof(T));
  if (::write(1, bytes.data(), bytes.size()) < 0) {
    ::_exit(9);
  }
}

[[noreturn]] void report_success() {
  put(wire::Type::kSamples, 1.0F);
  put(wire::Type::kEnd, wire::End{1, 0, 0});
  ::_exit(0);
}

[[noreturn]] void report_number(std::int64_t number) {
  wire::Problem problem;
  problem.reason = static_cast<std::uint32_t>(wire::Reason::kTooLoud);
  problem.a = number;
  put(wire::Type::kProblem, problem);
  ::_exit(0);
}

[[noreturn]] void report(long result) {
  if (result < 0) {
    report_number(errno);
  }
  report_success();
}

int open_descriptors() {
  int count = 0;
  for (int number = 0; number < 1024; ++number) {
    count += ::fcntl(number, F_GETFD) >= 0 ? 1 : 0;
  }
  return count;
}

void take_memory() {
  constexpr std::size_t kPiece = std::size_t{16} << 20;
  for (int i = 0; i < 1024; ++i) {
    void* piece = std::malloc(kPiece);
    if (piece == nullptr) {
      report_number(i * 16);
    }
    std::memset(piece, 1, kPiece);
  }
}

[[noreturn]] void spin() {
  volatile unsigned counter = 0;
  while (true) {
    counter = counter + 1;
  }
}

/// Writes without ever looking at what it writes.
[[noreturn]] void flood(char byte) {
  std::array<char, 4096> bytes{};
  bytes.fill(byte);
  while (::write(1, bytes.data(), bytes.size()) > 0) {
  }
  ::_exit(0);
}

[[noreturn]] void flood_samples() {
  while (true) {
    put(wire::Type::kSamples, std::array<float, 16384>{});
  }
}

void connect_somewhere() {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(9);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const auto* generic = static_cast<const sockaddr*>(static_cast<const void*>(&address));
  report(socket < 0 ? socket : ::connect(socket, generic, sizeof(address)));
}

void act(std::string_view action, pid_t parent) {
  char* const no_arguments[] = {nullptr};
  if (action == "nothing") {
    report_success();
  } else if (action == "open-absolute") {
    report(::open("/etc/passwd", O_RDONLY));
  } else if (action == "open-relative") {
    report(::open("x", O_RDWR | O_CREAT, 0600));
  } else if (action == "open-proc") {
    report(::open("/proc/self/maps", O_RDONLY));
  } else if (action == "open-folder") {
    report(::open("/", O_RDONLY | O_DIRECTORY));
  } else if (action == "mkdir") {
    report(::mkdir("/tmp/nolens-probe-folder", 0700));
  } else if (action == "socket") {
    report(::socket(AF_UNIX, SOCK_STREAM, 0));
  } else if (action == "connect") {
    connect_somewhere();
  } else if (action == "exec") {
    report(::execve("/bin/true", no_arguments, no_arguments));
  } else if (action == "fork") {
    report(::fork());
  } else if (action == "ptrace") {
    report(::ptrace(PTRACE_ATTACH, parent, nullptr, nullptr));
  } else if (action == "kill-parent") {
    report(::kill(parent, SIGTERM));
  } else if (action == "memory") {
    take_memory();
  } else if (action == "executable-memory") {
    report(::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
                   MAP_FAILED
               ? -1
               : 0);
  } else if (action == "make-executable") {
    report(::mprotect(std::malloc(8192), 4096, PROT_READ | PROT_EXEC));
  } else if (action == "write-elsewhere") {
    report(::write(2, "x", 1));
  } else if (action == "io-uring") {
    report(::syscall(425, 1, nullptr));
  } else if (action == "loosen") {
    report(nolens::media_app::filter_system_calls(1) ? 0 : -1);
  } else if (action == "spin") {
    spin();
  } else if (action == "silent-spin") {
    ::close(1);
    spin();
  } else if (action == "flood") {
    flood('A');
  } else if (action == "flood-samples") {
    flood_samples();
  } else if (action == "crash") {
    volatile int* volatile nowhere = nullptr;
    *nowhere = 1;
  } else if (action == "abort") {
    std::abort();
  } else if (action == "exit") {
    ::_exit(3);
  } else if (action == "half") {
    put(wire::Type::kSamples, 1.0F);
    ::_exit(0);
  } else if (action == "more") {
    put(wire::Type::kSamples, 1.0F);
    put(wire::Type::kEnd, wire::End{1, 0, 0});
    flood('B');
  } else if (action == "descriptors") {
    report_number(open_descriptors());
  } else if (action == "privileges") {
    report(::setgroups(0, nullptr));
  }
}

std::int64_t argument(int count, char** words, std::string_view key) {
  for (int i = 1; i < count; ++i) {
    const std::string_view word = words[i];
    if (word.size() > key.size() && word.substr(0, key.size()) == key && word[key.size()] == '=') {
      std::int64_t value = 0;
      std::from_chars(word.data() + key.size() + 1, word.data() + word.size(), value);
      return value;
    }
  }
  return 0;
}

}  // namespace

/// The "file": RIFF????WAVE, then an action; "open:" before it leaves the filter out, "before:"
/// acts outside the sandbox.
int main(int argc, char** argv) {
  std::array<char, 256> file{};
  const ssize_t size = ::read(0, file.data(), file.size());
  std::string_view action(file.data() + 12, size > 12 ? static_cast<std::size_t>(size - 12) : 0);
  const auto take_prefix = [&action](std::string_view prefix) {
    const bool there = action.substr(0, prefix.size()) == prefix;
    action.remove_prefix(there ? prefix.size() : 0);
    return there;
  };
  const bool no_filter = take_prefix("open:");
  const bool before = take_prefix("before:");
  const int number_before = open_descriptors();
  SandboxOptions options;
  options.memory_bytes = argument(argc, argv, "memory");
  options.cpu_seconds = argument(argc, argv, "cpu");
  options.parent = static_cast<pid_t>(argument(argc, argv, "parent"));
  options.filter_calls = !no_filter;
  if (action == "garbage-hello") {
    flood('C');
  }
  put(wire::Type::kHello, wire::Hello{wire::kMagic, nolens::media_app::enter_sandbox(options)});
  if (before) {
    report_number(number_before);
  }
  act(action, options.parent);
  ::_exit(0);
}
