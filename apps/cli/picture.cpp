#include "picture.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>

#include "terminal.h"

namespace nolens::cli {
namespace {

constexpr int kMaxColumns = 60;
constexpr int kMaxRows = 20;

using Colour = std::array<int, 3>;

/// Mean of the pixels [x0, x1) x [y0, y1), at least one.
Colour mean_colour(const Image& image, std::int64_t x0, std::int64_t x1, std::int64_t y0,
                   std::int64_t y1) {
  x1 = std::max(x1, x0 + 1);
  y1 = std::max(y1, y0 + 1);
  std::array<std::int64_t, 3> sum{};
  for (std::int64_t y = y0; y < y1; ++y) {
    for (std::int64_t x = x0; x < x1; ++x) {
      const auto pixel =
          image.rgb().subspan(static_cast<std::size_t>(3 * (y * image.width() + x)), 3);
      for (std::size_t channel = 0; channel < 3; ++channel) {
        sum[channel] += pixel[channel];
      }
    }
  }
  const std::int64_t count = (x1 - x0) * (y1 - y0);
  return {static_cast<int>(sum[0] / count), static_cast<int>(sum[1] / count),
          static_cast<int>(sum[2] / count)};
}

std::string escape(int layer, const Colour& colour) {
  return "\x1b[" + std::to_string(layer) + ";2;" + std::to_string(colour[0]) + ";" +
         std::to_string(colour[1]) + ";" + std::to_string(colour[2]) + "m";
}

}  // namespace

std::string draw_picture(const Image& image, int columns, int rows) {
  const std::int64_t width = image.width();
  const std::int64_t height = image.height();
  if (width == 0 || height == 0 || columns < 1 || rows < 1) {
    return {};
  }
  constexpr int kForeground = 38;
  constexpr int kBackground = 48;
  const double scale = std::min({1.0, static_cast<double>(columns) / static_cast<double>(width),
                                 2.0 * rows / static_cast<double>(height)});
  const auto scaled = [scale](std::int64_t size) {
    return std::max<std::int64_t>(1, static_cast<std::int64_t>(static_cast<double>(size) * scale));
  };
  const std::int64_t drawn_width = scaled(width);
  const std::int64_t drawn_height = scaled(height);
  const auto cell = [&](std::int64_t x, std::int64_t y) {
    return mean_colour(image, x * width / drawn_width, (x + 1) * width / drawn_width,
                       y * height / drawn_height, (y + 1) * height / drawn_height);
  };
  std::string text;
  for (std::int64_t y = 0; y < drawn_height; y += 2) {
    for (std::int64_t x = 0; x < drawn_width; ++x) {
      text += escape(kForeground, cell(x, y));
      if (y + 1 < drawn_height) {
        text += escape(kBackground, cell(x, y + 1));
      }
      text += "▀";
    }
    text += "\x1b[0m\n";
  }
  return text;
}

void show_picture(const Image& image) {
  if (stderr_has_true_colour()) {
    // Not print_error(): the escape sequences are ours.
    std::fputs(draw_picture(image, std::min(kMaxColumns, terminal_width()), kMaxRows).c_str(),
               stderr);
  }
}

}  // namespace nolens::cli
