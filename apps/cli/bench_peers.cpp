#include "bench_peers.h"

#include <array>
#include <chrono>
#include <filesystem>
#include <unistd.h>

#include "nolens/error.h"

#include "interrupt.h"
#include "platform/child_process.h"
#include "platform/descriptor.h"
#include "progress.h"
#include "terminal.h"

namespace nolens::cli {
namespace {

constexpr std::size_t kMaxOutputBytes = std::size_t{16} << 20U;
constexpr const char* kShell = "/bin/sh";

std::string list(const std::vector<std::int64_t>& numbers) {
  std::string text;
  for (const std::int64_t number : numbers) {
    text += (text.empty() ? "" : ",") + std::to_string(number);
  }
  return text.empty() ? "0" : text;
}

std::vector<std::string> environment() {
  std::vector<std::string> variables;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    variables.emplace_back(*variable);
  }
  return variables;
}

/// What a peer shall measure.
struct PeerTests {
  std::vector<std::int64_t> prefill;
  std::int64_t decode = 0;
  std::vector<std::int64_t> contexts;
  int threads = 1;
};

PeerTests tests_of(const std::vector<BenchResult>& results) {
  PeerTests tests;
  for (const BenchResult& result : results) {
    tests.threads = result.threads;
    if (result.test == "prefill") {
      tests.prefill.push_back(result.tokens);
    } else if (result.test == "decode") {
      tests.decode = result.tokens;
      tests.contexts.push_back(result.context);
    }
  }
  return tests;
}

ChildCommand own_command(const Contenders& contenders) {
  ChildCommand command;
  command.program = std::filesystem::read_symlink("/proc/self/exe");
  command.arguments = contenders.own_arguments;
  return command;
}

/// The shell splits the command; what is added passes through it as it is.
ChildCommand peer_command(const std::string& peer, const PeerTests& tests) {
  ChildCommand command;
  command.program = kShell;
  command.arguments = {"-c",
                       "exec " + peer + " \"$@\"",
                       "sh",
                       "--prefill",
                       list(tests.prefill),
                       "--decode",
                       std::to_string(tests.decode),
                       "--context",
                       list(tests.contexts),
                       "--threads",
                       std::to_string(tests.threads)};
  return command;
}

/// What the command prints until it ends well. Its stderr is ours.
std::string output_of(ChildCommand command, const std::string& name) {
  Pipe pipe = make_pipe();
  command.environment = environment();
  command.descriptors = {{pipe.write_end.number(), STDOUT_FILENO}, {STDERR_FILENO, STDERR_FILENO}};
  ChildProcess child(command);
  pipe.write_end.reset();
  std::string output;
  std::array<std::byte, 65536> buffer{};
  while (true) {
    check_signal();
    const ReadResult read =
        read_until(pipe.read_end.number(), buffer,
                   std::chrono::steady_clock::now() + std::chrono::milliseconds(200));
    if (read.outcome == ReadOutcome::kEnd) {
      break;
    }
    if (output.size() + read.bytes > kMaxOutputBytes) {
      throw Error(ErrorCode::kInput, "the peer '" + harmless(name) + "' prints more than 16 MiB");
    }
    output.append(reinterpret_cast<const char*>(buffer.data()), read.bytes);
  }
  std::optional<ChildExit> exit;
  while (!exit.has_value()) {
    check_signal();
    exit = child.wait(std::chrono::steady_clock::now() + std::chrono::milliseconds(200));
  }
  if (exit->how == ChildExit::How::kExited && exit->value == 0) {
    return output;
  }
  throw Error(ErrorCode::kInput,
              "the peer '" + harmless(name) + "' ended with " +
                  (exit->how == ChildExit::How::kSignal ? "signal " : "exit code ") +
                  std::to_string(exit->value) + "; run the command by itself to see why");
}

}  // namespace

std::vector<std::vector<BenchResult>> run_in_turns(const Contenders& contenders) {
  const std::size_t count = contenders.peers.size() + 1;
  std::vector<std::vector<std::vector<BenchResult>>> rounds(count);
  Progress progress("taking turns");
  const double all = static_cast<double>(contenders.rounds) * static_cast<double>(count);
  double done = 0.0;
  for (std::int64_t round = 0; round < contenders.rounds; ++round) {
    for (std::size_t i = 0; i < count; ++i) {
      const std::string name = i == 0 ? "nolens" : contenders.peers[i - 1];
      const ChildCommand command =
          i == 0 ? own_command(contenders) : peer_command(name, tests_of(rounds[0].front()));
      rounds[i].push_back(parse_results(output_of(command, name), name));
      progress.update(++done / all);
    }
  }
  std::vector<std::vector<BenchResult>> merged;
  for (const std::vector<std::vector<BenchResult>>& of_one : rounds) {
    merged.push_back(merge_rounds(of_one));
  }
  return merged;
}

}  // namespace nolens::cli
