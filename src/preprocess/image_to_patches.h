// Picture -> rows of pixel values that the patch embedder takes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/aligned_buffer.h"
#include "core/pixel_rows.h"
#include "nolens/config.h"
#include "nolens/media.h"

namespace nolens {

struct ImageSize {
  std::int64_t height = 0;
  std::int64_t width = 0;
  bool operator==(const ImageSize&) const = default;
};

/// Size a picture is scaled to so that it fills `max_patches` patches of `patch_size` pixels, both
/// sides multiples of patch_size * pooling_kernel_size. Reference rule, docs/model.md "Image size".
/// \throws Error{kInput} where the reference refuses; `name` stands for the picture.
ImageSize target_image_size(ImageSize source, std::int64_t patch_size, std::int64_t max_patches,
                            std::int64_t pooling_kernel_size, const std::string& name);

/// Rows of one picture. positions[i] = (x, y) of patch i on the patch grid, row-major order.
struct PatchGrid {
  std::int64_t grid_width = 0;
  std::int64_t grid_height = 0;
  std::int64_t patch_values = 0;       ///< model_patch_size^2 * 3, in the order of patch_order
  AlignedBuffer<std::uint8_t> pixels;  ///< [grid_height * grid_width, patch_values]
  PixelScale scale;                    ///< what they stand for
  ImageSize source;
  ImageSize used;

  [[nodiscard]] std::int64_t num_patches() const noexcept { return grid_width * grid_height; }
  [[nodiscard]] PixelRows rows() const noexcept {
    return {pixels.data(), num_patches(), patch_values, scale};
  }
  /// The reference processor's pixel_values: four times the memory of `pixels`.
  [[nodiscard]] AlignedBuffer<float> values() const;
};

/// Size that decides what a picture is scaled to: before any scaling.
ImageSize source_size(const Image& image) noexcept;

/// Size the picture will have, by budget or fixed size. `budget` 0 = the processor's.
ImageSize processed_size(ImageSize source, const VisionConfig& vision,
                         const ImageProcessorConfig& processor, std::int64_t budget,
                         const std::string& name);

class ThreadPool;

/// Resizes, unless the picture has the size it should, and cuts; with a pool, on all of its
/// threads. \throws Error{kInput}, Error{kUsage} on a budget that is none of kSoftTokenBudgets.
PatchGrid image_to_patches(const Image& image, const VisionConfig& vision,
                           const ImageProcessorConfig& processor, std::int64_t budget,
                           const std::string& name, ThreadPool* pool = nullptr);

}  // namespace nolens
