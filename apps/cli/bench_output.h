// Tables of `nolens bench`.
#pragma once

#include <string>
#include <vector>

#include "nolens/machine.h"

#include "bench_result.h"

namespace nolens::cli {

enum class TableStyle { kText, kMarkdown, kCsv };

/// Cells in rows; the first row is the head. Text and Markdown: the first column to the left,
/// numbers to the right. CSV: RFC 4180.
std::string format_table(const std::vector<std::vector<std::string>>& rows, TableStyle style);

/// One row a result; CSV has every field under its JSON name.
std::string results_table(const std::vector<BenchResult>& results, TableStyle style);

/// Ours beside each peer's and how many times ours is better. Peers in the order given.
std::string ratio_table(const std::vector<BenchResult>& ours,
                        const std::vector<std::vector<BenchResult>>& peers, TableStyle style);

/// "int8 935.1 Gop/s, bf16 467.0 Gop/s, fp32 232.4 Gop/s"
std::string limits_text(const ComputeLimits& limits);

/// Three significant digits where there is a fraction: 0.0123, 1.23, 12.3, 1234.
std::string short_figure(double value);

}  // namespace nolens::cli
