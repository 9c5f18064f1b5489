// The small random models of tests/golden, loaded through the public interface.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "nolens/model.h"
#include "nolens/session.h"

namespace nolens::testing {

inline std::filesystem::path tiny_model_path(const char* name = "tiny_stored") {
  return std::filesystem::path(NOLENS_SOURCE_DIR) / "tests" / "golden" / "models" / name;
}

inline std::shared_ptr<const Model> tiny_model(const LoadOptions& options = {.num_threads = 2}) {
  return Model::load(tiny_model_path(), options);
}

/// A picture whose pixels depend on `seed`.
inline Image striped_picture(std::int64_t width, std::int64_t height, int seed) {
  std::vector<std::uint8_t> rgb;
  for (std::int64_t i = 0; i < width * height * 3; ++i) {
    rgb.push_back(static_cast<std::uint8_t>((i * (seed + 3) + i / width * 11) % 256));
  }
  return Image::from_rgb8(width, height, std::move(rgb));
}

inline Message user(std::vector<ContentPart> content) {
  Message message;
  message.content_is_string = content.size() == 1 && std::holds_alternative<TextPart>(content[0]);
  message.content = std::move(content);
  return message;
}

inline Prompt question(const std::string& text) { return render_chat({user({TextPart{text}})}, {}); }

inline Prompt question(const Image& image, const std::string& text) {
  return render_chat({user({ImagePart{image, "picture", 0}, TextPart{text}})}, {});
}

}  // namespace nolens::testing
