#include "roofline.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "terminal.h"

namespace nolens::cli {
namespace {

constexpr double kWidth = 900.0;
constexpr double kHeight = 560.0;
constexpr double kLeft = 80.0;
constexpr double kRight = 870.0;
constexpr double kTop = 60.0;
constexpr double kBottom = 490.0;
constexpr double kLetterWidth = 6.6;  // of 12-pixel sans-serif, on the safe side
constexpr double kLabelHeight = 14.0;
constexpr double kGiga = 1e9;

/// Distinguishable for colour-blind readers: Okabe and Ito 2008.
constexpr std::array<const char*, 6> kColours{"#0072b2", "#d55e00", "#009e73",
                                              "#cc79a7", "#e69f00", "#56b4e9"};

struct Box {
  double x = 0.0;
  double y = 0.0;
  double width = 0.0;
  double height = 0.0;
  [[nodiscard]] bool meets(const Box& other) const noexcept {
    return x < other.x + other.width && other.x < x + width && y < other.y + other.height &&
           other.y < y + height;
  }
  [[nodiscard]] bool inside() const noexcept {
    return x >= kLeft && x + width <= kRight && y >= kTop && y + height <= kBottom;
  }
};

std::string escaped(std::string_view text) {
  std::string result;
  for (const char letter : harmless(text)) {
    switch (letter) {
      case '&': result += "&amp;"; break;
      case '<': result += "&lt;"; break;
      case '>': result += "&gt;"; break;
      case '"': result += "&quot;"; break;
      default: result += letter;
    }
  }
  return result;
}

std::string number(double value) {
  return with_decimals(value, 1);
}

/// 1, 10, 100, 1000, 0.1
std::string decade_text(int exponent) {
  return with_decimals(std::pow(10.0, exponent), std::max(0, -exponent));
}

bool is_drawable(double value) {
  return std::isfinite(value) && value > 0.0;
}

class Drawing {
 public:
  explicit Drawing(const Roofline& roofline) : roofline_(roofline) {
    std::copy_if(roofline.points.begin(), roofline.points.end(), std::back_inserter(points_),
                 [](const RooflinePoint& point) {
                   return is_drawable(point.ops_per_byte) && is_drawable(point.ops_per_second);
                 });
    choose_range();
  }

  std::string draw() {
    svg_ = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + number(kWidth) + " " +
           number(kHeight) + "\" width=\"" + number(kWidth) + "\" height=\"" + number(kHeight) +
           "\" font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" "
           "fill=\"white\"/>\n";
    text(kLeft, 30.0, roofline_.title, "font-size=\"16\"");
    grid();
    roofs();
    legend();
    points();
    return svg_ + "</svg>\n";
  }

 private:
  void choose_range() {
    double low_x = 1.0;
    double high_x = 1000.0;
    double low_y = 1e10;
    double high_y = 1e12;
    for (const RooflinePoint& point : points_) {
      low_x = std::min(low_x, point.ops_per_byte);
      high_x = std::max(high_x, point.ops_per_byte);
      low_y = std::min(low_y, point.ops_per_second);
      high_y = std::max(high_y, point.ops_per_second);
    }
    for (const RooflineCeiling& ceiling : roofline_.ceilings) {
      if (is_drawable(ceiling.ops_per_second)) {
        high_y = std::max(high_y, ceiling.ops_per_second);
        low_y = std::min(low_y, ceiling.ops_per_second);
      }
    }
    low_x_ = std::floor(std::log10(low_x));
    high_x_ = std::ceil(std::log10(high_x * 1.5));
    low_y_ = std::floor(std::log10(low_y));
    high_y_ = std::ceil(std::log10(high_y * 1.2));
  }

  [[nodiscard]] double x_of(double ops_per_byte) const {
    return kLeft + (std::log10(ops_per_byte) - low_x_) / (high_x_ - low_x_) * (kRight - kLeft);
  }
  [[nodiscard]] double y_of(double ops_per_second) const {
    return kBottom - (std::log10(ops_per_second) - low_y_) / (high_y_ - low_y_) * (kBottom - kTop);
  }

