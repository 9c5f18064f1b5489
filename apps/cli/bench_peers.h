// Engines beside each other: commands that measure and print results as `nolens bench --json` does,
// run in turns, so that a noisy moment meets all of them.
#pragma once

#include <string>
#include <vector>

#include "bench_result.h"

namespace nolens::cli {

struct Contenders {
  std::vector<std::string> own_arguments;  ///< of this program
  /// Commands for the shell. --prefill, --decode, --context and --threads are added, with what this
  /// program measured in its first round.
  std::vector<std::string> peers;
  std::int64_t rounds = 1;
};

/// Merged results of this program and then of every peer. Progress on stderr.
/// \throws Error{kInput} if a command fails or prints no results; Error{kInterrupted}
std::vector<std::vector<BenchResult>> run_in_turns(const Contenders& contenders);

}  // namespace nolens::cli
