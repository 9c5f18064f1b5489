// Runs a program and lets its n-th touch of a folder fail, stop half-way or be its last.
//
//   fault_runner --under DIR [--log FILE] [--kinds a,b] [--at N [--onward] (--fail ERRNO | --short
//   | --kill)]
//                -- PROGRAM ARGUMENTS...
//
// The kernel reports the calls (seccomp user notification), so that none goes unseen: neither those
// inside the C library nor those of a program with its own write(). Ends with the program's exit
// code, 128 + signal after a signal.
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <poll.h>
#include <sstream>
#include <stdexcept>
#include <string>
#include <unistd.h>
#include <vector>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "traced_call.h"

namespace nolens::faults {
namespace {

constexpr int kCannotTrace = 77;  // the environment forbids it; the tests say so and are left out

enum class Fault { kNone, kFail, kShort, kKill };

struct Options {
  std::string under;
  std::string log;
  std::vector<std::string> kinds;  // empty = all
  long at = 0;
  bool onward = false;
  Fault fault = Fault::kNone;
  int error = 0;
  char** program = nullptr;
};

int errno_by_name(const std::string& name) {
  static const std::map<std::string, int> kNames = {
      {"ENOSPC", ENOSPC}, {"EIO", EIO},     {"EDQUOT", EDQUOT}, {"EROFS", EROFS},
      {"EACCES", EACCES}, {"EINTR", EINTR}, {"EMFILE", EMFILE}, {"ENOMEM", ENOMEM}};
  return kNames.at(name);
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--") {
      options.program = argv + i + 1;
      break;
    }
    if (word == "--onward") {
      options.onward = true;
    } else if (word == "--short") {
      options.fault = Fault::kShort;
    } else if (word == "--kill") {
      options.fault = Fault::kKill;
    } else if (i + 1 == argc) {
      throw std::invalid_argument(word);
    } else if (word == "--under") {
      options.under = argv[++i];
    } else if (word == "--log") {
      options.log = argv[++i];
    } else if (word == "--at") {
      options.at = std::stol(argv[++i]);
    } else if (word == "--fail") {
      options.fault = Fault::kFail;
      options.error = errno_by_name(argv[++i]);
    } else if (word == "--kinds") {
      std::istringstream list(argv[++i]);
      for (std::string kind; std::getline(list, kind, ',');) {
        options.kinds.push_back(kind);
      }
    } else {
      throw std::invalid_argument(word);
    }
  }
  if (options.under.empty() || options.program == nullptr || *options.program == nullptr) {
    throw std::invalid_argument("--under and a program are needed");
  }
  return options;
}

sock_filter statement(unsigned code, std::size_t value) {
  return {static_cast<__u16>(code), 0, 0, static_cast<__u32>(value)};
}

