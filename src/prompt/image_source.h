// Where the picture of a content part comes from.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "nolens/chat.h"
#include "nolens/media.h"

#include "formats/json.h"

namespace nolens {

/// Reads the pictures of one messages document and counts them against the limits.
class ImageReader {
 public:
  ImageReader(std::filesystem::path base_directory, const ImageLimits& limits, AlphaMode alpha)
      : base_directory_(std::move(base_directory)), limits_(limits), alpha_(alpha) {}

  /// Reads a part of type `image`, `image_url` or `input_image`. `where` names it in messages.
  /// \throws Error{kInput} or Error{kResource}
  ImagePart read(const Json& part, const std::string& type, const std::string& where);

 private:
  Image load(const Json& part, const std::string& where);
  Image from_file(const std::string& path, const std::string& where) const;
  Image from_url(const std::string& url, const std::string& where) const;

  std::filesystem::path base_directory_;
  ImageLimits limits_;
  AlphaMode alpha_;
  std::int64_t count_ = 0;
  std::int64_t total_bytes_ = 0;
};

}  // namespace nolens
