#include "curves.h"

#include <charconv>
#include <fstream>
#include <iomanip>
#include <locale>
#include <sstream>
#include <system_error>
#include <utility>

#include "nolens/error.h"

#include "core/check.h"
#include "core/escape.h"
#include "platform/atomic_file.h"

namespace nolens::train {
namespace {

std::string joined(const std::vector<std::string>& cells) {
  std::string line;
  for (const std::string& cell : cells) {
    line += (line.empty() ? "" : ",") + cell;
  }
  return line;
}

/// Step of a CSV row, -1 if the line is cut or no row.
std::int64_t step_of(const std::string& line, std::size_t columns) {
  std::int64_t step = -1;
  std::size_t commas = 0;
  for (const char c : line) {
    commas += c == ',' ? 1U : 0U;
  }
  const auto parsed = std::from_chars(line.data(), line.data() + line.size(), step);
  return parsed.ec == std::errc() && commas + 1 == columns ? step : -1;
}

}  // namespace

CurveFile::CurveFile(std::filesystem::path file, std::vector<std::string> columns,
                     std::int64_t first_step)
    : file_(std::move(file)) {
  columns.insert(columns.begin(), "step");
  columns_ = columns.size();
  std::string kept = joined(columns) + "\n";
  std::ifstream old(file_);
  std::string line;
  while (first_step > 0 && std::getline(old, line)) {
    const std::int64_t step = step_of(line, columns_);
    if (step >= 0 && step <= first_step && !old.eof()) {
      kept += line + "\n";
    }
  }
  write_file_atomically(file_, kept);
}

void CurveFile::add(std::int64_t step, const std::vector<double>& values) {
  NOLENS_CHECK(values.size() + 1 == columns_);
  std::ostringstream row;
  row.imbue(std::locale::classic());
  row << std::setprecision(9) << step;
  for (const double value : values) {
    row << ',' << value;
  }
  row << '\n';
  std::ofstream stream(file_, std::ios::app);
  stream << row.str();
  stream.flush();
  if (!stream) {
    throw Error(ErrorCode::kResource,
                "cannot write '" + escape_for_message(file_.string()) + "'; is the disk full?");
  }
}

}  // namespace nolens::train
