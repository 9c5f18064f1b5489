// A NumPy file written row by row.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

namespace nolens::cli {

/// Writes float32 [rows, columns], C order, format version 1.0, little-endian. The file has its
/// name only after finish(): until then it stands under a temporary name beside it, which the
/// destructor removes.
class NpyWriter {
 public:
  /// \throws Error{kUsage} if the folder is missing or `target` is no place for a file.
  NpyWriter(std::filesystem::path target, std::int64_t rows, std::int64_t columns);
  ~NpyWriter();
  NpyWriter(const NpyWriter&) = delete;
  NpyWriter& operator=(const NpyWriter&) = delete;

  /// The next row, [columns]. \throws Error{kResource} when the disk is full.
  void write_row(std::span<const float> row);
  /// After the last row. \throws Error{kResource}
  void finish();

 private:
  void write(std::span<const std::byte> bytes);

  std::filesystem::path target_;
  std::filesystem::path temporary_;
  std::int64_t rows_;
  std::int64_t columns_;
  std::int64_t written_ = 0;
  int descriptor_ = -1;
};

}  // namespace nolens::cli
