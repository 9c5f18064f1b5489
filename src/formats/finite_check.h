// NaN and infinity in weights are found before they are used.
#pragma once

#include "nolens/log.h"

#include "formats/tensor_store.h"

namespace nolens {

class ThreadPool;

/// Reads every tensor once, on all threads of `pool`.
/// \throws Error{kModel} naming the first tensor and element that is not finite.
void check_finite(const TensorStore& store, ThreadPool& pool, const ProgressSink& progress = {});

}  // namespace nolens
