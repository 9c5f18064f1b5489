// nolens quantize --report: the cost of formats, as tables and JSON.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "nolens/quantize.h"

#include "bench_output.h"
#include "json_output.h"
#include "quantize_cost.h"

namespace nolens::cli {

struct ReportOptions {
  /// Of the formats: `out` is set for each, `format` and `double_quant` come from `formats`.
  QuantizeOptions quantize;
  std::filesystem::path model;
  std::vector<std::string> formats;  ///< as report_formats() names them
  std::filesystem::path file{};      ///< of the only format, if it is there already
  std::int64_t window = kDefaultWindow;
  std::int64_t windows = 0;  ///< of the text at most; 0 = all
};

struct QuantizeReport {
  std::string model;
  bool sees = false;
  std::int64_t window = 0;
  std::int64_t windows = 0;
  std::vector<FormatCost> costs;
};

/// What ReportOptions::formats may hold: quantize_formats(), and those that can have nested scales
/// also with "+double-quant" behind the name.
std::vector<std::string> report_formats();

/// Makes each format of the model, one at a time, and compares it with the model in float32. The
/// text is the excerpt that comes with the program. \throws what quantize_model() and
/// measure_cost() do
QuantizeReport measure_report(const ReportOptions& options);

/// Text or Markdown.
std::string report_text(const QuantizeReport& report, TableStyle style);
OutputJson report_json(const QuantizeReport& report);

}  // namespace nolens::cli
