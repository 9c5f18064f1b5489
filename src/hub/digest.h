// SHA-1 and SHA-256 (FIPS 180-4), for comparing files with the hub's checksums.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace nolens::hub {

/// A checksum that takes its bytes piece by piece.
class Digest {
 public:
  virtual ~Digest() = default;
  virtual void update(std::span<const std::byte> bytes) = 0;
  /// Lower-case hexadecimal. Call it once, last.
  virtual std::string finish() = 0;
};

[[nodiscard]] std::unique_ptr<Digest> make_sha256();
/// SHA-1 protects against damage only; git names its objects by it.
[[nodiscard]] std::unique_ptr<Digest> make_sha1();
/// The name git gives a file of `size` bytes: SHA-1 over "blob <size>\0" and the bytes.
[[nodiscard]] std::unique_ptr<Digest> make_git_blob_sha1(std::int64_t size);

}  // namespace nolens::hub
