#include "drawings.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numbers>
#include <utility>
#include <vector>

namespace nolens::train {
namespace {

using Rgb = std::array<std::uint8_t, 3>;

constexpr std::int64_t kOfficialDarkest = 230;  // ground channel
constexpr int kWideColourShift = 12;
constexpr int kSmallestContrast = 120;  // sum over the channels, between ground and shape

constexpr std::array<Rgb, 8> kColours = {{{0, 0, 0},
                                          {0, 0, 255},
                                          {165, 42, 42},
                                          {128, 128, 128},
                                          {0, 255, 0},
                                          {255, 0, 0},
                                          {0, 128, 128},
                                          {255, 255, 0}}};

struct Point {
  double x = 0.0;
  double y = 0.0;
};

/// The outline in canvas pixels. A circle is given by centre and radius, the others by corners.
struct Outline {
  std::vector<Point> corners;
  Point centre;
  double radius = 0.0;

  [[nodiscard]] bool contains(double x, double y) const {
    if (corners.empty()) {
      const double dx = x - centre.x;
      const double dy = y - centre.y;
      return dx * dx + dy * dy <= radius * radius;
    }
    // Inside a convex polygon: on the same side of every edge.
    bool left = true;
    bool right = true;
    for (std::size_t i = 0; i < corners.size(); ++i) {
      const Point& a = corners[i];
      const Point& b = corners[(i + 1) % corners.size()];
      const double cross = (b.x - a.x) * (y - a.y) - (b.y - a.y) * (x - a.x);
      left = left && cross >= 0.0;
      right = right && cross <= 0.0;
    }
    return left || right;
  }
};

struct Canvas {
  std::int64_t width = 128;
  std::int64_t height = 128;
  std::int64_t smallest = 16;  ///< of a shape
  std::int64_t largest = 64;
};

Point centroid(const std::vector<Point>& corners) {
  Point sum;
  for (const Point& p : corners) {
    sum.x += p.x / static_cast<double>(corners.size());
    sum.y += p.y / static_cast<double>(corners.size());
  }
  return sum;
}

/// Position and size as the official pictures have them; integer canvas coordinates are pixel
/// centres.
Outline official_outline(CounterRng& rng, std::int64_t shape, const Canvas& canvas) {
  Outline outline;
  const auto size = [&] { return rng.integer(canvas.smallest, canvas.largest); };
  if (shape == 0) {
    const std::int64_t d = size();
    const auto x = static_cast<double>(rng.integer(0, canvas.width - d));
    const auto y = static_cast<double>(rng.integer(0, canvas.height - d));
    const double half = static_cast<double>(d) / 2.0;
    outline.centre = {x + half, y + half};
    outline.radius = half + 0.25;
    return outline;
  }
  if (shape == 1) {
    const std::int64_t w = size();
    const std::int64_t h = size();
    const auto x = static_cast<double>(rng.integer(0, canvas.width - w));
    const auto y = static_cast<double>(rng.integer(0, canvas.height - h));
    const double right = x + static_cast<double>(w);
    const double bottom = y + static_cast<double>(h);
    outline.corners = {{x, y}, {right, y}, {right, bottom}, {x, bottom}};
  } else {
    const std::int64_t s = size();
    const auto x = static_cast<double>(rng.integer(s, canvas.width - s));
    const auto y = static_cast<double>(rng.integer(s, canvas.height - s));
    const auto side = static_cast<double>(s);
    outline.corners = {{x, y}, {x + side, y}, {x + side / 2.0, y - side * std::sqrt(3.0) / 2.0}};
  }
  outline.centre = centroid(outline.corners);
  return outline;
}

/// Turned shapes, unequal triangles, anywhere on the canvas.
Outline wide_outline(CounterRng& rng, std::int64_t shape, const Canvas& canvas) {
  const double span =
      rng.uniform(static_cast<double>(canvas.smallest), static_cast<double>(canvas.largest)) / 2.0;
  const double reach = span * (shape == 1 ? 1.3 : 1.1);
  Outline outline;
  outline.centre = {rng.uniform(reach, static_cast<double>(canvas.width) - reach),
                    rng.uniform(reach, static_cast<double>(canvas.height) - reach)};
  outline.radius = span;
  if (shape == 0) {
    return outline;
  }
  const double turn = rng.uniform(0.0, 2.0 * std::numbers::pi);
  std::vector<double> angles;
  if (shape == 1) {
    const double corner = rng.uniform(0.3, 0.7) * std::numbers::pi / 2.0;
    angles = {corner, std::numbers::pi - corner, std::numbers::pi + corner, -corner};
  } else {
    for (int i = 0; i < 3; ++i) {
      angles.push_back((i * 2.0 / 3.0 + rng.uniform(-0.12, 0.12)) * std::numbers::pi);
    }
  }
  for (const double angle : angles) {
    outline.corners.push_back({outline.centre.x + reach * std::cos(angle + turn),
                               outline.centre.y + reach * std::sin(angle + turn)});
  }
  outline.centre = centroid(outline.corners);
  return outline;
}

std::vector<std::uint8_t> paint(const Canvas& canvas, const Outline& outline, const Rgb& ground,
                                const Rgb& fill) {
  std::vector<std::uint8_t> rgb;
  rgb.reserve(static_cast<std::size_t>(canvas.width * canvas.height * 3));
  for (std::int64_t y = 0; y < canvas.height; ++y) {
    for (std::int64_t x = 0; x < canvas.width; ++x) {
      const bool inside = outline.contains(static_cast<double>(x), static_cast<double>(y));
      const Rgb& colour = inside ? fill : ground;
      rgb.insert(rgb.end(), colour.begin(), colour.end());
    }
  }
  return rgb;
}

/// Halves one axis with a bilinear (triangle) filter: taps 1 3 3 1 over 8, renormalised at the
/// border. `count` outputs of `pixel` values that lie `step` values apart, on each of `lines`
/// lines.
std::vector<std::uint8_t> halve_axis(const std::vector<std::uint8_t>& in, std::int64_t lines,
                                     std::int64_t in_line, std::int64_t out_line,
                                     std::int64_t count, std::int64_t step, std::int64_t values) {
  constexpr std::array<int, 4> kTaps = {1, 3, 3, 1};
  std::vector<std::uint8_t> out(static_cast<std::size_t>(lines * out_line));
  for (std::int64_t line = 0; line < lines; ++line) {
    for (std::int64_t i = 0; i < count; ++i) {
      for (std::int64_t v = 0; v < values; ++v) {
        int sum = 0;
        int weight = 0;
        for (std::int64_t t = 0; t < 4; ++t) {
          const std::int64_t source = 2 * i - 1 + t;
          if (source >= 0 && source < 2 * count) {
            const int tap = kTaps[static_cast<std::size_t>(t)];
            sum += tap * in[static_cast<std::size_t>(line * in_line + source * step + v)];
            weight += tap;
          }
        }
        out[static_cast<std::size_t>(line * out_line + i * step + v)] =
            static_cast<std::uint8_t>((sum + weight / 2) / weight);
      }
    }
  }
  return out;
}

Image halve(const std::vector<std::uint8_t>& rgb, std::int64_t width, std::int64_t height) {
  const std::int64_t half_width = width / 2;
  const std::int64_t half_height = height / 2;
  const auto narrow = halve_axis(rgb, height, width * 3, half_width * 3, half_width, 3, 3);
  auto small = halve_axis(narrow, 1, half_width * 3 * height, half_width * 3 * half_height,
                          half_height, half_width * 3, half_width * 3);
  return Image::from_rgb8(half_width, half_height, std::move(small));
}

std::uint8_t shifted(CounterRng& rng, std::uint8_t value, int reach) {
  const std::int64_t moved = value + rng.integer(-reach, reach);
  return static_cast<std::uint8_t>(std::clamp<std::int64_t>(moved, 0, 255));
}

/// Pictures of 48 to 200 pixels a side, up to twice as long as high. The canvas is twice that size.
Canvas wide_canvas(CounterRng& rng) {
  Canvas canvas;
  canvas.width = 2 * rng.integer(48, 200);
  canvas.height = 2 * rng.integer(48, 200);
  canvas.width = std::min(canvas.width, 2 * canvas.height);
  canvas.height = std::min(canvas.height, 2 * canvas.width);
  const std::int64_t side = std::min(canvas.width, canvas.height);
  canvas.smallest = side / 6;
  // An official triangle needs its side to the left, right and above.
  canvas.largest = side / 2;
  return canvas;
}

/// Pale, white, or any colour that is clearly not the fill.
Rgb wide_ground(CounterRng& rng, const Rgb& fill) {
  const double kind = rng.uniform();
  if (kind < 0.3) {
    return {255, 255, 255};
  }
  const std::int64_t darkest = kind < 0.7 ? 205 : 60;
  Rgb ground{};
  int distance = 0;
  while (distance < kSmallestContrast) {
    distance = 0;
    for (std::size_t c = 0; c < ground.size(); ++c) {
      ground[c] = static_cast<std::uint8_t>(rng.integer(darkest, 255));
      distance += std::abs(ground[c] - fill[c]);
    }
  }
  return ground;
}

}  // namespace

Drawing draw_picture(CounterRng& rng, double wide_share) {
  Drawing drawing;
  drawing.shape = rng.integer(0, static_cast<std::int64_t>(kShapeNames.size()) - 1);
  drawing.colour = rng.integer(0, static_cast<std::int64_t>(kColourNames.size()) - 1);
  Rgb fill = kColours[static_cast<std::size_t>(drawing.colour)];
  Rgb ground{};
  Canvas canvas;
  Outline outline;
  if (rng.chance(wide_share)) {
    canvas = wide_canvas(rng);
    for (std::uint8_t& channel : fill) {
      channel = shifted(rng, channel, kWideColourShift);
    }
    ground = wide_ground(rng, fill);
    outline = rng.chance(0.5) ? wide_outline(rng, drawing.shape, canvas)
                              : official_outline(rng, drawing.shape, canvas);
  } else {
    for (std::uint8_t& channel : ground) {
      channel = static_cast<std::uint8_t>(rng.integer(kOfficialDarkest, 255));
    }
    outline = official_outline(rng, drawing.shape, canvas);
  }
  drawing.image = halve(paint(canvas, outline, ground, fill), canvas.width, canvas.height);
  drawing.centre_x =
      static_cast<float>((outline.centre.x + 0.5) / static_cast<double>(canvas.width));
  drawing.centre_y =
      static_cast<float>((outline.centre.y + 0.5) / static_cast<double>(canvas.height));
  return drawing;
}

}  // namespace nolens::train
