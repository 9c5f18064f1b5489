#include "bench_result.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "nolens/error.h"

#include "terminal.h"

namespace nolens::cli {
namespace {

constexpr double kGiga = 1e9;
constexpr std::array<std::string_view, 4> kTests{"prefill", "decode", "image", "load"};

OutputJson value_or_null(const std::optional<double>& value) {
  return value.has_value() ? OutputJson(*value) : OutputJson(nullptr);
}

double number_or(const OutputJson& object, const char* name, double otherwise) {
  const auto found = object.find(name);
  return found != object.end() && found->is_number() ? found->get<double>() : otherwise;
}

std::optional<double> number(const OutputJson& object, const char* name) {
  const double value = number_or(object, name, -1.0);
  return std::isfinite(value) && value >= 0.0 ? std::optional<double>(value) : std::nullopt;
}

std::int64_t whole(const OutputJson& object, const char* name) {
  constexpr double kMost = 1e15;
  return static_cast<std::int64_t>(std::clamp(number_or(object, name, 0.0), 0.0, kMost));
}

std::string text_or(const OutputJson& object, const char* name, const std::string& otherwise) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : otherwise;
}

BenchResult parse_result(const OutputJson& object, const std::string& command) {
  BenchResult result;
  if (object.is_object()) {
    result.test = text_or(object, "test", "");
  }
  if (std::find(kTests.begin(), kTests.end(), result.test) == kTests.end()) {
    throw Error(ErrorCode::kInput, "the peer '" + harmless(command) +
                                       "': a result whose \"test\" is none of prefill, decode, "
                                       "image and load; see docs/performance.md");
  }
  result.engine = text_or(object, "engine", command);
  result.model = text_or(object, "model", "");
  result.tokens = whole(object, "tokens");
  result.context = whole(object, "context");
  result.tokens_per_second = number(object, "tokens_per_second");
  result.share_of_peak = number(object, "share_of_peak");
  result.bandwidth_gb_per_second = number(object, "bandwidth_gb_per_second");
  result.share_of_bandwidth = number(object, "share_of_bandwidth");
  result.peak_rss_bytes = whole(object, "peak_rss_bytes");
  result.format = text_or(object, "format", "");
  result.kernels = text_or(object, "kernels", "");
  result.threads = static_cast<int>(std::min<std::int64_t>(whole(object, "threads"), 1 << 20));
  result.repeats = std::max<std::int64_t>(whole(object, "repeats"), 1);
  result.seconds_median = number_or(object, "seconds_median", 0.0);
  result.seconds_min = number_or(object, "seconds_min", result.seconds_median);
  result.peak = text_or(object, "peak", "");
  result.gop_per_second = number(object, "gop_per_second");
  result.ops_per_byte = number(object, "ops_per_byte");
  if (const auto probes = object.find("probes"); probes != object.end() && probes->is_object()) {
    result.probes = {number_or(*probes, "before_gb_per_second", 0.0) * kGiga,
                     number_or(*probes, "after_gb_per_second", 0.0) * kGiga,
                     number_or(*probes, "best_gb_per_second", 0.0) * kGiga};
  }
  if (const auto stages = object.find("stages"); stages != object.end() && stages->is_object()) {
    result.stages = {
        number_or(*stages, "decode_seconds", 0.0), number_or(*stages, "resize_seconds", 0.0),
        number_or(*stages, "embed_seconds", 0.0), number_or(*stages, "prefill_seconds", 0.0)};
  }
  return result;
}

bool is_disturbed(const BenchResult& result) {
  return result.probes.has_value() && result.probes->difference() > kDisturbed;
}

}  // namespace

double BandwidthProbes::difference() const noexcept {
  const double larger = std::max(before, after);
  return larger > 0.0 ? std::abs(before - after) / larger : 0.0;
}

