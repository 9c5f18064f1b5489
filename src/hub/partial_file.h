// A file that is being downloaded: grows under its temporary name, is checked, then gets its own.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "hub/digest.h"

namespace nolens::hub {

/// What the content must be.
struct Expected {
  std::int64_t bytes = 0;
  std::string sha256;    ///< preferred
  std::string git_sha1;  ///< used if there is no SHA-256; both empty = only the size is known

  [[nodiscard]] bool has_checksum() const { return !sha256.empty() || !git_sha1.empty(); }
  [[nodiscard]] const char* checksum_name() const;
  [[nodiscard]] std::unique_ptr<Digest> new_digest() const;
  [[nodiscard]] bool matches(const std::string& digest) const;
};

/// The checksum of a file on the disk is the expected one. \param heartbeat  called per piece
[[nodiscard]] bool file_matches(const std::filesystem::path& path, const Expected& expected,
                                const std::function<void()>& heartbeat);

class PartialFile {
 public:
  /// Opens or makes the file and reads what an earlier run left there, at most `expected.bytes`.
  /// Without a checksum nothing is kept, because nothing would tell whether the pieces fit. \param
  /// heartbeat  called per piece read; may throw \throws Error{kResource}
  PartialFile(std::filesystem::path path, const Expected& expected,
              const std::function<void()>& heartbeat);
  ~PartialFile();
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  [[nodiscard]] std::int64_t size() const { return size_; }
  [[nodiscard]] bool is_complete() const { return size_ == expected_.bytes; }
  /// \throws Error{kResource} when the disk is full or fails; what was written before stays
  void append(std::span<const std::byte> bytes);
  /// Begins again with nothing.
  void clear();
  /// Whether the bytes are the expected ones; call it once, when complete.
  [[nodiscard]] bool is_correct();
  /// Syncs the file and gives it its name. \throws Error{kResource}
  void move_to(const std::filesystem::path& target);
  void remove();

 private:
  void read_present(const std::function<void()>& heartbeat);

  std::filesystem::path path_;
  Expected expected_;
  std::unique_ptr<Digest> digest_;
  std::int64_t size_ = 0;
  int descriptor_ = -1;
};

}  // namespace nolens::hub
