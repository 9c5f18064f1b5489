// Training data: JSONL, one conversation a line, grouped by picture.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "nolens/media.h"

#include "groups.h"
#include "prompt_encoder.h"

namespace nolens::train {

/// All conversations about the same picture (or the same several pictures).
struct Example {
  std::vector<TokenId> prefix;  ///< one placeholder per picture
  std::vector<Image> pictures;
  std::string key;  ///< the pictures' paths
  std::vector<Branch> branches;
  std::string caption;
};

struct BadLine {
  std::int64_t number = 0;  ///< from 1
  std::string reason;
};

struct Dataset {
  std::vector<Example> examples;
  std::vector<BadLine> bad_lines;
  std::int64_t lines = 0;  ///< that were not empty
};

/// Reads `file`. Each line is an object with `messages` [{role, content}, …] and, unless it is a
/// text conversation, `image` (a path relative to the file's folder) or `images`; a `caption` pairs
/// text with the picture for the contrastive loss (the first answer does if there is none). Every
/// answer of the assistant is one training branch. Lines that cannot be used are listed, not fatal.
/// \throws Error{kUsage} if the file cannot be read.
Dataset read_dataset(const std::filesystem::path& file, const PromptEncoder& encoder,
                     std::int64_t max_tokens);

}  // namespace nolens::train
