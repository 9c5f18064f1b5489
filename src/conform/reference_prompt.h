// The messages of a recording -> the engine's prompt.
#pragma once

#include "nolens/chat.h"

#include "conform/reference.h"

namespace nolens {

/// Renders the recorded messages for a model of this family. Besides what parse_messages() reads, a
/// part of type `audio` may name a file of raw little-endian float32 samples at 16 kHz, {"path":
/// "x.f32"}, or the formula of the committed recordings, {"samples": n, "seed": s}
/// (tests/golden/README.md). \throws Error{kInput}
Prompt reference_prompt(const Reference& reference, ChatFamily family, const MediaOptions& media);

}  // namespace nolens
