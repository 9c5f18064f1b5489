// Walks the chunks of a WAV file.
#include "wav_view.h"

#include <cstdint>
#include <limits>
#include <optional>

#include "bytes.h"

namespace nolens::media_app {
namespace {

void put_little(std::string& text, std::uint32_t value) {
  for (int shift = 0; shift < 32; shift += 8) {
    text += static_cast<char>(value >> shift & 0xFF);
  }
}

/// `bytes` of 32 bits at most; 0, "not known", above.
std::uint32_t size_field(std::uint64_t bytes) {
  return bytes < std::numeric_limits<std::uint32_t>::max() ? static_cast<std::uint32_t>(bytes) : 0;
}

std::string head_for(std::string_view format, std::uint64_t samples) {
  std::string head = "RIFF";
  put_little(head, size_field(samples + format.size() + 20));
  head += "WAVEfmt ";
  put_little(head, static_cast<std::uint32_t>(format.size()));
  head += format;
  head += "data";
  put_little(head, size_field(samples));
  return head;
}

}  // namespace

WavView view_wav(std::span<const std::byte> file) {
  constexpr std::uint64_t kUnknown = 0xFFFF'FFFF;
  // A format with its extension (WAVEFORMATEXTENSIBLE, or the tables of ADPCM) is far smaller.
  constexpr std::uint64_t kLargestFormat = 1024;
  const Bytes bytes(file);
  std::optional<std::uint64_t> long_size;  // RF64: the 32-bit field only refers to this one
  std::string_view format;
  std::uint64_t at = 12;
  while (bytes.has(at, 8)) {
    const std::uint64_t size = bytes.little(at + 4, 4);
    const std::uint64_t content = at + 8;
    if (bytes.is(at, "data")) {
      const std::uint64_t left = bytes.size() - content;
      std::uint64_t real = size == kUnknown && long_size ? *long_size : size;
      real = real == 0 || real == kUnknown ? left : real;
      bytes.require(content, real);
      if (format.empty()) {
        break;
      }
      return {head_for(format, real), file.subspan(content, real)};
    }
    bytes.require(content, size);
    if (bytes.is(at, "ds64") && size >= 16) {
      long_size = bytes.little(content + 8, 8);
    } else if (bytes.is(at, "fmt ") && size >= 16 && size <= kLargestFormat) {
      format = bytes.text(content, size);
    }
    at = content + size + (size & 1);
  }
  if (at >= bytes.size() || bytes.size() - at < 8) {
    throw Failure{.reason = wire::Reason::kCut};
  }
  throw Failure{.reason = wire::Reason::kCorrupt, .a = -1};
}

}  // namespace nolens::media_app