OutputJson result_json(const BenchResult& result) {
  OutputJson json;
  json["engine"] = result.engine;
  json["model"] = result.model;
  json["test"] = result.test;
  json["tokens"] = result.tokens;
  json["context"] = result.context;
  json["tokens_per_second"] = value_or_null(result.tokens_per_second);
  json["share_of_peak"] = value_or_null(result.share_of_peak);
  json["bandwidth_gb_per_second"] = value_or_null(result.bandwidth_gb_per_second);
  json["share_of_bandwidth"] = value_or_null(result.share_of_bandwidth);
  json["peak_rss_bytes"] = result.peak_rss_bytes;
  json["format"] = result.format;
  json["kernels"] = result.kernels;
  json["threads"] = result.threads;
  json["repeats"] = result.repeats;
  json["seconds_median"] = result.seconds_median;
  json["seconds_min"] = result.seconds_min;
  json["peak"] = result.peak;
  json["gop_per_second"] = value_or_null(result.gop_per_second);
  json["ops_per_byte"] = value_or_null(result.ops_per_byte);
  if (result.probes.has_value()) {
    json["probes"] = {{"before_gb_per_second", result.probes->before / kGiga},
                      {"after_gb_per_second", result.probes->after / kGiga},
                      {"best_gb_per_second", result.probes->best / kGiga}};
  }
  if (result.stages.has_value()) {
    json["stages"] = {{"decode_seconds", result.stages->decode},
                      {"resize_seconds", result.stages->resize},
                      {"embed_seconds", result.stages->embed},
                      {"prefill_seconds", result.stages->prefill}};
  }
  return json;
}

std::vector<BenchResult> parse_results(std::string_view text, const std::string& command) {
  const OutputJson array = OutputJson::parse(text, nullptr, false);
  if (!array.is_array()) {
    throw Error(ErrorCode::kInput,
                "the peer '" + harmless(command) +
                    "' printed no JSON array of results; see docs/performance.md");
  }
  std::vector<BenchResult> results;
  for (const OutputJson& object : array) {
    results.push_back(parse_result(object, command));
  }
  return results;
}

std::vector<BenchResult> merge_rounds(const std::vector<std::vector<BenchResult>>& rounds) {
  std::vector<BenchResult> merged;
  if (rounds.empty()) {
    return merged;
  }
  for (const BenchResult& first : rounds.front()) {
    std::vector<BenchResult> same;
    for (const std::vector<BenchResult>& round : rounds) {
      std::copy_if(round.begin(), round.end(), std::back_inserter(same),
                   [&](const BenchResult& other) { return same_test(first, other); });
    }
    const auto repeats = static_cast<std::int64_t>(same.size());
    double least = first.seconds_min;
    std::int64_t rss = 0;
    for (const BenchResult& result : same) {
      least = std::min(least, result.seconds_min);
      rss = std::max(rss, result.peak_rss_bytes);
    }
    // Disturbed rounds count only where there are no others.
    if (!std::all_of(same.begin(), same.end(), is_disturbed)) {
      std::erase_if(same, is_disturbed);
    }
    const auto middle = same.begin() + static_cast<std::ptrdiff_t>(same.size() / 2);
    std::nth_element(same.begin(), middle, same.end(),
                     [](const BenchResult& a, const BenchResult& b) {
                       return a.seconds_median < b.seconds_median;
                     });
    merged.push_back(*middle);
    merged.back().repeats = repeats;
    merged.back().seconds_min = least;
    merged.back().peak_rss_bytes = rss;
  }
  return merged;
}

std::string test_name(const BenchResult& result) {
  std::string name = result.test;
  if (result.test != "load") {
    name += " " + std::to_string(result.tokens);
  }
  if (result.test == "decode") {
    name += " at " + std::to_string(result.context);
  }
  return name;
}

bool same_test(const BenchResult& a, const BenchResult& b) {
  return a.test == b.test && a.context == b.context && (a.tokens == b.tokens || a.test == "load");
}

}  // namespace nolens::cli
