// Writes JPEG files with libjpeg: colour spaces, scans and markers as a test wants them.
#pragma once

#include <utility>

#include "media/picture.h"

namespace nolens {

enum class JpegColour : std::uint8_t { kGrey, kYcc, kRgb, kCmyk, kYcck };

struct JpegOptions {
  JpegColour colour = JpegColour::kYcc;
  int quality = 95;
  int sampling = 1;  ///< horizontal and vertical factor of the first component
  bool progressive = false;
  int scans_per_component =
      0;  ///< progressive only; AC scans of one coefficient, 0 = libjpeg's script
  int restart_interval = 0;                      ///< MCUs
  std::vector<std::pair<int, Bytes>> markers{};  ///< APPn number and content
};

/// `picture` has 1, 3 or 4 channels, as the colour space wants; CMYK is written as it is.
Bytes write_jpeg(const Picture& picture, const JpegOptions& options = {});

}  // namespace nolens
