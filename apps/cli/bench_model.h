// The tests of `nolens bench` on a loaded model. Definitions: docs/performance.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "nolens/machine.h"
#include "nolens/model.h"

#include "bench_result.h"

namespace nolens::cli {

struct BenchPlan {
  std::vector<std::int64_t> prefill;   ///< tokens of each prefill test
  std::int64_t decode = 0;             ///< tokens of each decode test, 0 = none
  std::vector<std::int64_t> contexts;  ///< tokens before a decode test
  std::vector<std::byte> image;        ///< a picture's file; empty = no image test
  std::string image_name;              ///< for messages
  std::int64_t repeat = 1;
};

/// Tokens of the longest context the plan needs.
std::int64_t longest_context(const BenchPlan& plan);

/// Runs the plan and draws progress on stderr. Repeats during which memory bandwidth or the peak of
/// arithmetic changed do not count if others are left, which a note on stderr says. `limits` are
/// raised to the best measured on the way. \throws Error{kInterrupted} after Ctrl-C, and what
/// Session does
std::vector<BenchResult> run_plan(const std::shared_ptr<const Model>& model, const BenchPlan& plan,
                                  ComputeLimits& limits);

}  // namespace nolens::cli
