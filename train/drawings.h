// Own drawings of the easy-VQA family: one flat shape on a tinted ground.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "nolens/media.h"

#include "counter_rng.h"

namespace nolens::train {

inline constexpr std::array<std::string_view, 3> kShapeNames = {"circle", "rectangle", "triangle"};
inline constexpr std::array<std::string_view, 8> kColourNames = {
    "black", "blue", "brown", "gray", "green", "red", "teal", "yellow"};

struct Drawing {
  Image image;
  std::int64_t shape = 0;   ///< index into kShapeNames
  std::int64_t colour = 0;  ///< index into kColourNames
  float centre_x = 0.0F;    ///< of the shape, 0…1 across the picture
  float centre_y = 0.0F;
};

/// Draws one picture. As measured on the official ones: a 128x128 canvas, shapes of 16 to 64
/// pixels, upright, halved with a bilinear filter to 64x64, ground channels uniform in 230…255.
/// With chance `wide_share` it varies more than they do: turned and unequal shapes, other grounds
/// and sizes, shifted colours.
Drawing draw_picture(CounterRng& rng, double wide_share);

}  // namespace nolens::train
