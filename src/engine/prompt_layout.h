// Prompt -> token ids with placeholders, and what each run of placeholders stands for.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "decoder/visibility.h"
#include "engine/content_hash.h"
#include "nolens/session.h"
#include "preprocess/image_to_patches.h"

namespace nolens {

/// A picture, or a frame of a clip.
struct ImageMedia {
  Image image;
  std::int64_t budget = 0;  ///< soft tokens; 0 = the processor's
  bool is_frame = false;    ///< of a clip
};

/// How the model wants such a picture.
[[nodiscard]] inline const ImageProcessorConfig& processor_for(const ModelConfig& config,
                                                               bool is_frame) noexcept {
  return is_frame ? config.video_processor.frame : config.image_processor;
}

/// A sound, or a piece of one.
struct AudioMedia {
  std::vector<float> samples;
};

/// A run of placeholders and what replaces them.
struct MediaSpan {
  std::int64_t begin = 0;  ///< absolute positions [begin, end): one per patch or frame of samples
  std::int64_t end = 0;
  std::variant<ImageMedia, AudioMedia> content;
  std::string name;
  ContentHash hash;  ///< of what it holds and its size

  /// Frees pixels and samples; what kind of media it is stays known.
  void drop_content() {
    std::visit([](auto& media) { media = {}; }, content);
  }

  /// Pictures see themselves in both directions and are computed in one step; sound is causal.
  [[nodiscard]] bool is_block() const noexcept {
    return std::holds_alternative<ImageMedia>(content);
  }
};

struct TokenSequence {
  std::vector<TokenId> ids;
  std::vector<MediaSpan> media;
  std::vector<ImageReport> images;
  std::vector<AudioReport> audios;
  std::vector<VideoReport> videos;
};

/// Positions start at `first_position`. \throws Error{kInput} if the model takes no such media or cannot
/// take one of these; Error{kModel} if the tokenizer lacks a control token the prompt needs.
TokenSequence lay_out_prompt(const ModelConfig& config, const Tokenizer& tokenizer,
                             const Prompt& prompt, std::int64_t image_tokens,
                             std::int64_t first_position);

/// What became of a prompt, before it is computed.
AppendResult describe(const TokenSequence& sequence);

}  // namespace nolens
