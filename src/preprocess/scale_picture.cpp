#include "preprocess/scale_picture.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/checked_math.h"
#include "preprocess/resize.h"
#include "preprocess/share.h"

namespace nolens {
namespace {

/// Lines a thread takes at a time: many share the lines of the source at their borders, few keep
/// all threads busy to the end.
constexpr std::int64_t kBand = 48;

}  // namespace

Image scale_picture(const Image& image, ImageSize size, ThreadPool* pool) {
  const BicubicResize resize(image, size.width, size.height);
  const std::int64_t stride = size.width * 3;
  std::vector<std::uint8_t> rgb(static_cast<std::size_t>(size.height * stride));
  share(pool, ceil_div(size.height, kBand), [&](const auto& next) {
    BicubicResize::Scratch scratch;
    for (std::int64_t begin = next() * kBand; begin < size.height; begin = next() * kBand) {
      resize.lines(begin, std::min(size.height, begin + kBand), scratch,
                   rgb.data() + begin * stride);
    }
  });
  const ImageSize source = source_size(image);
  return Image::from_rgb8(size.width, size.height, std::move(rgb))
      .scaled_from(source.width, source.height);
}

}  // namespace nolens
