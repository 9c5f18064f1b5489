// Pictures to ask models about without files: a coloured shape on a light ground.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "nolens/media.h"

namespace nolens::cli {

struct DrawnShape {
  std::string name;  ///< such as "blue circle"
  Image image;       ///< 64 x 64 pixels, the same on every machine
};

/// One picture of each colour that the bundled model knows.
std::vector<DrawnShape> drawn_shapes();

/// What to ask about each of them.
std::span<const char* const> shape_questions();

}  // namespace nolens::cli
