// Ogg (RFC 3533), ISO 14496-12, Matroska (RFC 9559), GIF (GIF89a specification).
#include "whole_file.h"

#include <cstdint>
#include <optional>

#include "bytes.h"

namespace nolens::media_app {
namespace {

using std::string_view_literals::operator""sv;

void check_ogg(const Bytes& bytes) {
  constexpr std::uint64_t kHeader = 27;
  std::uint64_t at = 0;
  while (bytes.is(at, "OggS")) {
    bytes.require(at, kHeader);
    const std::uint64_t segments = bytes.byte(at + 26);
    bytes.require(at + kHeader, segments);
    std::uint64_t length = kHeader + segments;
    for (std::uint64_t i = 0; i < segments; ++i) {
      length += bytes.byte(at + kHeader + i);
    }
    bytes.require(at, length);
    at += length;
  }
  // A capture pattern of which only a part is left.
  const std::uint64_t left = bytes.size() - at;
  if (left > 0 && left < 4 && bytes.is(at, "OggS"sv.substr(0, left))) {
    bytes.require(at, kHeader);
  }
}

void check_mp4(const Bytes& bytes) {
  std::uint64_t at = 0;
  bool index = false;
  while (bytes.has(at, 8)) {
    std::uint64_t size = bytes.big(at, 4);
    index = index || bytes.is(at + 4, "moov");
    if (size == 0) {  // to the end of the file
      at = bytes.size();
      break;
    }
    if (size == 1) {
      bytes.require(at, 16);
      size = bytes.big(at + 8, 8);
    }
    if (size < 8) {
      break;  // nonsense, which the demuxer will name
    }
    bytes.require(at, size);
    at += size;
  }
  if (!index && at == bytes.size()) {
    throw Failure{.reason = wire::Reason::kCut};  // recorders write the index last
  }
  if (at < bytes.size() && bytes.size() - at < 8) {
    bytes.require(at, 8);
  }
}

/// A number of Matroska with its length marker; nothing if it is not there or means "not known".
struct ElementSize {
  std::uint64_t value = 0;
  unsigned length = 0;
  bool known = true;
};
std::optional<ElementSize> element_size(const Bytes& bytes, std::uint64_t at) {
  if (!bytes.has(at, 1) || bytes.byte(at) == 0) {
    return std::nullopt;
  }
  unsigned length = 1;
  for (std::uint8_t marker = 0x80; (bytes.byte(at) & marker) == 0; marker >>= 1) {
    ++length;
  }
  if (!bytes.has(at, length)) {
    return std::nullopt;
  }
  const std::uint64_t mask = (std::uint64_t{1} << (7 * length)) - 1;
  const std::uint64_t value = bytes.big(at, length) & mask;
  return ElementSize{value, length, value != mask};
}

void check_matroska(const Bytes& bytes) {
  const auto header = element_size(bytes, 4);
  if (!header || !header->known) {
    return;
  }
  const std::uint64_t segment = 4 + header->length + header->value;
  bytes.require(0, segment);
  if (bytes.size() - segment < 12) {
    throw Failure{.reason = wire::Reason::kCut};
  }
  if (!bytes.is(segment, "\x18\x53\x80\x67"sv)) {
    return;
  }
  const auto size = element_size(bytes, segment + 4);
  if (size && size->known) {
    bytes.require(segment + 4 + size->length, size->value);
  }
}

/// Position behind blocks that each begin with their length, the last of which is empty.
std::uint64_t skip_sub_blocks(const Bytes& bytes, std::uint64_t at) {
  while (true) {
    bytes.require(at, 1);
    const std::uint64_t length = bytes.byte(at);
    ++at;
    if (length == 0) {
      return at;
    }
    at += length;
  }
}

/// Bytes of a colour table, from the packed field before it.
std::uint64_t table_size(std::uint8_t packed) {
  return (packed & 0x80) == 0 ? 0 : std::uint64_t{3} << ((packed & 7) + 1);
}

void check_gif(const Bytes& bytes) {
  constexpr std::uint64_t kHeader = 13;
  bytes.require(0, kHeader);
  std::uint64_t at = kHeader + table_size(bytes.byte(10));
  bytes.require(0, at);
  while (at < bytes.size()) {
    const std::uint8_t kind = bytes.byte(at);
    if (kind == 0x21) {  // an extension: its label, then blocks
      at = skip_sub_blocks(bytes, at + 2);
    } else if (kind == 0x2C) {  // a picture: 9 bytes, a table, the code size, blocks
      bytes.require(at, 10);
      at = skip_sub_blocks(bytes, at + 11 + table_size(bytes.byte(at + 9)));
    } else {  // the trailer, or something behind it
      return;
    }
  }
}

}  // namespace

void check_whole(std::string_view format, std::span<const std::byte> file) {
  const Bytes bytes(file);
  if (format == "ogg") {
    check_ogg(bytes);
  } else if (format == "mp4") {
    check_mp4(bytes);
  } else if (format == "matroska") {
    check_matroska(bytes);
  } else if (format == "gif") {
    check_gif(bytes);
  }
}

}  // namespace nolens::media_app
