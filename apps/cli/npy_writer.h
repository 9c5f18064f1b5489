// A NumPy file written row by row.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "platform/atomic_file.h"

namespace nolens::cli {

/// A file that stands where the output shall go must be one of these, so that no input and nothing
/// else is lost. \throws Error{kUsage}
void check_npy_target(const std::filesystem::path& target);

/// Writes float32 [rows, columns], C order, format version 1.0, little-endian. The file has its
/// name only after finish().
class NpyWriter {
 public:
  /// \throws Error{kUsage} if the folder is missing or `target` is no place for a file.
  NpyWriter(const std::filesystem::path& target, std::int64_t rows, std::int64_t columns);

  /// The next row, [columns]. \throws Error{kResource} when the disk is full.
  void write_row(std::span<const float> row);
  /// After the last row. \throws Error{kResource}
  void finish();

 private:
  AtomicFile file_;
  std::string name_;  // for messages
  std::int64_t rows_;
  std::int64_t columns_;
  std::int64_t written_ = 0;
};

}  // namespace nolens::cli
