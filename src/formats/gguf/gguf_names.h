// Tensor names of GGUF files <-> those of the published Hugging Face checkpoint.
#pragma once

#include <string>
#include <string_view>

namespace nolens {

/// "blk.3.attn_q.weight" -> "model.language_model.layers.3.self_attn.q_proj.weight"; names of
/// mmproj files too. "" for tensors the engine has no use for or does not know.
[[nodiscard]] std::string hugging_face_name(std::string_view gguf_name);

/// The reverse. "" if GGUF files have no such tensor.
[[nodiscard]] std::string gguf_name(std::string_view hugging_face_name);

/// Frequency divisors of the full layers. They say which pairs turn; the numbers themselves are not
/// used in computing.
inline constexpr std::string_view kRopeFreqs = "rope_freqs.weight";

}  // namespace nolens
