#include "drawn_shapes.h"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <utility>

namespace nolens::cli {
namespace {

using Colour = std::array<std::uint8_t, 3>;

enum class Shape : std::uint8_t { kCircle, kRectangle, kTriangle };

struct Drawing {
  const char* name;
  Shape shape;
  Colour colour;
  std::int64_t x, y;  ///< of the middle
  std::int64_t size;  ///< from the middle to the farthest edge along an axis
};

constexpr std::int64_t kSide = 64;
constexpr Colour kGround = {242, 248, 244};
constexpr std::array<Drawing, 8> kDrawings{{
    {"blue circle", Shape::kCircle, {0, 0, 255}, 24, 30, 13},
    {"red rectangle", Shape::kRectangle, {255, 0, 0}, 36, 28, 14},
    {"green triangle", Shape::kTriangle, {0, 255, 0}, 32, 34, 16},
    {"black circle", Shape::kCircle, {0, 0, 0}, 40, 40, 10},
    {"yellow rectangle", Shape::kRectangle, {255, 255, 0}, 26, 38, 12},
    {"teal triangle", Shape::kTriangle, {0, 128, 128}, 28, 26, 14},
    {"gray circle", Shape::kCircle, {128, 128, 128}, 34, 24, 15},
    {"brown rectangle", Shape::kRectangle, {165, 42, 42}, 30, 32, 16},
}};
constexpr std::array<const char*, 2> kQuestions = {"What shape is in the picture?",
                                                   "What color is the shape?"};

bool covers(const Drawing& drawing, std::int64_t x, std::int64_t y) {
  const std::int64_t dx = x - drawing.x;
  const std::int64_t dy = y - drawing.y;
  const std::int64_t size = drawing.size;
  switch (drawing.shape) {
    case Shape::kCircle: return dx * dx + dy * dy <= size * size;
    case Shape::kRectangle: return std::abs(dx) <= size && 3 * std::abs(dy) <= 2 * size;
    case Shape::kTriangle: return std::abs(dy) <= size && 2 * std::abs(dx) <= dy + size;
  }
  return false;
}

Image draw(const Drawing& drawing) {
  std::vector<std::uint8_t> rgb;
  rgb.reserve(static_cast<std::size_t>(kSide * kSide * 3));
  for (std::int64_t y = 0; y < kSide; ++y) {
    for (std::int64_t x = 0; x < kSide; ++x) {
      const Colour& colour = covers(drawing, x, y) ? drawing.colour : kGround;
      rgb.insert(rgb.end(), colour.begin(), colour.end());
    }
  }
  return Image::from_rgb8(kSide, kSide, std::move(rgb));
}

}  // namespace

std::vector<DrawnShape> drawn_shapes() {
  std::vector<DrawnShape> shapes;
  for (const Drawing& drawing : kDrawings) {
    shapes.push_back({drawing.name, draw(drawing)});
  }
  return shapes;
}

std::span<const char* const> shape_questions() {
  return kQuestions;
}

}  // namespace nolens::cli
