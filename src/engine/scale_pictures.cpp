// Pictures at the size they are used in, for messages that stay.
#include <variant>

#include "nolens/session.h"

#include "engine/model_impl.h"
#include "engine/prompt_layout.h"
#include "preprocess/image_to_patches.h"
#include "preprocess/scale_picture.h"

namespace nolens {
namespace {

class PictureScaler {
 public:
  PictureScaler(const Model::Impl& model, const SessionOptions& options)
      : model_(model), options_(options) {}

  void scale(TextPart& /*part*/) const {}
  void scale(AudioPart& /*part*/) const {}
  void scale(ImagePart& part) const {
    const std::int64_t budget =
        part.max_soft_tokens != 0 ? part.max_soft_tokens : options_.image_tokens;
    scale(part.image, false, budget, part.name);
  }
  void scale(VideoPart& part) const {
    for (VideoFrame& frame : part.video.frames) {
      scale(frame.image, true, part.max_soft_tokens, part.name);
    }
  }

 private:
  void scale(Image& image, bool is_frame, std::int64_t budget, const std::string& name) const {
    const ImageSize used = processed_size(source_size(image), *model_.config.vision,
                                          processor_for(model_.config, is_frame), budget, name);
    if (used.height * used.width < image.height() * image.width()) {
      image = scale_picture(image, used, &model_.runtime->pool);
    }
  }

  const Model::Impl& model_;
  const SessionOptions& options_;
};

}  // namespace

void scale_pictures(std::span<ContentPart> parts, const Model& model,
                    const SessionOptions& options) {
  if (!model.config().vision.has_value()) {
    return;
  }
  const PictureScaler scaler(model.impl(), options);
  for (ContentPart& part : parts) {
    std::visit([&](auto& p) { scaler.scale(p); }, part);
  }
}

}  // namespace nolens
