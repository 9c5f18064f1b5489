#include "npy_writer.h"

#include <bit>
#include <cerrno>
#include <fstream>
#include <string_view>
#include <system_error>
#include <utility>

#include "nolens/error.h"

#include "files.h"

namespace nolens::cli {
namespace {

static_assert(std::endian::native == std::endian::little, "the file is written as memory holds it");

constexpr std::size_t kAlignment = 64;
constexpr std::string_view kMagic = "\x93NUMPY";

/// numpy/lib/format.py: magic, version, length of the description, the description padded with
/// spaces so that the data begins at a multiple of 64 bytes.
std::string header(std::int64_t rows, std::int64_t columns) {
  std::string text = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(rows) +
                     ", " + std::to_string(columns) + "), }";
  const std::size_t before = 10;
  const std::size_t unpadded = before + text.size() + 1;
  text += std::string((kAlignment - unpadded % kAlignment) % kAlignment, ' ') + "\n";
  std::string result(kMagic);
  result += '\x01';
  result += '\x00';
  result += static_cast<char>(text.size() & 0xFFU);
  result += static_cast<char>(text.size() >> 8U);
  return result + text;
}

}  // namespace

void check_npy_target(const std::filesystem::path& target) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(target, error) ||
      std::filesystem::file_size(target, error) == 0) {
    return;  // what is no file is refused when the output is opened
  }
  std::ifstream file(target, std::ios::binary);
  std::string magic(kMagic.size(), '\0');
  file.read(magic.data(), static_cast<std::streamsize>(magic.size()));
  if (!file.is_open() || file.bad()) {
    throw Error(write_error_code(errno), quoted_path(target) + " exists and cannot be read: " +
                                             std::generic_category().message(errno));
  }
  if (magic != kMagic) {
    throw Error(ErrorCode::kUsage,
                quoted_path(target) +
                    " exists, is no NumPy file and is not overwritten; name another "
                    "file");
  }
}

NpyWriter::NpyWriter(const std::filesystem::path& target, std::int64_t rows, std::int64_t columns)
    : file_(target), name_(quoted_path(target)), rows_(rows), columns_(columns) {
  file_.write(header(rows, columns));
}

void NpyWriter::write_row(std::span<const float> row) {
  if (std::cmp_not_equal(row.size(), columns_) || written_ == rows_) {
    throw Error(ErrorCode::kInternal, name_ + ": a row too many or of another size");
  }
  file_.write(std::as_bytes(row));
  ++written_;
}

void NpyWriter::finish() {
  if (written_ != rows_) {
    throw Error(ErrorCode::kInternal, name_ + ": " + std::to_string(written_) + " of " +
                                          std::to_string(rows_) + " rows were written");
  }
  file_.commit();
}

}  // namespace nolens::cli
