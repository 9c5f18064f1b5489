// Where the picture, sound or clip of a content part comes from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "nolens/chat.h"
#include "nolens/media.h"

#include "formats/json.h"

namespace nolens {

/// Reads the media of one messages document and counts them against the limits.
class MessageMediaReader {
 public:
  MessageMediaReader(std::filesystem::path base_directory, const MediaOptions& options)
      : base_directory_(std::move(base_directory)), options_(options) {}

  /// True for types of parts that read() takes.
  [[nodiscard]] static bool is_media(const std::string& type);

  /// Reads a part of type `image`, `image_url`, `input_image`, `audio`, `audio_url`, `input_audio`,
  /// `video` or `video_url`. `where` names it in messages. \throws Error{kInput} or
  /// Error{kResource}
  ContentPart read(const Json& part, const std::string& type, const std::string& where);

 private:
  /// Bytes of a file or data URL and what to call them.
  struct Source {
    std::vector<std::byte> bytes;
    std::string name;
  };

  ImagePart read_image(const Json& part, const std::string& type, const std::string& where);
  AudioPart read_audio(const Json& part, const std::string& type, const std::string& where);
  VideoPart read_video(const Json& part, const std::string& type, const std::string& where);
  Video read_frames(const Json& part, const std::string& where);

  Source load(const Json& part, const char* kind, const std::string& where) const;
  Source from_file(const std::string& path, const std::string& where) const;
  Source from_text(const std::string& text, const char* kind, const std::string& where) const;
  Source from_url(const std::string& url, const char* kind, const std::string& where) const;
  void count_picture(const std::string& where);
  void count_bytes(std::size_t bytes, const std::string& where);

  std::filesystem::path base_directory_;
  MediaOptions options_;
  std::int64_t pictures_ = 0;
  std::int64_t clips_ = 0;
  std::int64_t total_bytes_ = 0;
};

}  // namespace nolens
