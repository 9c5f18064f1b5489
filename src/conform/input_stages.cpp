#include "conform/input_stages.h"

#include <algorithm>
#include <mutex>

#include "conform/row_comparer.h"
#include "conform/verdict.h"
#include "core/checked_math.h"
#include "core/escape.h"
#include "engine/model_impl.h"
#include "platform/mapped_file.h"
#include "preprocess/resize.h"

namespace nolens {
namespace {

/// FNV-1a, 64 bits, as 16 hexadecimal digits.
std::string fnv1a64(std::span<const std::byte> bytes) {
  std::uint64_t value = 0xCBF29CE484222325U;
  for (const std::byte byte : bytes) {
    value = (value ^ std::to_integer<std::uint64_t>(byte)) * 0x100000001B3U;
  }
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text(16, '0');
  for (std::size_t i = 16; i-- > 0; value >>= 4U) {
    text[i] = kDigits[value & 15U];
  }
  return text;
}

/// The token's text, for people.
std::string described(const Model& model, TokenId id) {
  return std::to_string(id) + " '" + escape_for_message(model.tokenizer().piece(id), 24) + "'";
}

class MediaComparer {
 public:
  MediaComparer(const Reference& reference, const Model& model, const TokenSequence& sequence,
                const ConformTolerances& tolerances, std::vector<StageReport>& stages)
      : reference_(reference),
        model_(model),
        hidden_size_(model.config().text.hidden_size),
        tolerances_(tolerances),
        stages_(stages) {
    std::int64_t rows = 0;
    std::size_t pictures = 0;
    for (const MediaSpan& span : sequence.media) {
      rows += span.end - span.begin;
      pictures += span.is_block() ? 1 : 0;
    }
    if (!reference.images.empty() && reference.images.size() != pictures) {
      reference.fail("case.json: images: describes " + std::to_string(reference.images.size()) +
                     " pictures, but the messages hold " + std::to_string(pictures));
    }
    if (rows > 0) {
      if (auto all =
              reference.tensor("soft_tokens", ceil_div(rows, reference.row_step), hidden_size_)) {
        all_soft_.emplace(std::move(*all), 0, reference.row_step);
      }
    }
  }

  void add(const MediaSpan& span) {
    std::vector<float> soft(static_cast<std::size_t>((span.end - span.begin) * hidden_size_));
    const Matrix rows{soft.data(), span.end - span.begin, hidden_size_};
    if (const auto* picture = std::get_if<ImageMedia>(&span.content)) {
      add_picture(*picture, span.name, rows);
    } else {
      {
        const std::lock_guard lock(model_.impl().runtime->mutex);
        model_.impl().runtime->audio_embedder->embed(std::get<AudioMedia>(span.content).samples, 0,
                                                     rows);
      }
      compare_soft("sound", "audio", sounds_, rows);
      ++sounds_;
    }
    if (all_soft_.has_value()) {
      all_soft_->add(soft_rows_, rows);
    }
    soft_rows_ += rows.rows;
  }

  void finish() {
    if (all_soft_.has_value()) {
      push({.stage = ConformStage::kSoftTokens, .name = "soft tokens"}, all_soft_->result());
    }
  }

 private:
  void add_picture(const ImageMedia& picture, const std::string& name, Matrix soft) {
    const ModelConfig& config = model_.config();
    const PatchGrid grid =
        image_to_patches(picture.image, *config.vision, processor_for(config, picture.is_frame),
                         picture.budget, name);
    if (!reference_.images.empty()) {
      const ReferenceImage& recorded = reference_.images[static_cast<std::size_t>(pictures_)];
      compare_pixels(recorded, picture.image, grid);
      if (config.vision->patch_order == PatchOrder::kChannelsLast) {
        compare_patches(recorded, grid);
      } else {
        VisionConfig as_recorded = *config.vision;  // GGUF files have their own order of values
        as_recorded.patch_order = PatchOrder::kChannelsLast;
        compare_patches(recorded, image_to_patches(picture.image, as_recorded,
                                                   processor_for(config, picture.is_frame),
                                                   picture.budget, name));
      }
    }
    {
      const std::lock_guard lock(model_.impl().runtime->mutex);
      model_.impl().runtime->image_embedder->embed(grid, soft);
    }
    compare_soft("picture", "image", pictures_, soft);
    ++pictures_;
  }

  [[nodiscard]] std::string picture_name(const char* what) const {
    return "picture " + std::to_string(pictures_) + ": " + what;
  }

