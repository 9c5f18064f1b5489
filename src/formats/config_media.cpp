// vision_config, audio_config and the image processor.
#include <array>
#include <cmath>
#include <string>

#include "formats/config_parts.h"

namespace nolens {
namespace {

constexpr std::int64_t kMaxFrames = 4096;
constexpr std::int64_t kBicubic = 3;  // PIL's number, which "resample" holds
constexpr std::int64_t kSampleRate = 16'000;

/// Refuses a stored value that must have one certain value if it is there at all.
void require_integer(const JsonFields& fields, const char* key, std::int64_t expected,
                     const std::string& reason) {
  if (const auto value = fields.integer(key); value && *value != expected) {
    fields.fail(key, "is " + std::to_string(*value) + ", expected " + std::to_string(expected) +
                         ": " + reason);
  }
}

void require_boolean(const JsonFields& fields, const char* key, bool expected,
                     const std::string& reason) {
  if (const auto value = fields.boolean(key); value && *value != expected) {
    fields.fail(key, std::string("is ") + (*value ? "true" : "false") + "; " + reason);
  }
}

void require_model_type(const JsonFields& fields, const std::string& expected) {
  if (fields.has("model_type") && fields.text("model_type") != expected) {
    fields.fail_value("model_type",
                      "\"" + expected + "\"; models with an encoder tower are not supported");
  }
}

PositionEmbedding read_position_embedding(const JsonFields& fields) {
  constexpr const char* kKey = "position_embedding";
  const std::string kind = fields.text(kKey).value_or("learned");
  if (kind == "learned") {
    return PositionEmbedding::kLearned;
  }
  if (kind == "sinusoidal") {
    return PositionEmbedding::kSinusoidal;
  }
  if (kind != "none") {
    fields.fail_value(kKey, "\"learned\", \"sinusoidal\" or \"none\"");
  }
  return PositionEmbedding::kNone;
}

/// Normalisation other than the identity would change the pixels; the model family has none.
void require_identity_normalisation(const JsonFields& image) {
  if (!image.boolean("do_normalize").value_or(false)) {
    return;
  }
  const auto check = [&](const char* key, double expected) {
    const Json* values = image.find(key);
    for (const Json& value : values != nullptr && values->is_array() ? *values : Json::array()) {
      if (!value.is_number() || value.get<double>() != expected) {
        image.fail(key, "must hold only " + std::to_string(static_cast<int>(expected)) +
                            "; normalised pixels are not supported");
      }
    }
  };
  check("image_mean", 0.0);
  check("image_std", 1.0);
}

}  // namespace

VisionConfig read_vision_config(const JsonFields& fields) {
  require_model_type(fields, "gemma4_unified_vision");
  VisionConfig vision;
  vision.patch_size = fields.integer("patch_size").value_or(16);
  vision.pooling_kernel_size = fields.integer("pooling_kernel_size").value_or(3);
  vision.mm_embed_dim = fields.integer("mm_embed_dim").value_or(3840);
  vision.mm_posemb_size = fields.integer("mm_posemb_size").value_or(1120);
  vision.rms_norm_eps = static_cast<float>(fields.number("rms_norm_eps").value_or(1e-6));
  vision.patch_ln1 = fields.boolean("patch_ln1").value_or(true);
  vision.patch_bias = fields.boolean("patch_bias").value_or(true);
  vision.patch_ln2 = fields.boolean("patch_ln2").value_or(true);
  vision.pos_norm = fields.boolean("pos_norm").value_or(true);
  vision.embedding_projection = fields.boolean("embedding_projection").value_or(true);
  vision.position_embedding = read_position_embedding(fields);
  if (vision.patch_size > 0 && vision.patch_size <= kMaxWidth && vision.pooling_kernel_size > 0 &&
      vision.pooling_kernel_size <= kMaxWidth) {
    require_integer(fields, "model_patch_size", vision.model_patch_size(),
                    "patch_size times pooling_kernel_size");
  }
  if (vision.embedding_projection) {
    require_integer(fields, "output_proj_dims", vision.mm_embed_dim,
                    "the projection reads rows of mm_embed_dim values");
  }
  return vision;
}

AudioConfig read_audio_config(const JsonFields& fields) {
  require_model_type(fields, "gemma4_unified_audio");
  AudioConfig audio;
  constexpr std::array kOldSpellings{"audio_samples_per_token", "hidden_size", "output_proj_dims"};
  auto width = fields.integer("audio_embed_dim");
  for (const char* key : kOldSpellings) {
    if (!width) {
      width = fields.integer(key);
    } else {
      require_integer(fields, key, *width, "it must equal audio_embed_dim");
    }
  }
  audio.audio_embed_dim = width.value_or(640);
  audio.rms_norm_eps = static_cast<float>(fields.number("rms_norm_eps").value_or(1e-6));
  return audio;
}

namespace {

ImageProcessorConfig read_picture_processor(const JsonFields& image, const VisionConfig& vision,
                                            const ImageProcessorConfig& defaults) {
  require_integer(image, "patch_size", vision.patch_size, "vision_config says so");
  require_integer(image, "pooling_kernel_size", vision.pooling_kernel_size,
                  "vision_config says so");
  require_integer(image, "resample", kBicubic, "only bicubic resizing is supported");
  require_boolean(image, "do_rescale", true, "pixels are always scaled by rescale_factor");
  require_identity_normalisation(image);
  ImageProcessorConfig config = defaults;
  config.max_soft_tokens = image.integer("max_soft_tokens").value_or(defaults.max_soft_tokens);
  const double factor = image.number("rescale_factor").value_or(1.0 / 255.0);
  config.rescale_factor = static_cast<float>(factor);
  const bool normalises = image.boolean("do_normalize").value_or(defaults.rescale_divisor != 0.0F);
  config.rescale_divisor = normalises ? static_cast<float>(1.0 / factor) : 0.0F;
  if (image.boolean("do_resize_to_fixed").value_or(false)) {
    const auto size = image.object("size");
    if (!size || !size->has("height") || !size->has("width")) {
      image.fail("size", "must give height and width, because do_resize_to_fixed is true");
    }
    config.fixed_height = *size->integer("height");
    config.fixed_width = *size->integer("width");
  } else {
    require_boolean(image, "do_resize", true, "pictures are always resized");
  }
  return config;
}

}  // namespace

ImageProcessorConfig read_image_processor(const JsonFields& processor, const VisionConfig& vision,
                                          std::int64_t default_soft_tokens) {
  if (const auto extractor = processor.object("feature_extractor"); extractor) {
    require_integer(*extractor, "sampling_rate", kSampleRate, "audio is read at 16 kHz");
  }
  return read_picture_processor(processor.object("image_processor").value_or(processor), vision,
                                {.max_soft_tokens = default_soft_tokens});
}

VideoProcessorConfig read_video_processor(const JsonFields& processor, const VisionConfig& vision,
                                          const ImageProcessorConfig& image) {
  VideoProcessorConfig config;
  const ImageProcessorConfig defaults = config.frame;
  const auto video = processor.object("video_processor");
  if (!video) {
    config.frame = image;  // of the same model, so with its factor and size
    config.frame.max_soft_tokens = defaults.max_soft_tokens;
    config.frame.rescale_divisor = 1.0F / image.rescale_factor;
    return config;
  }
  config.frame = read_picture_processor(*video, vision, defaults);
  config.num_frames = video->integer("num_frames").value_or(config.num_frames);
  if (config.num_frames < 1 || config.num_frames > kMaxFrames) {
    video->fail_value("num_frames", "1 to " + std::to_string(kMaxFrames));
  }
  return config;
}

}  // namespace nolens
