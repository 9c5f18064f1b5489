// A picture at another size that knows where it came from.
#pragma once

#include "nolens/media.h"

#include "preprocess/image_to_patches.h"

namespace nolens {

/// `image` at `size`, as image_to_patches() would scale it; its source size stays that of `image`.
/// With a pool on all of its threads. \throws Error{kResource}
Image scale_picture(const Image& image, ImageSize size, ThreadPool* pool = nullptr);

}  // namespace nolens
