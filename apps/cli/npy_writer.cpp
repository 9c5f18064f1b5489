#include "npy_writer.h"

#include <bit>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "nolens/error.h"

#include "files.h"

namespace nolens::cli {
namespace {

static_assert(std::endian::native == std::endian::little, "the file is written as memory holds it");

constexpr std::size_t kAlignment = 64;

[[noreturn]] void fail(ErrorCode code, const std::filesystem::path& path, const std::string& what) {
  throw Error(code,
              quoted_path(path) + ": " + what + ": " + std::generic_category().message(errno));
}

/// numpy/lib/format.py: magic, version, length of the description, the description padded with
/// spaces so that the data begins at a multiple of 64 bytes.
std::string header(std::int64_t rows, std::int64_t columns) {
  std::string text = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(rows) +
                     ", " + std::to_string(columns) + "), }";
  const std::size_t before = 10;
  const std::size_t unpadded = before + text.size() + 1;
  text += std::string((kAlignment - unpadded % kAlignment) % kAlignment, ' ') + "\n";
  std::string result = "\x93NUMPY";
  result += '\x01';
  result += '\x00';
  result += static_cast<char>(text.size() & 0xFFU);
  result += static_cast<char>(text.size() >> 8U);
  return result + text;
}

}  // namespace

NpyWriter::NpyWriter(std::filesystem::path target, std::int64_t rows, std::int64_t columns)
    : target_(std::move(target)), rows_(rows), columns_(columns) {
  std::error_code error;
  const auto kind = std::filesystem::status(target_, error).type();
  if (kind != std::filesystem::file_type::not_found &&
      kind != std::filesystem::file_type::regular) {
    throw Error(ErrorCode::kUsage,
                quoted_path(target_) + ": is no place for a file, name a new one");
  }
  temporary_ = target_;
  temporary_ += ".tmp." + std::to_string(getpid());
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor_ < 0) {
    fail(ErrorCode::kUsage, target_, "cannot be written");
  }
  // The destructor of a half-made object does not run.
  try {
    const std::string text = header(rows, columns);
    write(std::as_bytes(std::span(text)));
  } catch (const Error&) {
    ::close(std::exchange(descriptor_, -1));
    ::unlink(temporary_.c_str());
    throw;
  }
}

NpyWriter::~NpyWriter() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
    ::unlink(temporary_.c_str());
  }
}

void NpyWriter::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written <= 0) {
      fail(ErrorCode::kResource, target_, "cannot be written");
    }
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

void NpyWriter::write_row(std::span<const float> row) {
  if (std::cmp_not_equal(row.size(), columns_) || written_ == rows_) {
    throw Error(ErrorCode::kInternal, quoted_path(target_) + ": a row too many or of another size");
  }
  write(std::as_bytes(row));
  ++written_;
}

void NpyWriter::finish() {
  if (written_ != rows_) {
    throw Error(ErrorCode::kInternal, quoted_path(target_) + ": " + std::to_string(written_) +
                                          " of " + std::to_string(rows_) + " rows were written");
  }
  if (::fsync(descriptor_) != 0) {
    fail(ErrorCode::kResource, target_, "cannot be written");
  }
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) {
    fail(ErrorCode::kResource, target_, "cannot be given its name");
  }
  ::close(std::exchange(descriptor_, -1));
}

}  // namespace nolens::cli
