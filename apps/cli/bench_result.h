// What `nolens bench` measured, and its JSON (docs/cli.md, "Contracts").
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "json_output.h"

namespace nolens::cli {

/// Memory bandwidth probed around a measurement, bytes per second.
struct BandwidthProbes {
  double before = 0.0;  ///< median of several passes
  double after = 0.0;
  double best = 0.0;  ///< best pass of both
  [[nodiscard]] double mean() const noexcept { return 0.5 * (before + after); }
  /// Share by which the two differ: the measurement in between means little above a tenth.
  [[nodiscard]] double difference() const noexcept;
};
inline constexpr double kDisturbed = 0.1;

/// Parts of the image path, seconds.
struct ImageStages {
  double decode = 0.0;   ///< file to pixels
  double resize = 0.0;   ///< pixels to patches
  double embed = 0.0;    ///< patches to soft tokens
  double prefill = 0.0;  ///< the decoder over the whole prompt
};

/// One test. Values that a test does not have are empty.
struct BenchResult {
  std::string engine = "nolens";
  std::string model;  ///< its name
  std::string test;   ///< "prefill", "decode", "image" or "load"
  std::int64_t tokens = 0;
  std::int64_t context = 0;                 ///< tokens before the first of them
  std::optional<double> tokens_per_second;  ///< of the median repeat
  std::optional<double> share_of_peak;
  std::optional<double> bandwidth_gb_per_second;
  std::optional<double> share_of_bandwidth;
  std::int64_t peak_rss_bytes = 0;
  std::string format;   ///< of the model's files
  std::string kernels;  ///< instruction set
  int threads = 0;
  std::int64_t repeats = 1;
  double seconds_median = 0.0;
  double seconds_min = 0.0;
  std::string peak;  ///< whose share it is: "int8", "bf16", "fp32", or several with "+"
  std::optional<double> gop_per_second;  ///< matrix products only
  std::optional<double> ops_per_byte;    ///< of weights and keys and values that are read
  std::optional<BandwidthProbes> probes;
  std::optional<ImageStages> stages;
};

OutputJson result_json(const BenchResult& result);

/// The array a command printed that measures another engine; `command` names it where its results
/// do not. \throws Error{kInput} if it is no array of results.
std::vector<BenchResult> parse_results(std::string_view text, const std::string& command);

/// The results of several rounds as one: of each test the median round by seconds, with the least
/// seconds and the largest memory of all rounds. In the order of the first round.
std::vector<BenchResult> merge_rounds(const std::vector<std::vector<BenchResult>>& rounds);

/// "prefill 512", "decode 32 at 4096", "image 280", "load"
std::string test_name(const BenchResult& result);
bool same_test(const BenchResult& a, const BenchResult& b);

}  // namespace nolens::cli
