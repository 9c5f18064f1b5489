// Size, resize, cut: the reference image processor without its padding rows, its values as bytes.
#include "preprocess/image_to_patches.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "nolens/error.h"

#include "core/check.h"
#include "core/checked_math.h"
#include "core/escape.h"
#include "preprocess/resize.h"
#include "preprocess/share.h"

namespace nolens {
namespace {

std::string describe(ImageSize size) {
  return std::to_string(size.width) + " x " + std::to_string(size.height) + " pixels";
}

/// \throws Error{kInput} on a picture without pixels or beyond 64-bit arithmetic.
std::int64_t checked_pixels(ImageSize size, const std::string& name) {
  const auto pixels = checked_mul(size.height, size.width);
  if (!pixels || *pixels == 0) {
    throw Error(ErrorCode::kInput, escape_for_message(name) + ": a picture of " + describe(size) +
                                       " cannot be used; both sides must be at least 1");
  }
  return *pixels;
}

/// Soft tokens a picture may take. \throws Error{kUsage} where the reference refuses.
std::int64_t checked_budget(std::int64_t budget, const ImageProcessorConfig& processor) {
  const std::int64_t used = budget == 0 ? processor.max_soft_tokens : budget;
  if (std::find(std::begin(kSoftTokenBudgets), std::end(kSoftTokenBudgets), used) !=
      std::end(kSoftTokenBudgets)) {
    return used;
  }
  std::string choices;
  for (const std::int64_t choice : kSoftTokenBudgets) {
    choices += (choices.empty() ? "" : ", ") + std::to_string(choice);
  }
  throw Error(ErrorCode::kUsage, "image token budget " + std::to_string(used) +
                                     (budget == 0 ? " (the model's default)" : "") +
                                     " is none of those the processor knows; choose one of " +
                                     choices);
}

/// Pixels of a patch, [side, side, 3], to planes of red, green and blue, [3, side, side].
void separate_channels(std::int64_t pixels, const std::uint8_t* rgb, std::uint8_t* planes) {
  for (std::int64_t channel = 0; channel < 3; ++channel) {
    for (std::int64_t i = 0; i < pixels; ++i) {
      planes[channel * pixels + i] = rgb[3 * i + channel];
    }
  }
}

}  // namespace

ImageSize target_image_size(ImageSize source, std::int64_t patch_size, std::int64_t max_patches,
                            std::int64_t pooling_kernel_size, const std::string& name) {
  NOLENS_CHECK(patch_size > 0 && max_patches > 0 && pooling_kernel_size > 0);
  const std::int64_t source_pixels = checked_pixels(source, name);
  const std::string picture = escape_for_message(name);
  const auto patch_pixels = checked_mul(patch_size, patch_size);
  const auto target_pixels = patch_pixels ? checked_mul(max_patches, *patch_pixels) : std::nullopt;
  const auto side = checked_mul(patch_size, pooling_kernel_size);
  const auto pooled = checked_mul(pooling_kernel_size, pooling_kernel_size);
  NOLENS_CHECK(target_pixels && side && pooled);
  const double factor =
      std::sqrt(static_cast<double>(*target_pixels) / static_cast<double>(source_pixels));
  const auto scaled = [&](std::int64_t length) {
    const double units =
        std::floor(factor * static_cast<double>(length) / static_cast<double>(*side));
    return static_cast<std::int64_t>(units) * *side;
  };

  ImageSize target{scaled(source.height), scaled(source.width)};
  const std::int64_t max_side = max_patches / *pooled * *side;
  // A side that rounds to nothing becomes one patch; the other is then a whole multiple of it.
  const auto strip = [&](std::int64_t longer, std::int64_t shorter) {
    return longer / shorter > max_side / *side ? max_side : longer / shorter * *side;
  };
  if (target.height == 0 && target.width == 0) {
    throw Error(ErrorCode::kInput,
                picture + ": " + describe(source) +
                    " would be scaled to nothing; the token budget is too small");
  }
  if (target.height == 0) {
    target = {*side, strip(source.width, source.height)};
  } else if (target.width == 0) {
    target = {strip(source.height, source.width), *side};
  }
  if (target.height * target.width > *target_pixels) {
    throw Error(ErrorCode::kInput, picture + ": " + describe(source) + " would be scaled to " +
                                       describe(target) + ", more than the budget of " +
                                       std::to_string(*target_pixels) +
                                       " pixels; crop the picture or raise the image token budget");
  }
  return target;
}

ImageSize source_size(const Image& image) noexcept {
  return {image.source_height(), image.source_width()};
}

ImageSize processed_size(ImageSize source, const VisionConfig& vision,
                         const ImageProcessorConfig& processor, std::int64_t budget,
                         const std::string& name) {
  checked_pixels(source, name);
  if (processor.fixed_height > 0) {
    return {processor.fixed_height, processor.fixed_width};
  }
  const std::int64_t pooling = vision.pooling_kernel_size;
  return target_image_size(source, vision.patch_size,
                           checked_budget(budget, processor) * pooling * pooling, pooling, name);
}

PatchGrid image_to_patches(const Image& image, const VisionConfig& vision,
                           const ImageProcessorConfig& processor, std::int64_t budget,
                           const std::string& name, ThreadPool* pool) {
  PatchGrid grid;
  grid.source = source_size(image);
  grid.used = processed_size(grid.source, vision, processor, budget, name);
  const std::int64_t side = vision.model_patch_size();
  NOLENS_CHECK(grid.used.height % side == 0 && grid.used.width % side == 0);
  grid.grid_width = grid.used.width / side;
  grid.grid_height = grid.used.height / side;
  grid.patch_values = vision.patch_values();

  grid.scale = {processor.rescale_factor, processor.rescale_divisor};

  const BicubicResize resize(image, grid.used.width, grid.used.height);
  grid.pixels = AlignedBuffer<std::uint8_t>(grid.num_patches() * grid.patch_values, Unset{});
  const bool separates = vision.patch_order == PatchOrder::kChannelsFirst;
  share(pool, grid.grid_height, [&](const auto& next) {
    BicubicResize::Scratch scratch;
    AlignedBuffer<std::uint8_t> rgb(separates ? grid.patch_values : 0, Unset{});
    for (std::int64_t y = next(); y < grid.grid_height; y = next()) {
      std::uint8_t* patches = grid.pixels.data() + y * grid.grid_width * grid.patch_values;
      // A line of the picture is a line of each patch of the row.
      resize.lines(y * side, (y + 1) * side, scratch,
                   {patches, side * 3, side * 3, grid.patch_values});
      for (std::int64_t x = 0; separates && x < grid.grid_width; ++x) {
        std::uint8_t* patch = patches + x * grid.patch_values;
        std::copy_n(patch, grid.patch_values, rgb.data());
        separate_channels(side * side, rgb.data(), patch);
      }
    }
  });
  return grid;
}

AlignedBuffer<float> PatchGrid::values() const {
  AlignedBuffer<float> values(pixels.size(), Unset{});
  std::transform(pixels.data(), pixels.data() + pixels.size(), values.data(),
                 [this](std::uint8_t pixel) { return scale.value(pixel); });
  return values;
}

}  // namespace nolens
