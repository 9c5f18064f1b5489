// Pixels that tests encode and expect back, and the checks that they share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nolens/error.h"
#include "nolens/media.h"

namespace nolens {

using Bytes = std::vector<std::uint8_t>;

/// Samples [height, width, channels].
struct Picture {
  int width = 0;
  int height = 0;
  int channels = 3;
  Bytes samples;
};

/// Every sample differs from its neighbours; the same for every run.
inline Picture noise(int width, int height, int channels) {
  Picture picture{width, height, channels, {}};
  std::uint32_t state = 12345;
  for (int i = 0; i < width * height * channels; ++i) {
    state = state * 1664525U + 1013904223U;
    picture.samples.push_back(static_cast<std::uint8_t>(state >> 24));
  }
  return picture;
}

/// Smooth, as lossy formats like it.
inline Picture gradient(int width, int height, int channels) {
  Picture picture{width, height, channels, {}};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int channel = 0; channel < channels; ++channel) {
        const int wave = (40 + 2 * x + 3 * y + 50 * channel) % 400;
        picture.samples.push_back(static_cast<std::uint8_t>(wave < 200 ? wave : 400 - wave));
      }
    }
  }
  return picture;
}

inline Picture solid(int width, int height, const Bytes& pixel) {
  Picture picture{width, height, static_cast<int>(pixel.size()), {}};
  for (int i = 0; i < width * height; ++i) {
    picture.samples.insert(picture.samples.end(), pixel.begin(), pixel.end());
  }
  return picture;
}

inline std::span<const std::byte> as_file(std::span<const std::uint8_t> bytes) {
  return std::as_bytes(bytes);
}

inline Image decode(std::span<const std::uint8_t> bytes, const ImageLimits& limits = {},
                    AlphaMode alpha = AlphaMode::kDrop) {
  return Image::decode(as_file(bytes), "picture", limits, alpha);
}

inline Bytes rgb_of(const Image& image) {
  return {image.rgb().begin(), image.rgb().end()};
}

/// Largest difference between two equally long lists of samples.
inline int largest_difference(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) {
  EXPECT_EQ(a.size(), b.size());
  int largest = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    largest = std::max(largest, std::abs(static_cast<int>(a[i]) - static_cast<int>(b[i])));
  }
  return largest;
}

/// A message of ours: no address, no path of a library, none of its phrases, one line of ASCII.
inline void expect_own_words(const std::string& message) {
  for (const char* foreign :
       {"0x", "libpng", "libjpeg", "libwebp", "VP8", "IDAT", "zlib", "Huffman", "JERR", "/usr",
        "bogus", "Premature", "inflate", "\n", "\t"}) {
    EXPECT_THAT(message, ::testing::Not(::testing::HasSubstr(foreign)));
  }
  for (const char letter : message) {
    EXPECT_TRUE(letter >= 0x20 && letter < 0x7F) << message;
  }
  EXPECT_LT(message.size(), 400U);
}

/// The error that decoding ends with; nothing if it succeeds. Its words are checked.
inline std::optional<Error> decode_error(std::span<const std::uint8_t> bytes,
                                         const ImageLimits& limits = {},
                                         AlphaMode alpha = AlphaMode::kDrop) {
  try {
    decode(bytes, limits, alpha);
    return std::nullopt;
  } catch (const Error& error) {
    expect_own_words(error.what());
    return error;
  }
}

inline void expect_refused(std::span<const std::uint8_t> bytes, ErrorCode code,
                           const std::string& text, const ImageLimits& limits = {}) {
  const std::optional<Error> error = decode_error(bytes, limits);
  ASSERT_TRUE(error.has_value()) << "was decoded; expected '" << text << "'";
  EXPECT_EQ(error->code(), code) << error->what();
  EXPECT_THAT(error->what(), ::testing::HasSubstr(text));
  EXPECT_THAT(error->what(), ::testing::HasSubstr("picture"));
}

/// The file cut at `points` places spread over it must be refused, as cut or as corrupt.
inline void expect_every_cut_refused(const Bytes& file, std::size_t points = 100) {
  for (std::size_t i = 0; i < points; ++i) {
    const std::size_t size = file.size() * i / points;
    const std::optional<Error> error = decode_error(std::span(file).first(size));
    ASSERT_TRUE(error.has_value()) << size << " of " << file.size() << " bytes were decoded";
    EXPECT_EQ(error->code(), ErrorCode::kInput) << error->what();
  }
  EXPECT_TRUE(decode_error(std::span(file).first(file.size() - 1)).has_value());
}

/// Flips every bit in turn (every `step`-th) and calls `check` with the outcome.
inline void for_each_flip(
    const Bytes& file, std::size_t step,
    const std::function<void(std::size_t, const std::optional<Error>&)>& check) {
  for (std::size_t bit = 0; bit < file.size() * 8; bit += step) {
    Bytes damaged = file;
    damaged[bit / 8] = static_cast<std::uint8_t>(damaged[bit / 8] ^ (1U << (bit % 8)));
    check(bit, decode_error(damaged, {.max_pixels = 1'000'000}));
  }
}

}  // namespace nolens
