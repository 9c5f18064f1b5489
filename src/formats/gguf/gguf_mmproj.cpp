// Embedders of pictures and sound: files of architecture "clip".
//
// Their patches are written channel by channel and their position table axis by axis; the config
// says so, and the weights are used as they lie. The epsilon in the file is that of the RMSNorms;
// the LayerNorms have 1e-5 whatever it says (docs/model.md).
#include <algorithm>
#include <string>

#include "nolens/error.h"

#include "core/escape.h"
#include "formats/config_parts.h"
#include "formats/gguf/gguf_config.h"
#include "formats/gguf/gguf_config_parts.h"

namespace nolens {
namespace {

constexpr std::string_view kVisionProjector = "gemma4uv";
constexpr std::string_view kAudioProjector = "gemma4ua";
constexpr std::int64_t kMaxPatch = 512;  // pixels

struct GgufVision {
  std::int64_t patch_size = 0;
  std::int64_t scale_factor = 0;
  std::int64_t embedding_length = 0;
  std::int64_t projection_dim = 0;
  double eps = 0.0;
};
constexpr GgufIntegerRule<GgufVision> kVisionIntegers[] = {
    {"patch_size", &GgufVision::patch_size, 1, kMaxPatch, {}},
    {"projector.scale_factor", &GgufVision::scale_factor, 1, kMaxPatch, 3},
    {"embedding_length", &GgufVision::embedding_length, 1, kMaxWidth, {}},
    {"projection_dim", &GgufVision::projection_dim, 1, kMaxWidth, {}},
};
constexpr GgufRealRule<GgufVision> kVisionReals[] = {
    {"attention.layer_norm_epsilon", &GgufVision::eps, 1e-30, 1.0, 1e-6},
};

struct GgufAudio {
  std::int64_t projection_dim = 0;
  double eps = 0.0;
};
constexpr GgufIntegerRule<GgufAudio> kAudioIntegers[] = {
    {"projection_dim", &GgufAudio::projection_dim, 1, kMaxWidth, {}},
};
constexpr GgufRealRule<GgufAudio> kAudioReals[] = {
    {"attention.layer_norm_epsilon", &GgufAudio::eps, 1e-30, 1.0, 1e-6},
};

/// The shape of a tensor that must be there. \throws Error
const std::vector<std::int64_t>& shape_of(const GgufSet& set, std::string_view name,
                                          std::size_t dims) {
  const GgufTensor* tensor = set.find_tensor(name);
  if (tensor == nullptr || tensor->shape.size() != dims) {
    throw Error(ErrorCode::kModel,
                set.first().name() + ": tensor '" + std::string(name) + "' " +
                    (tensor == nullptr ? "is missing"
                                       : "must have " + std::to_string(dims) + " dimensions"));
  }
  return tensor->shape;
}

bool has_encoder(const GgufFile& file, const char* key) {
  return GgufFields(file, "clip.").boolean(key).value_or(false);
}

/// The projector of one kind of media; files with one kind only have a key without it.
std::string_view projector(const GgufFile& file, const char* kind) {
  const GgufFields fields(file, "clip.");
  const auto own = fields.text(std::string(kind) + ".projector_type");
  return own ? *own : fields.text("projector_type").value_or(std::string_view{});
}

std::string projector_problem(const GgufFile& file, const char* encoder, const char* kind,
                              std::string_view supported) {
  const std::string_view type = projector(file, kind);
  if (!has_encoder(file, encoder) || type == supported) {
    return {};
  }
  return std::string("its ") + kind + " projector is '" + escape_for_message(type) +
         "', only models without an encoder tower are supported (" + std::string(supported) + ")";
}

/// Pixels that are shifted or scaled would need code that does not exist.
void require_identity(const GgufFields& fields, const char* key, float expected) {
  const GgufValue* value = fields.file().find("clip.vision." + std::string(key));
  if (value == nullptr) {
    return;
  }
  const auto values = value->reals();
  if (!values || !std::all_of(values->begin(), values->end(),
                              [&](float entry) { return entry == expected; })) {
    fields.fail(key, "must hold only " + std::to_string(static_cast<int>(expected)) +
                         "; normalised pixels are not supported");
  }
}

VisionConfig read_vision(const GgufSet& set) {
  const GgufFields fields(set.first(), "clip.vision.");
  GgufVision keys;
  read_rules<GgufVision>(fields, kVisionIntegers, kVisionReals, keys);
  require_identity(fields, "image_mean", 0.0F);
  require_identity(fields, "image_std", 1.0F);
  VisionConfig vision;
  vision.patch_size = keys.patch_size;
  vision.pooling_kernel_size = keys.scale_factor;
  vision.mm_embed_dim = keys.embedding_length;
  vision.mm_posemb_size = shape_of(set, "v.position_embd.weight", 3)[1];
  vision.rms_norm_eps = static_cast<float>(keys.eps);
  vision.patch_order = PatchOrder::kChannelsFirst;
  vision.position_table = PositionTable::kAxisFirst;
  return vision;
}

AudioConfig read_audio(const GgufSet& set) {
  GgufAudio keys;
  read_rules<GgufAudio>(GgufFields(set.first(), "clip.audio."), kAudioIntegers, kAudioReals, keys);
  AudioConfig audio;
  audio.audio_embed_dim = shape_of(set, "mm.a.input_projection.weight", 2)[1];
  audio.rms_norm_eps = static_cast<float>(keys.eps);
  return audio;
}

}  // namespace

bool is_mmproj(const GgufFile& file) {
  return GgufFields(file, "").text("general.architecture") == "clip";
}

std::string mmproj_problem(const GgufSet& text, const GgufSet& mmproj) {
  const GgufFile& file = mmproj.first();
  if (!is_mmproj(file)) {
    return "it is no projector file (general.architecture is not 'clip')";
  }
  const GgufArchitecture& architecture = gguf_architecture(text.first());
  if (architecture.multimodal_type.empty()) {
    return "pictures and sound are not supported for architecture '" +
           std::string(architecture.name) + "'";
  }
  if (auto problem = projector_problem(file, "has_vision_encoder", "vision", kVisionProjector);
      !problem.empty()) {
    return problem;
  }
  if (auto problem = projector_problem(file, "has_audio_encoder", "audio", kAudioProjector);
      !problem.empty()) {
    return problem;
  }
  if (!has_encoder(file, "has_vision_encoder") && !has_encoder(file, "has_audio_encoder")) {
    return "it has neither a picture nor a sound part";
  }
  const auto width = GgufFields(text.first(), std::string(architecture.name) + ".")
                         .integer("embedding_length", 1, kMaxWidth);
  for (const char* kind : {"clip.vision.", "clip.audio."}) {
    const auto dim = GgufFields(file, kind).integer("projection_dim", 1, kMaxWidth);
    if (dim && width && *dim != *width) {
      return "its projection_dim is " + std::to_string(*dim) + ", but the model is " +
             std::to_string(*width) + " wide; it belongs to another model";
    }
  }
  return {};
}

void read_mmproj(const GgufSet& mmproj, ModelConfig& config) {
  if (has_encoder(mmproj.first(), "has_vision_encoder")) {
    config.vision = read_vision(mmproj);
  }
  if (has_encoder(mmproj.first(), "has_audio_encoder")) {
    config.audio = read_audio(mmproj);
  }
}

}  // namespace nolens
