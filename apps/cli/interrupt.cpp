#include "interrupt.h"

#include <csignal>
#include <unistd.h>

#include "nolens/error.h"

namespace nolens::cli {
namespace {

volatile std::sig_atomic_t caught = 0;
volatile std::sig_atomic_t exit_on_second = 1;

extern "C" void note_signal(int signal) {
  if (caught != 0 && exit_on_second != 0) {
    _exit(128 + signal);
  }
  caught = signal;
}

/// Reading a mapped file behind its end: only a file that shrank after it was checked can do that.
extern "C" void report_bus_error(int) {
  constexpr char kMessage[] =
      "error: a model file became shorter while it was in use (or its disk failed); write new models "
      "under another name and rename them, then start again\n";
  static_cast<void>(!write(STDERR_FILENO, kMessage, sizeof(kMessage) - 1));
  _exit(nolens::exit_code(nolens::ErrorCode::kModel));
}

}  // namespace

void catch_signals(SecondSignal second) {
  exit_on_second = second == SecondSignal::kExit ? 1 : 0;
  struct sigaction action {};
  action.sa_handler = note_signal;
  sigemptyset(&action.sa_mask);
  // Without SA_RESTART a waiting read returns, so that Ctrl-C is seen at once.
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  struct sigaction bus_error {};
  bus_error.sa_handler = report_bus_error;
  sigemptyset(&bus_error.sa_mask);
  sigaction(SIGBUS, &bus_error, nullptr);
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  sigemptyset(&ignore.sa_mask);
  sigaction(SIGPIPE, &ignore, nullptr);
}

int caught_signal() noexcept {
  return caught;
}

void forget_signal() noexcept {
  caught = 0;
}

void check_signal() {
  if (caught != 0) {
    throw Error(ErrorCode::kInterrupted, "interrupted");
  }
}

}  // namespace nolens::cli
