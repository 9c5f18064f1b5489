// The course of a run: CSV files and a picture of them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace nolens::train {

/// A CSV file that grows by a row at a time and survives a restart: rows from `first_step` on are
/// dropped when it is opened, because the restarted run writes them again.
class CurveFile {
 public:
  /// The first column is the step. \throws Error{kResource}
  CurveFile(std::filesystem::path file, std::vector<std::string> columns, std::int64_t first_step);
  /// One number per column. \throws Error{kResource} when the disk is full.
  void add(std::int64_t step, const std::vector<double>& values);

 private:
  std::filesystem::path file_;
  std::size_t columns_ = 0;
};

}  // namespace nolens::train
