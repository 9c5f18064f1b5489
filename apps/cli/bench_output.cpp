#include "bench_output.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "terminal.h"

namespace nolens::cli {
namespace {

constexpr double kGiga = 1e9;
constexpr double kMebibyte = 1024.0 * 1024.0;

using Rows = std::vector<std::vector<std::string>>;

/// Columns of UTF-8 text, for what is printed here: no combining marks, no wide letters.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & '\xC0') != '\x80'; }));
}

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) {
    return text;
  }
  std::string quoted = "\"";
  for (const char letter : text) {
    quoted += letter == '"' ? "\"\"" : std::string(1, letter);
  }
  return quoted + "\"";
}

std::string markdown_cell(const std::string& text) {
  std::string escaped;
  for (const char letter : text) {
    escaped += letter == '|' ? "\\|" : std::string(1, letter);
  }
  return escaped;
}

std::string percent(const std::optional<double>& share) {
  return share.has_value() ? with_decimals(100.0 * *share, 1) + " %" : "";
}

std::string figure(const std::optional<double>& value) {
  return value.has_value() ? short_figure(*value) : "";
}

std::string csv_table(const std::vector<BenchResult>& results) {
  Rows rows{{"engine", "model", "test", "tokens", "context", "tokens_per_second", "share_of_peak",
             "bandwidth_gb_per_second", "share_of_bandwidth", "peak_rss_bytes", "format", "kernels",
             "threads", "repeats", "seconds_median", "seconds_min", "peak", "gop_per_second",
             "ops_per_byte"}};
  for (const BenchResult& result : results) {
    const OutputJson json = result_json(result);
    std::vector<std::string> row;
    for (const std::string& name : rows.front()) {
      const OutputJson& value = json[name];
      row.push_back(value.is_null()     ? ""
                    : value.is_string() ? value.get<std::string>()
                                        : value.dump());
    }
    rows.push_back(std::move(row));
  }
  return format_table(rows, TableStyle::kCsv);
}

std::string stages_text(const ImageStages& stages) {
  return "decode " + short_figure(1e3 * stages.decode) + " ms, resize " +
         short_figure(1e3 * stages.resize) + " ms, embed " + short_figure(1e3 * stages.embed) +
         " ms, prefill " + short_figure(1e3 * stages.prefill) + " ms";
}

std::string note_of(const BenchResult& result) {
  if (result.probes.has_value()) {
    return "memory " + with_decimals(result.probes->before / kGiga, 1) + " GB/s before, " +
           with_decimals(result.probes->after / kGiga, 1) + " after, best " +
           with_decimals(result.probes->best / kGiga, 1);
  }
  return result.stages.has_value() ? stages_text(*result.stages) : "";
}

/// One line of the ratio table: what is compared and which way is better.
struct Compared {
  std::string name;
  std::string ours;
  std::optional<double> value;
  bool less_is_better = false;
};

void add_comparison(Rows& rows, const Compared& ours,
                    const std::vector<std::optional<double>>& theirs, const std::string& unit) {
  std::vector<std::string> row{ours.name, ours.ours};
  for (const std::optional<double>& peer : theirs) {
    const bool known =
        peer.has_value() && ours.value.has_value() && *peer > 0.0 && *ours.value > 0.0;
    row.push_back(peer.has_value() ? short_figure(*peer) + unit : "");
    row.push_back(!known                ? ""
                  : ours.less_is_better ? with_decimals(*peer / *ours.value, 2)
                                        : with_decimals(*ours.value / *peer, 2));
  }
  rows.push_back(std::move(row));
}

std::optional<double> peak_memory(const std::vector<BenchResult>& results) {
  std::int64_t most = 0;
  for (const BenchResult& result : results) {
    most = std::max(most, result.peak_rss_bytes);
  }
  return most > 0 ? std::optional<double>(static_cast<double>(most) / kMebibyte) : std::nullopt;
}

}  // namespace

std::string short_figure(double value) {
  const double size = std::abs(value);
  if (size == 0.0 || !std::isfinite(size)) {
    return with_decimals(value, 0);
  }
  const int magnitude = static_cast<int>(std::floor(std::log10(size)));
  return with_decimals(value, std::clamp(2 - magnitude, 0, 12));
}

