// The sampling parameters that chat, completions and responses share.
#pragma once

#include "nolens/generate.h"
#include "nolens/model.h"

#include "serve/api/request_fields.h"

namespace nolens::serve {

/// Defaults are those of the model's generation_config.json; the seed is drawn if none is given.
/// `max_tokens` is read by the caller, whose endpoint names it.
GenerateOptions read_generation(RequestFields& fields, const Model& model);

}  // namespace nolens::serve
