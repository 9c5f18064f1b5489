// Models with random weights and true shapes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "nolens/log.h"

namespace nolens {

/// Names of the presets that ship with the program.
std::vector<std::string> preset_names();

struct SynthesizeOptions {
  std::string preset{};              ///< a name of preset_names() or the path of a JSON file
  std::int64_t num_layers = 0;     ///< 0 = the preset's
  std::int64_t vocab_size = 0;     ///< 0 = the preset's
  std::filesystem::path out{};       ///< directory; must not exist or be empty
  std::uint64_t seed = 0;
  std::string dtype = "bfloat16";  ///< float32, float16, bfloat16: what the values are rounded to
  std::string format = "safetensors";  ///< or "gguf"
  /// GGUF only, of the matrices: f32, f16, bf16, q8_0, q4_0, q4_1, q5_0 or q5_1; "" = as dtype.
  std::string type{};
  ProgressSink progress{};
};

/// Writes config, processor files, a byte-level tokenizer and safetensors; or, for GGUF, the
/// language model and a projector file. Both hold the same values for the same seed. Of an
/// assistant (nolens/assistant.h) config and safetensors only.
/// \throws Error{kUsage, kResource}
void synthesize_model(const SynthesizeOptions& options);

}  // namespace nolens