  void compare_pixels(const ReferenceImage& recorded, const Image& image, const PatchGrid& grid) {
    StageReport report{
        .stage = ConformStage::kPixels, .index = pictures_, .name = picture_name("pixels")};
    const std::string size =
        std::to_string(grid.used.width) + " x " + std::to_string(grid.used.height);
    const bool same_size = recorded.used_width.value_or(grid.used.width) == grid.used.width &&
                           recorded.used_height.value_or(grid.used.height) == grid.used.height;
    if (!same_size) {
      report.within = false;
      report.note = "scaled to " + size + ", in the reference to " +
                    std::to_string(recorded.used_width.value_or(0)) + " x " +
                    std::to_string(recorded.used_height.value_or(0));
      stages_.push_back(std::move(report));
      return;
    }
    if (recorded.resized.empty() && recorded.resized_fnv1a64.empty()) {
      return;
    }
    const Image resized = resize_bicubic(image, grid.used.width, grid.used.height);
    report.note = size;
    if (recorded.resized.empty()) {
      report.within = fnv1a64(std::as_bytes(resized.rgb())) == recorded.resized_fnv1a64;
      report.note += report.within ? ", equal hash" : ", another hash than the reference's";
      stages_.push_back(std::move(report));
      return;
    }
    const std::string file =
        read_file(reference_.folder / recorded.resized, std::size_t{64} << 20U, ErrorCode::kInput);
    const Image expected = Image::decode(std::as_bytes(std::span(file)), recorded.resized);
    if (expected.width() != resized.width() || expected.height() != resized.height()) {
      reference_.fail("'" + escape_for_message(recorded.resized) + "' has " +
                      std::to_string(expected.width()) + " x " + std::to_string(expected.height()) +
                      " pixels, but case.json says " + size);
    }
    DifferenceMeter meter;
    const auto width = static_cast<std::size_t>(resized.width() * 3);
    std::vector<float> theirs(width);
    std::vector<float> ours(width);
    for (std::int64_t y = 0; y < resized.height(); ++y) {
      const auto begin = static_cast<std::size_t>(y) * width;
      std::copy_n(expected.rgb().begin() + static_cast<std::ptrdiff_t>(begin), width,
                  theirs.begin());
      std::copy_n(resized.rgb().begin() + static_cast<std::ptrdiff_t>(begin), width, ours.begin());
      meter.add(y, theirs, ours);
    }
    push(std::move(report), meter.result());
  }

  void compare_patches(const ReferenceImage& recorded, const PatchGrid& grid) {
    StageReport report{
        .stage = ConformStage::kPatches, .index = pictures_, .name = picture_name("patches")};
    const std::string name = "image." + std::to_string(pictures_) + ".patches";
    const AlignedBuffer<float> values = grid.values();
    if (auto tensor = reference_.tensor(name, grid.num_patches(), grid.patch_values)) {
      RowComparer rows(std::move(*tensor), 0, 1);
      rows.add(0, {values.data(), grid.num_patches(), grid.patch_values});
      push(std::move(report), rows.result());
    } else if (!recorded.patches_fnv1a64.empty()) {
      report.within = fnv1a64(std::as_bytes(values.span())) == recorded.patches_fnv1a64;
      report.note = report.within ? "equal hash" : "another hash than the reference's";
      stages_.push_back(std::move(report));
    }
  }

  void compare_soft(const char* kind, const char* tensor_kind, std::int64_t index, Matrix soft) {
    const std::string name = std::string(tensor_kind) + "." + std::to_string(index) + ".soft";
    if (auto tensor = reference_.tensor(name, soft.rows, soft.cols)) {
      RowComparer rows(std::move(*tensor), 0, 1);
      rows.add(0, soft);
      push({.stage = ConformStage::kSoftTokens,
            .index = index,
            .name = std::string(kind) + " " + std::to_string(index) + ": soft tokens"},
           rows.result());
    }
  }

  void push(StageReport report, const Difference& difference) {
    report.difference = difference;
    report.within = is_within(report.stage, difference, tolerances_);
    stages_.push_back(std::move(report));
  }

  const Reference& reference_;
  const Model& model_;
  std::int64_t hidden_size_;
  const ConformTolerances& tolerances_;
  std::vector<StageReport>& stages_;
  std::int64_t pictures_ = 0;
  std::int64_t sounds_ = 0;
  std::int64_t soft_rows_ = 0;
  std::optional<RowComparer> all_soft_;
};

bool is_placeholder(const SpecialTokens& tokens, TokenId id) {
  return id >= 0 && (id == tokens.image || id == tokens.audio || id == tokens.video);
}

}  // namespace

StageReport compare_token_ids(const Reference& reference, const Model& model,
                              const std::vector<TokenId>& ids) {
  StageReport report{.stage = ConformStage::kTokenIds, .name = "token ids"};
  const std::vector<TokenId>& expected = reference.token_ids;
  const auto [ours, theirs] =
      std::mismatch(ids.begin(), ids.end(), expected.begin(), expected.end());
  report.within = ours == ids.end() && theirs == expected.end();
  if (report.within) {
    report.note = std::to_string(ids.size()) + " identical";
    return report;
  }
  report.note =
      "first difference at position " + std::to_string(ours - ids.begin()) + ": " +
      (ours == ids.end() ? "the prompt ends" : described(model, *ours)) + ", in the reference " +
      (theirs == expected.end() ? "the prompt ends" : described(model, *theirs)) + "; " +
      std::to_string(ids.size()) + " tokens, in the reference " + std::to_string(expected.size());
  return report;
}

bool placeholders_match(const Reference& reference, const ModelConfig& config,
                        const TokenSequence& sequence) {
  return std::equal(sequence.ids.begin(), sequence.ids.end(), reference.token_ids.begin(),
                    reference.token_ids.end(), [&](TokenId ours, TokenId theirs) {
                      return is_placeholder(config.tokens, ours)
                                 ? ours == theirs
                                 : !is_placeholder(config.tokens, theirs);
                    });
}

void compare_media(const Reference& reference, const Model& model, const TokenSequence& sequence,
                   const ConformTolerances& tolerances, std::vector<StageReport>& stages) {
  MediaComparer comparer(reference, model, sequence, tolerances, stages);
  for (const MediaSpan& span : sequence.media) {
    comparer.add(span);
  }
  comparer.finish();
}

}  // namespace nolens