  void line(double x1, double y1, double x2, double y2, const std::string& style) {
    svg_ += "<line x1=\"" + number(x1) + "\" y1=\"" + number(y1) + "\" x2=\"" + number(x2) +
            "\" y2=\"" + number(y2) + "\" " + style + "/>\n";
  }

  void text(double x, double y, std::string_view content, const std::string& style = "") {
    svg_ += "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\" " + style + ">" +
            escaped(content) + "</text>\n";
  }

  void grid() {
    const std::string thin = "stroke=\"#ddd\"";
    for (int decade = static_cast<int>(low_x_); decade <= static_cast<int>(high_x_); ++decade) {
      const double x = x_of(std::pow(10.0, decade));
      line(x, kTop, x, kBottom, thin);
      text(x, kBottom + 18.0, decade_text(decade), "text-anchor=\"middle\"");
    }
    for (int decade = static_cast<int>(low_y_); decade <= static_cast<int>(high_y_); ++decade) {
      const double y = y_of(std::pow(10.0, decade));
      line(kLeft, y, kRight, y, thin);
      text(kLeft - 8.0, y + 4.0, decade_text(decade - 9), "text-anchor=\"end\"");
    }
    text((kLeft + kRight) / 2.0, kBottom + 40.0, "operations per byte read from memory",
         "text-anchor=\"middle\"");
    const std::string middle = number((kTop + kBottom) / 2.0);
    text(20.0, (kTop + kBottom) / 2.0, "Gop/s of matrix products",
         "text-anchor=\"middle\" transform=\"rotate(-90 20 " + middle + ")\"");
  }

  void roofs() {
    const double bandwidth = roofline_.bytes_per_second;
    double slope_top = 0.0;
    double label_y = 0.0;
    for (const RooflineCeiling& ceiling : roofline_.ceilings) {
      if (!is_drawable(ceiling.ops_per_second)) {
        continue;
      }
      const bool first = slope_top <= 0.0;
      const double corner =
          is_drawable(bandwidth) ? x_of(ceiling.ops_per_second / bandwidth) : kLeft;
      const double y = y_of(ceiling.ops_per_second);
      line(std::clamp(corner, kLeft, kRight), y, kRight, y,
           first ? "stroke=\"black\" stroke-width=\"2\""
                 : "stroke=\"#888\" stroke-dasharray=\"6 4\"");
      const std::string label =
          ceiling.label + " " + with_decimals(ceiling.ops_per_second / kGiga, 0) + " Gop/s";
      // Below the line where two ceilings are too close for both labels above.
      const double base = y - label_y < kLabelHeight + 4.0 ? y + kLabelHeight : y - 6.0;
      text(kRight - 4.0, base, label, "text-anchor=\"end\"");
      label_y = base;
      const double width = static_cast<double>(label.size()) * kLetterWidth;
      taken_.push_back({kRight - 4.0 - width, base - 12.0, width, 16.0});
      taken_.push_back({corner, y - 1.0, kRight - corner, 2.0});
      slope_top = std::max(slope_top, ceiling.ops_per_second);
    }
    if (!is_drawable(bandwidth) || slope_top <= 0.0) {
      return;
    }
    // From the left or lower edge, whichever the slope meets first.
    const double bottom = std::pow(10.0, low_y_);
    const double start = std::max(std::pow(10.0, low_x_), bottom / bandwidth);
    const double end = std::min(slope_top / bandwidth, std::pow(10.0, high_x_));
    line(x_of(start), y_of(start * bandwidth), x_of(end), y_of(end * bandwidth),
         "stroke=\"black\" stroke-width=\"2\"");
    const double angle =
        -std::atan2((kBottom - kTop) / (high_y_ - low_y_), (kRight - kLeft) / (high_x_ - low_x_)) *
        180.0 / 3.14159265358979;
    const double middle = std::sqrt(start * end);
    const double x = x_of(middle);
    const double y = y_of(middle * bandwidth) - 8.0;
    text(x, y, "memory " + with_decimals(bandwidth / kGiga, 1) + " GB/s",
         "text-anchor=\"middle\" transform=\"rotate(" + number(angle) + " " + number(x) + " " +
             number(y) + ")\"");
  }

