// Options that several commands share.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "nolens/chat.h"
#include "nolens/generate.h"
#include "nolens/model.h"
#include "nolens/session.h"

#include "drafting.h"

namespace nolens::cli {

struct ModelOptions {
  std::string model;   ///< empty = the bundled demonstration model
  std::string mmproj;  ///< empty = the one beside a GGUF model
  int threads = 0;
  bool affinity = false;
  bool exact = false;
  int codebook_bits = 16;
  bool verbose = false;
};
void add_model_options(CLI::App& command, ModelOptions& options);

struct ContextOptions {
  std::int64_t ctx = 0;
  std::int64_t image_tokens = 0;
  std::string mask_rule = "canonical";
  std::string kv_cache = "auto";
  [[nodiscard]] SessionOptions session() const;
};
void add_context_options(CLI::App& command, ContextOptions& options);

/// --kv-cache: auto, f32, f16, bf16 or int8.
void add_kv_cache_option(CLI::App& command, std::string& type);
KvCacheType kv_cache_type(const std::string& name);

struct MediaInputOptions {
  std::string alpha = "drop";
  std::int64_t max_pixels = ImageLimits{}.max_pixels;
  std::int64_t video_frames = MediaOptions{}.video_frames;
  [[nodiscard]] MediaOptions media() const;
};
void add_media_options(CLI::App& command, MediaInputOptions& options);

/// Values that are not given come from the model's generation_config.json.
struct SamplingOptions {
  std::optional<float> temperature;
  std::optional<std::int64_t> top_k;
  std::optional<float> top_p;
  float min_p = 0.0F;
  float repetition_penalty = 1.0F;
  float frequency_penalty = 0.0F;
  float presence_penalty = 0.0F;
  std::vector<std::string> logit_bias;
  std::vector<std::string> stop;
  std::int64_t max_tokens = 1024;
  std::optional<std::uint64_t> seed;
  DraftingOptions drafting;
  /// The seed is drawn from the system if none was given.
  [[nodiscard]] GenerateOptions generate(const std::shared_ptr<const Model>& model) const;
};
void add_sampling_options(CLI::App& command, SamplingOptions& options);

struct ChatTurnOptions {
  std::string system;
  bool think = false;
  bool no_think = false;  ///< the default, for scripts that say so
  std::string tools_file;
  std::string format = "auto";
  /// Reads the tools file. \throws Error{kInput}
  [[nodiscard]] ChatOptions chat() const;
  /// The model's own, unless another one was asked for.
  [[nodiscard]] ChatFamily family(const Model& model) const;
};
void add_chat_options(CLI::App& command, ChatTurnOptions& options);

}  // namespace nolens::cli