/// Reports the traced calls and allows the others. Returns the descriptor of the reports.
int install_filter() {
#if defined(__x86_64__)
  constexpr unsigned kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
  constexpr unsigned kArchitecture = AUDIT_ARCH_AARCH64;
#else
#error "which AUDIT_ARCH is this?"
#endif
  std::vector<sock_filter> code = {
      statement(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
      {BPF_JMP | BPF_JEQ | BPF_K, 1, 0, kArchitecture},
      statement(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      statement(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  for (const unsigned number : traced_call_numbers()) {
    code.push_back({BPF_JMP | BPF_JEQ | BPF_K, 0, 1, number});
    code.push_back(statement(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF));
  }
  code.push_back(statement(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return static_cast<int>(
      syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
}

int descriptor_of(pid_t process, int number) {
  const int handle = static_cast<int>(syscall(SYS_pidfd_open, process, 0));
  const int copy = static_cast<int>(syscall(SYS_pidfd_getfd, handle, number, 0));
  close(handle);
  return copy;
}

/// The started program, and the descriptor on which its calls are reported.
class Tracee {
 public:
  explicit Tracee(char** program) {
    int ends[2] = {};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
      throw std::runtime_error("socketpair");
    }
    process_ = fork();
    if (process_ == 0) {
      const int listener = install_filter();
      // Neither send() nor recv() is a traced call: nobody could answer one yet.
      send(ends[1], &listener, sizeof(listener), 0);
      char taken = 0;
      if (listener >= 0 && recv(ends[1], &taken, 1, 0) == 1) {
        execvp(program[0], program);
      }
      _exit(kCannotTrace);
    }
    int number = -1;
    recv(ends[0], &number, sizeof(number), MSG_WAITALL);
    listener_ = number < 0 ? -1 : descriptor_of(process_, number);
    if (listener_ >= 0) {
      send(ends[0], "", 1, 0);
    } else {
      kill(process_, SIGKILL);
    }
    close(ends[0]);
    close(ends[1]);
  }
  [[nodiscard]] int listener() const { return listener_; }
  [[nodiscard]] pid_t process() const { return process_; }
  [[nodiscard]] int wait() const {
    int status = 0;
    waitpid(process_, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t process_ = -1;
  int listener_ = -1;
};

class Supervisor {
 public:
  Supervisor(const Options& options, const Tracee& tracee) : options_(options), tracee_(tracee) {
    if (!options.log.empty()) {
      log_.open(options.log);
      data_.open(options.log + ".data", std::ios::binary);
    }
    seccomp_notif_sizes sizes{};
    syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes);
    request_.resize(std::max<std::size_t>(sizes.seccomp_notif, sizeof(seccomp_notif)));
    answer_.resize(std::max<std::size_t>(sizes.seccomp_notif_resp, sizeof(seccomp_notif_resp)));
  }

  /// Until the last process under the filter has ended.
  void serve() {
    pollfd waiting{tracee_.listener(), POLLIN, 0};
    while (poll(&waiting, 1, -1) >= 0 || errno == EINTR) {
      if ((waiting.revents & POLLIN) != 0) {
        serve_one();
      } else if ((waiting.revents & POLLHUP) != 0) {
        return;
      }
    }
  }

 private:
  void serve_one() {
    std::fill(request_.begin(), request_.end(), '\0');
    if (ioctl(tracee_.listener(), SECCOMP_IOCTL_NOTIF_RECV, request_.data()) != 0) {
      return;  // the caller died meanwhile
    }
    seccomp_notif request{};
    std::memcpy(&request, request_.data(), sizeof(request));
    seccomp_notif_resp answer{};
    answer.id = request.id;
    answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    const TracedCall call = describe(request);
    if (is_counted(call)) {
      ++count_;
      write_log(static_cast<pid_t>(request.pid), call);
      if (is_due() && !apply(static_cast<pid_t>(request.pid), call, answer)) {
        return;
      }
    }
    std::fill(answer_.begin(), answer_.end(), '\0');
    std::memcpy(answer_.data(), &answer, sizeof(answer));
    ioctl(tracee_.listener(), SECCOMP_IOCTL_NOTIF_SEND, answer_.data());
  }

  [[nodiscard]] bool is_under(const std::string& path) const {
    return path == options_.under || path.starts_with(options_.under + "/");
  }
  [[nodiscard]] bool is_counted(const TracedCall& call) const {
    return (is_under(call.path) || is_under(call.detail)) &&
           (options_.kinds.empty() || std::find(options_.kinds.begin(), options_.kinds.end(),
                                                call.kind) != options_.kinds.end());
  }
  [[nodiscard]] bool is_due() const {
    return options_.at > 0 && (count_ == options_.at || (options_.onward && count_ > options_.at));
  }

  /// False if there is nobody left to answer.
  bool apply(pid_t caller, const TracedCall& call, seccomp_notif_resp& answer) {
    switch (options_.fault) {
      case Fault::kKill: kill(tracee_.process(), SIGKILL); return false;
      case Fault::kFail:
        answer.flags = 0;
        answer.error = -options_.error;
        return true;
      case Fault::kShort: write_half(caller, call, answer); return true;
      case Fault::kNone: return true;
    }
    return true;
  }

  /// Writes the first half in the caller's place: the file position is shared.
  static void write_half(pid_t caller, const TracedCall& call, seccomp_notif_resp& answer) {
    if (call.kind != "write" || call.size < 2) {
      return;
    }
    const std::string half = read_memory(caller, call.address, call.size / 2);
    const int copy = descriptor_of(caller, call.descriptor);
    const ssize_t written = ::write(copy, half.data(), half.size());
    close(copy);
    if (written > 0) {
      answer.flags = 0;
      answer.val = written;
    }
  }

  void write_log(pid_t caller, const TracedCall& call) {
    if (!log_.is_open()) {
      return;
    }
    log_ << count_ << '\t' << call.kind << '\t' << call.path << '\t' << call.detail << '\t'
         << call.size << '\n'
         << std::flush;
    data_ << read_memory(caller, call.address, call.size) << std::flush;
  }

  const Options& options_;
  const Tracee& tracee_;
  std::ofstream log_;
  std::ofstream data_;
  std::vector<char> request_;
  std::vector<char> answer_;
  long count_ = 0;
};

int run(int argc, char** argv) {
  const Options options = parse(argc, argv);
  const Tracee tracee(options.program);
  if (tracee.listener() < 0) {
    std::cerr << "fault_runner: this system does not let calls be traced\n";
    return kCannotTrace;
  }
  // Ctrl-C is for the program; the runner ends with it.
  std::signal(SIGINT, SIG_IGN);
  std::signal(SIGTERM, SIG_IGN);
  Supervisor(options, tracee).serve();
  return tracee.wait();
}

}  // namespace
}  // namespace nolens::faults

int main(int argc, char** argv) {
  try {
    return nolens::faults::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "fault_runner: wrong use: " << error.what() << '\n';
    return 2;
  }
}
