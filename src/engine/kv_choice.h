// The cache type of a session.
#pragma once

#include "nolens/config.h"
#include "nolens/model.h"

#include "kernels/kv_type.h"

namespace nolens {

/// kAuto: float32 where the run must be exact or the checkpoint is float32 itself, half otherwise.
/// \throws Error{kUsage} if an exact run is asked for less than float32.
KvType choose_kv_type(const ModelConfig& config, bool exact, KvCacheType wanted);

}  // namespace nolens
