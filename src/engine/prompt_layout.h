// Prompt -> token ids with placeholders, and which picture each run of placeholders stands for.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "decoder/visibility.h"
#include "nolens/session.h"
#include "preprocess/image_to_patches.h"

namespace nolens {

/// A picture and the placeholder positions its soft tokens replace.
struct MediaSpan {
  VisionBlock block;              ///< absolute positions; as long as the picture has patches
  Image image;                    ///< released once its keys and values are computed
  std::string name;
  std::int64_t budget = 0;        ///< 0 = the processor's
  std::uint64_t content_hash = 0; ///< of pixels and sizes
  ImageReport report;
};

struct TokenSequence {
  std::vector<TokenId> ids;
  std::vector<MediaSpan> media;
};

/// Positions start at `first_position`. \throws Error{kInput} if the model takes no pictures or cannot
/// take one of these; Error{kModel} if the tokenizer lacks a control token the prompt needs.
TokenSequence lay_out_prompt(const ModelConfig& config, const Tokenizer& tokenizer,
                             const Prompt& prompt, std::int64_t image_tokens,
                             std::int64_t first_position);

}  // namespace nolens
