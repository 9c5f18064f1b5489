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

}  // namespace

void catch_signals(SecondSignal second) {
  exit_on_second = second == SecondSignal::kExit ? 1 : 0;
  struct sigaction action {};
  action.sa_handler = note_signal;
  sigemptyset(&action.sa_mask);
  // Without SA_RESTART a waiting read returns, so that Ctrl-C is seen at once.
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
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
