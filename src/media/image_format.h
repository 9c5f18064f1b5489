// Tells a file's kind by its first bytes, never by its name or label.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace nolens {

enum class ImageFormat : std::uint8_t { kUnknown, kJpeg, kPng, kWebp };

/// Only the three kinds that Image::decode() reads; anything else is kUnknown.
[[nodiscard]] ImageFormat image_format(std::span<const std::byte> file) noexcept;

/// What a file of kUnknown format is, for a message: "a GIF picture", "a PDF document" … or empty.
[[nodiscard]] std::string_view other_file_kind(std::span<const std::byte> file) noexcept;

}  // namespace nolens
