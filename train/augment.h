// Changes to a picture that keep its answers true.
#pragma once

#include <cstdint>

#include "nolens/media.h"

#include "counter_rng.h"

namespace nolens::train {

struct AugmentOptions {
  bool symmetries = false;     ///< mirror and quarter turns (quarter turns of square pictures only)
  std::int64_t max_shift = 0;  ///< pixels, border pixels replicated
  double gain = 0.0;           ///< all channels times 1 ± gain
};

Image augment(const Image& image, const AugmentOptions& options, CounterRng& rng);

}  // namespace nolens::train