std::string format_table(const Rows& rows, TableStyle style) {
  std::string text;
  if (style == TableStyle::kCsv) {
    for (const std::vector<std::string>& row : rows) {
      for (std::size_t i = 0; i < row.size(); ++i) {
        text += (i == 0 ? "" : ",") + csv_cell(row[i]);
      }
      text += "\n";
    }
    return text;
  }
  std::vector<std::size_t> widths;
  for (const std::vector<std::string>& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], width_of(row[i]));
    }
  }
  for (const std::vector<std::string>& row : rows) {
    std::string line = style == TableStyle::kMarkdown ? "|" : "";
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (style == TableStyle::kMarkdown) {
        line += " " + markdown_cell(row[i]) + " |";
        continue;
      }
      const std::string space(widths[i] - width_of(row[i]), ' ');
      line += (i == 0 ? "" : "  ") + (i == 0 ? row[i] + space : space + row[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
    if (style == TableStyle::kMarkdown && &row == &rows.front()) {
      text += "| ---";
      for (std::size_t i = 1; i < row.size(); ++i) {
        text += " | ---:";
      }
      text += " |\n";
    }
  }
  return text;
}

std::string results_table(const std::vector<BenchResult>& results, TableStyle style) {
  if (style == TableStyle::kCsv) {
    return csv_table(results);
  }
  Rows rows{
      {"test", "tokens/s", "seconds", "Gop/s", "of peak", "GB/s", "of bandwidth", "peak MiB"}};
  std::string notes;
  for (const BenchResult& result : results) {
    rows.push_back({test_name(result), figure(result.tokens_per_second),
                    short_figure(result.seconds_median), figure(result.gop_per_second),
                    percent(result.share_of_peak), figure(result.bandwidth_gb_per_second),
                    percent(result.share_of_bandwidth),
                    short_figure(static_cast<double>(result.peak_rss_bytes) / kMebibyte)});
    const std::string note = note_of(result);
    if (!note.empty()) {
      notes +=
          (style == TableStyle::kMarkdown ? "- " : "") + test_name(result) + ": " + note + "\n";
    }
  }
  return format_table(rows, style) + (notes.empty() ? "" : "\n" + notes);
}

std::string ratio_table(const std::vector<BenchResult>& ours,
                        const std::vector<std::vector<BenchResult>>& peers, TableStyle style) {
  Rows rows{{"test", "nolens"}};
  for (const std::vector<BenchResult>& peer : peers) {
    rows.front().push_back(peer.empty() ? "peer" : peer.front().engine);
    rows.front().emplace_back("times better");
  }
  for (const BenchResult& own : ours) {
    std::vector<std::optional<double>> theirs;
    const bool is_load = own.test == "load";
    for (const std::vector<BenchResult>& peer : peers) {
      const auto found = std::find_if(peer.begin(), peer.end(), [&](const BenchResult& other) {
        return same_test(own, other);
      });
      theirs.push_back(found == peer.end() ? std::nullopt
                       : is_load           ? std::optional<double>(found->seconds_median)
                                           : found->tokens_per_second);
    }
    const std::optional<double> value =
        is_load ? std::optional<double>(own.seconds_median) : own.tokens_per_second;
    const std::string unit = is_load ? " s" : " t/s";
    add_comparison(rows, {test_name(own), figure(value) + unit, value, is_load}, theirs, unit);
  }
  std::vector<std::optional<double>> memory;
  for (const std::vector<BenchResult>& peer : peers) {
    memory.push_back(peak_memory(peer));
  }
  const std::optional<double> own_memory = peak_memory(ours);
  add_comparison(rows, {"peak memory", figure(own_memory) + " MiB", own_memory, true}, memory,
                 " MiB");
  return format_table(rows, style);
}

std::string limits_text(const ComputeLimits& limits) {
  std::string text;
  const auto add = [&text](const char* name, double ops) {
    if (ops > 0.0) {
      text += (text.empty() ? "" : ", ") + std::string(name) + " " + with_decimals(ops / kGiga, 1) +
              " Gop/s";
    }
  };
  add("int8", limits.int8_ops);
  add("bf16", limits.bf16_ops);
  add("fp32", limits.fp32_ops);
  return text;
}

}  // namespace nolens::cli
