// Roofline diagram (Williams, Waterman, Patterson 2009): speed over operations per byte, log-log.
#pragma once

#include <string>
#include <vector>

namespace nolens::cli {

struct RooflinePoint {
  std::string label;
  double ops_per_byte = 0.0;
  double ops_per_second = 0.0;
  std::size_t series = 0;  ///< index into Roofline::series
};

struct RooflineCeiling {
  std::string label;
  double ops_per_second = 0.0;
};

struct Roofline {
  std::string title;
  std::vector<RooflineCeiling> ceilings;  ///< highest first
  double bytes_per_second = 0.0;
  std::vector<std::string> series;  ///< engines, for the legend
  std::vector<RooflinePoint> points;
};

/// A complete SVG file. Points without positive finite coordinates are left out.
std::string roofline_svg(const Roofline& roofline);

}  // namespace nolens::cli
