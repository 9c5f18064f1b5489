// Files for tests of nolens-media: committed ones, WAV files made here, damage; and how to decode
// them.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <numbers>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nolens/error.h"
#include "nolens/media.h"

namespace nolens {

inline MediaOptions media_options() {
  MediaOptions options;
  options.program = NOLENS_MEDIA_PROGRAM;
  return options;
}

/// A file of tests/nolens_media/files.
inline std::string media_file(const std::string& name) {
  const auto path = std::filesystem::path(NOLENS_SOURCE_DIR) / "tests/nolens_media/files" / name;
  std::ifstream stream(path, std::ios::binary);
  EXPECT_TRUE(stream.good()) << path;
  return {std::istreambuf_iterator<char>(stream), {}};
}

inline Audio sound(std::string_view file, const MediaOptions& options = media_options()) {
  return decode_audio(std::as_bytes(std::span(file)), "sound", options);
}
inline Video clip(std::string_view file, std::int64_t frames,
                  const MediaOptions& options = media_options()) {
  return decode_video(std::as_bytes(std::span(file)), "clip", frames, options);
}
inline Image picture(std::string_view file, const MediaOptions& options = media_options()) {
  return decode_image(std::as_bytes(std::span(file)), "picture", options);
}

/// The message of the Error that `action` throws, which must have this code and be one sentence of
/// ours.
inline std::string media_error(ErrorCode code, const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_EQ(error.code(), code) << message;
    EXPECT_LT(message.size(), 400U);
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    EXPECT_EQ(message.find("0x"), std::string::npos) << message;
    return message;
  }
  return "(no error)";
}

/// The pieces of a WAV file (Microsoft/IBM, 1991), each of which a test may forge.
struct Wav {
  std::uint16_t format = 1;  ///< 1 PCM, 3 float, 6 A-law, 7 mu-law
  std::uint16_t channels = 1;
  std::uint32_t rate = 16'000;
  std::uint16_t bits = 16;
  std::string data = {};
  std::string before_data = {};  ///< other chunks

  template <typename T>
  static void put(std::string& text, T value) {
    char bytes[sizeof(T)];
    std::memcpy(bytes, &value, sizeof(T));
    text.append(bytes, sizeof(T));
  }
  template <typename T>
  Wav& add(T sample) {
    put(data, sample);
    return *this;
  }
  static std::string chunk(std::string_view name, std::string_view content, std::uint32_t size) {
    std::string text(name);
    put(text, size);
    return text.append(content);
  }
  [[nodiscard]] std::string fmt() const {
    std::string text;
    put(text, format);
    put(text, channels);
    put(text, rate);
    put(text, static_cast<std::uint32_t>(rate * channels * (bits / 8U)));
    put(text, static_cast<std::uint16_t>(channels * (bits / 8U)));
    put(text, bits);
    return text;
  }
  static std::string riff(std::string_view chunks, std::uint32_t size) {
    std::string text = "RIFF";
    put(text, size);
    return text.append("WAVE").append(chunks);
  }
  [[nodiscard]] std::string bytes() const {
    std::string chunks = chunk("fmt ", fmt(), 16) + before_data;
    chunks += chunk("data", data, static_cast<std::uint32_t>(data.size()));
    return riff(chunks, static_cast<std::uint32_t>(chunks.size() + 4));
  }
};

/// A sine of `hertz` as 16-bit samples, one channel.
inline Wav sine(std::uint32_t rate, double hertz, std::size_t samples, double amplitude = 0.5) {
  Wav wav;
  wav.rate = rate;
  for (std::size_t i = 0; i < samples; ++i) {
    const double phase = 2.0 * std::numbers::pi * hertz * static_cast<double>(i) / rate;
    wav.add(static_cast<std::int16_t>(std::lround(32767.0 * amplitude * std::sin(phase))));
  }
  return wav;
}

/// Strength of a tone in samples [from, to): amplitude of the sine of `hertz` that fits best.
inline double amplitude_of(const Audio& audio, double hertz, std::size_t from, std::size_t to) {
  double re = 0.0;
  double im = 0.0;
  for (std::size_t i = from; i < to; ++i) {
    const double phase = 2.0 * std::numbers::pi * hertz * static_cast<double>(i) / kAudioSampleRate;
    re += audio.samples[i] * std::cos(phase);
    im += audio.samples[i] * std::sin(phase);
  }
  return 2.0 * std::hypot(re, im) / static_cast<double>(to - from);
}

}  // namespace nolens
