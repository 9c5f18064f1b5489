// Tells the kinds of media apart by their first bytes, never by a file's name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "nolens/media.h"

namespace nolens {

/// What this library reads. JPEG, PNG and WebP are decoded in the library, the others by
/// nolens-media.
enum class MediaFormat : std::uint8_t {
  kUnknown,
  kJpeg,
  kPng,
  kWebp,
  kBmp,
  kGif,
  kWav,
  kFlac,
  kMp3,
  kOgg,
  kMp4,
  kM4a,
  kMatroska,
};

/// Looks at 4 KiB at most.
[[nodiscard]] MediaFormat media_format(std::span<const std::byte> file) noexcept;

/// For messages, "WAV"; and the word nolens-media knows it by, "wav" (empty: not its business).
[[nodiscard]] std::string_view display_name(MediaFormat format) noexcept;
[[nodiscard]] std::string_view decoder_word(MediaFormat format) noexcept;

/// What a file is that a caller cannot use, for a message: "a PDF document", "a playlist" … or a
/// description of its size and first bytes.
[[nodiscard]] std::string describe_unusable(std::span<const std::byte> file);

}  // namespace nolens
