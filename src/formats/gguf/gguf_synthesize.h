// Models with random weights as GGUF files, named and typed as published ones are.
#pragma once

#include "nolens/config.h"
#include "nolens/synthesize.h"

#include "core/dtype.h"
#include "formats/output_directory.h"

namespace nolens {

/// Writes model-<TYPE>.gguf and, for a model that takes pictures or sound, mmproj-<TYPE>.gguf.
/// \param source  what the random values are rounded to before they are stored as options.type
/// \throws Error{kUsage} for a model that GGUF files cannot describe, Error{kResource}
void synthesize_gguf(const ModelConfig& config, const SynthesizeOptions& options, DType source,
                     OutputDirectory& out);

}  // namespace nolens
