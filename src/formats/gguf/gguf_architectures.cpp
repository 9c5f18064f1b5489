// The supported architectures as tables. Ranges are those of config_validate, which checks every
// relation between the fields afterwards.
#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "nolens/error.h"

#include "core/escape.h"
#include "formats/config_parts.h"
#include "formats/gguf/gguf_config_parts.h"
#include "formats/gguf/gguf_names.h"

namespace nolens {
namespace {

using Integer = GgufIntegerRule<GgufText>;
using Real = GgufRealRule<GgufText>;

constexpr std::int64_t kMaxHeadDim = 4096;
constexpr std::int64_t kMaxHeads = 4096;
constexpr double kMaxBase = 1e12;

constexpr std::array<Integer, 14> kGemma4Integers{{
    {"block_count", &GgufText::block_count, 1, kMaxLayers, {}},
    {"context_length", &GgufText::context_length, 1, kMaxContext, {}},
    {"embedding_length", &GgufText::embedding_length, 1, kMaxWidth, {}},
    {"attention.head_count", &GgufText::head_count, 1, kMaxHeads, {}},
    {"attention.key_length", &GgufText::key_length, 2, kMaxHeadDim, {}},
    {"attention.value_length", &GgufText::value_length, 2, kMaxHeadDim, {}},
    {"attention.key_length_swa", &GgufText::key_length_swa, 2, kMaxHeadDim, {}},
    {"attention.value_length_swa", &GgufText::value_length_swa, 2, kMaxHeadDim, {}},
    {"attention.sliding_window", &GgufText::sliding_window, 1, kMaxContext, {}},
    {"attention.shared_kv_layers", &GgufText::shared_kv_layers, 0, kMaxLayers, 0},
    {"embedding_length_per_layer_input", &GgufText::per_layer_input, 0, kMaxWidth, 0},
    {"rope.dimension_count", &GgufText::rope_dimensions, 2, kMaxHeadDim, 0},
    {"rope.dimension_count_swa", &GgufText::rope_dimensions_swa, 2, kMaxHeadDim, 0},
    {"expert_count", &GgufText::expert_count, 0, kMaxWidth, 0},
}};
constexpr std::array<Real, 6> kGemma4Reals{{
    {"attention.layer_norm_rms_epsilon", &GgufText::rms_eps, 1e-30, 1.0, {}},
    {"final_logit_softcapping", &GgufText::final_softcap, 0.0, 1e6, 0.0},
    {"attn_logit_softcapping", &GgufText::attention_softcap, 0.0, 1e6, 0.0},
    {"rope.freq_base", &GgufText::rope_base, 1.0, kMaxBase, {}},
    {"rope.freq_base_swa", &GgufText::rope_base_swa, 1.0, kMaxBase, 10'000.0},
    {"rope.scaling.factor", &GgufText::rope_factor, 1.0, 1.0, 1.0},
}};
constexpr std::array<std::string_view, 3> kGemma4Ends{"<eos>", "<|tool_response>", "<turn|>"};

constexpr std::array<Integer, 8> kGemma3Integers{{
    {"block_count", &GgufText::block_count, 1, kMaxLayers, {}},
    {"context_length", &GgufText::context_length, 1, kMaxContext, 131'072},
    {"embedding_length", &GgufText::embedding_length, 1, kMaxWidth, {}},
    {"attention.head_count", &GgufText::head_count, 1, kMaxHeads, {}},
    {"attention.key_length", &GgufText::key_length, 2, kMaxHeadDim, 256},
    {"attention.value_length", &GgufText::value_length, 2, kMaxHeadDim, 256},
    {"attention.sliding_window", &GgufText::sliding_window, 1, kMaxContext, {}},
    {"rope.dimension_count", &GgufText::rope_dimensions, 2, kMaxHeadDim, 0},
}};
constexpr std::array<Real, 6> kGemma3Reals{{
    {"attention.layer_norm_rms_epsilon", &GgufText::rms_eps, 1e-30, 1.0, 1e-6},
    {"final_logit_softcapping", &GgufText::final_softcap, 0.0, 1e6, 0.0},
    {"attn_logit_softcapping", &GgufText::attention_softcap, 0.0, 1e6, 0.0},
    {"rope.freq_base", &GgufText::rope_base, 1.0, kMaxBase, 1'000'000.0},
    {"rope.freq_base_swa", &GgufText::rope_base_swa, 1.0, kMaxBase, 10'000.0},
    {"rope.scaling.factor", &GgufText::rope_factor, 1e-6, 1e6, 1.0},
}};
constexpr std::array<std::string_view, 2> kGemma3Ends{"<eos>", "<end_of_turn>"};

/// rope_freqs.weight holds 1 for each pair that turns, then 1e30 for each that does not.
double turning_share(const GgufSet& set, std::int64_t pairs) {
  constexpr float kStill = 1e29F;
  constexpr double kPublished = 0.25;
  if (set.find_tensor(kRopeFreqs) == nullptr) {
    return kPublished;
  }
  const std::vector<float> divisors = set.find_floats(kRopeFreqs);
  const auto still = std::find_if(divisors.begin(), divisors.end(),
                                  [](float divisor) { return divisor >= kStill; });
  const auto is_one = [](float divisor) { return divisor == 1.0F; };
  const auto is_still = [](float divisor) { return divisor >= kStill; };
  if (static_cast<std::int64_t>(divisors.size()) != pairs ||
      !std::all_of(divisors.begin(), still, is_one) ||
      !std::all_of(still, divisors.end(), is_still)) {
    throw Error(ErrorCode::kModel,
                set.first().name() + ": tensor '" + std::string(kRopeFreqs) + "' must be " +
                    std::to_string(pairs) +
                    " F32 values, 1 for each pair that turns and then 1e30 for each that does not");
  }
  const auto turning = static_cast<double>(still - divisors.begin());
  const double share = turning / static_cast<double>(pairs);
  // The count must come back as it was when the share is multiplied and cut.
  return share * static_cast<double>(pairs) < turning ? std::nextafter(share, 2.0) : share;
}

void finish_gemma4(const GgufSet& set, const GgufText& keys, TextConfig& text) {
  text.rope_full.rope_type = RopeType::kProportional;
  text.rope_full.partial_rotary_factor = turning_share(set, keys.key_length / 2);
  // Keys serve as values where a layer has no projection for them.
  text.layer_scalar = false;
  for (std::size_t i = 0; i < text.layers.size(); ++i) {
    const std::string layer = "blk." + std::to_string(i) + ".";
    text.layers[i].attention_k_eq_v = text.layers[i].type == LayerType::kFullAttention &&
                                      set.find_tensor(layer + "attn_v.weight") == nullptr;
    text.layer_scalar =
        text.layer_scalar || set.find_tensor(layer + "layer_output_scale.weight") != nullptr;
  }
}

void finish_gemma3(const GgufSet& /*set*/, const GgufText& keys, TextConfig& text) {
  constexpr std::int64_t kLayers27B = 62;  // whose query_pre_attn_scalar is hidden_size / heads
  const std::int64_t scalar =
      keys.block_count == kLayers27B ? keys.embedding_length / keys.head_count : keys.key_length;
  text.attention_scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(scalar)));
  text.value_norm = false;
  text.layer_scalar = false;
  text.bidirectional_vision = false;
}

constexpr std::array<GgufArchitecture, 2> kArchitectures{{
    {"gemma4", "gemma4_unified_text", "gemma4_unified", kGemma4Integers, kGemma4Reals, 0,
     kGemma4Ends, finish_gemma4},
    {"gemma3", "gemma3_text", "", kGemma3Integers, kGemma3Reals, 6, kGemma3Ends, finish_gemma3},
}};

}  // namespace

const GgufArchitecture& gguf_architecture(const GgufFile& file) {
  const std::string_view name =
      GgufFields(file, "").text("general.architecture").value_or(std::string_view{});
  const auto* found =
      std::find_if(kArchitectures.begin(), kArchitectures.end(),
                   [&](const GgufArchitecture& entry) { return entry.name == name; });
  if (found != kArchitectures.end()) {
    return *found;
  }
  std::string names;
  for (const GgufArchitecture& entry : kArchitectures) {
    names += (names.empty() ? "" : ", ") + std::string(entry.name);
  }
  throw Error(ErrorCode::kModel, file.name() + ": architecture '" + escape_for_message(name) +
                                     "' is not supported; supported: " + names);
}

}  // namespace nolens
