// Size, resize, rescale, cut: the reference image processor without its padding rows.
#include "preprocess/image_to_patches.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <optional>

#include "nolens/error.h"

#include "core/check.h"
#include "core/checked_math.h"
#include "core/escape.h"
#include "platform/thread_pool.h"
#include "preprocess/resize.h"

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

/// What each of the 256 pixel values becomes.
std::array<float, 256> scaled_values(const ImageProcessorConfig& processor) {
  std::array<float, 256> values{};
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto pixel = static_cast<float>(i);
    values[i] = processor.rescale_divisor != 0.0F ? pixel / processor.rescale_divisor
                                                  : pixel * processor.rescale_factor;
  }
  return values;
}

/// What the patches of one row of the grid are made from.
struct PatchRow {
  const std::uint8_t* rgb;  ///< [side, grid_width * side, 3]
  std::int64_t grid_width;
  std::int64_t side;
  PatchOrder order;
  const std::array<float, 256>& values;
};

/// Writes the pixels of patch x of a row as float, in the order the weights expect.
void cut_patch(const PatchRow& row, std::int64_t x, float* out) {
  const std::int64_t side = row.side;
  for (std::int64_t y = 0; y < side; ++y) {
    const std::uint8_t* source = row.rgb + (y * row.grid_width + x) * side * 3;
    if (row.order == PatchOrder::kChannelsLast) {
      for (std::int64_t i = 0; i < 3 * side; ++i) {
        out[y * side * 3 + i] = row.values[source[i]];
      }
      continue;
    }
    for (std::int64_t column = 0; column < side; ++column) {
      for (std::int64_t channel = 0; channel < 3; ++channel) {
        out[(channel * side + y) * side + column] = row.values[source[3 * column + channel]];
      }
    }
  }
}

/// body(next) on every thread, where next() gives each of 0 … count - 1 to one caller, then
/// `count`.
template <typename Body>
void share(ThreadPool* pool, std::int64_t count, const Body& body) {
  std::atomic<std::int64_t> taken{0};
  const auto next = [&] { return std::min(count, taken.fetch_add(1)); };
  const std::int64_t threads =
      pool == nullptr ? 1 : std::min<std::int64_t>(pool->num_threads(), count);
  if (threads <= 1) {
    body(next);
    return;
  }
  pool->parallel_for(threads, 1, [&](std::int64_t, std::int64_t) { body(next); });
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
  grid.source = {image.height(), image.width()};
  grid.used = processed_size(grid.source, vision, processor, budget, name);
  const std::int64_t side = vision.model_patch_size();
  NOLENS_CHECK(grid.used.height % side == 0 && grid.used.width % side == 0);
  grid.grid_width = grid.used.width / side;
  grid.grid_height = grid.used.height / side;
  grid.patch_values = vision.patch_values();

  const std::array<float, 256> values = scaled_values(processor);
  const BicubicResize resize(image, grid.used.width, grid.used.height);
  grid.values = AlignedBuffer<float>(grid.num_patches() * grid.patch_values, Unset{});
  share(pool, grid.grid_height, [&](const auto& next) {
    BicubicResize::Scratch scratch;
    AlignedBuffer<std::uint8_t> lines(side * grid.used.width * 3, Unset{});
    for (std::int64_t y = next(); y < grid.grid_height; y = next()) {
      resize.lines(y * side, (y + 1) * side, scratch, lines.data());
      const PatchRow row{lines.data(), grid.grid_width, side, vision.patch_order, values};
      for (std::int64_t x = 0; x < grid.grid_width; ++x) {
        cut_patch(row, x, grid.values.data() + (y * grid.grid_width + x) * grid.patch_values);
      }
    }
  });
  return grid;
}

}  // namespace nolens