  void legend() {
    double x = kLeft;
    for (std::size_t i = 0; i < roofline_.series.size(); ++i) {
      svg_ +=
          "<circle cx=\"" + number(x + 5.0) + "\" cy=\"45\" r=\"5\" fill=\"" + colour(i) + "\"/>\n";
      text(x + 15.0, 49.0, roofline_.series[i]);
      x += 35.0 + static_cast<double>(roofline_.series[i].size()) * kLetterWidth;
    }
  }

  static std::string colour(std::size_t series) { return kColours[series % kColours.size()]; }

  void points() {
    for (const RooflinePoint& point : points_) {
      const double x = x_of(point.ops_per_byte);
      const double y = y_of(point.ops_per_second);
      taken_.push_back({x - 5.0, y - 5.0, 10.0, 10.0});
    }
    for (const RooflinePoint& point : points_) {
      const double x = x_of(point.ops_per_byte);
      const double y = y_of(point.ops_per_second);
      const Box box = free_place(x, y, static_cast<double>(point.label.size()) * kLetterWidth);
      taken_.push_back(box);
      // A line to the nearest edge of a label that had to go further away.
      const double near_x = std::clamp(x, box.x, box.x + box.width);
      const double near_y = std::clamp(y, box.y, box.y + box.height);
      if (std::hypot(near_x - x, near_y - y) > 12.0) {
        line(x, y, near_x, near_y, "stroke=\"#999\" stroke-width=\"0.7\"");
      }
      svg_ += "<circle cx=\"" + number(x) + "\" cy=\"" + number(y) + "\" r=\"5\" fill=\"" +
              colour(point.series) + "\"/>\n";
      text(box.x, box.y + kLabelHeight - 3.0, point.label, "fill=\"" + colour(point.series) + "\"");
    }
  }

  /// The first of several places around a point, further and further away, that is not taken.
  [[nodiscard]] Box free_place(double x, double y, double width) const {
    const Box nearest{x + 9.0, y - kLabelHeight / 2.0, width, kLabelHeight};
    for (int ring = 0; ring < 20; ++ring) {
      const double away = ring * kLabelHeight;
      const std::array<Box, 6> places{
          {{x + 9.0, y - kLabelHeight / 2.0 + away, width, kLabelHeight},
           {x + 9.0, y - kLabelHeight / 2.0 - away, width, kLabelHeight},
           {x - 9.0 - width, y - kLabelHeight / 2.0 + away, width, kLabelHeight},
           {x - 9.0 - width, y - kLabelHeight / 2.0 - away, width, kLabelHeight},
           {x - width / 2.0, y + 8.0 + away, width, kLabelHeight},
           {x - width / 2.0, y - 8.0 - kLabelHeight - away, width, kLabelHeight}}};
      for (const Box& place : places) {
        if (place.inside() && std::none_of(taken_.begin(), taken_.end(),
                                           [&](const Box& other) { return other.meets(place); })) {
          return place;
        }
      }
    }
    return nearest;
  }

  const Roofline& roofline_;
  std::vector<RooflinePoint> points_;
  std::vector<Box> taken_;
  double low_x_ = 0.0, high_x_ = 1.0, low_y_ = 0.0, high_y_ = 1.0;  ///< decimal exponents
  std::string svg_;
};

}  // namespace

std::string roofline_svg(const Roofline& roofline) {
  return Drawing(roofline).draw();
}

}  // namespace nolens::cli
