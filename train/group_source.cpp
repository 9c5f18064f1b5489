#include "group_source.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <utility>

#include "nolens/error.h"

#include "drawing_questions.h"
#include "preprocess/image_to_patches.h"

namespace nolens::train {
namespace {

/// Salts keep the random streams of different purposes apart.
constexpr std::uint64_t kOrderSalt = 0x6F72646572U;
constexpr std::uint64_t kGroupSalt = 0x67726F7570U;

Patches cut(const Image& picture, const ModelConfig& config, const std::string& name) {
  const PatchGrid grid =
      image_to_patches(picture, config.vision.value(), config.image_processor, 0, name);
  Patches patches;
  const AlignedBuffer<float> values = grid.values();
  patches.values.assign(values.span().begin(), values.span().end());
  for (std::int64_t y = 0; y < grid.grid_height; ++y) {
    for (std::int64_t x = 0; x < grid.grid_width; ++x) {
      patches.x.push_back(x);
      patches.y.push_back(y);
    }
  }
  return patches;
}

/// Cuts the pictures and repeats their placeholders.
Group with_pictures(const std::vector<TokenId>& prefix, const std::vector<Image>& pictures,
                    const std::string& name, const PromptEncoder& encoder,
                    const ModelConfig& config) {
  Group group;
  std::vector<std::int64_t> counts;
  for (const Image& picture : pictures) {
    group.pictures.push_back(cut(picture, config, name));
    counts.push_back(group.pictures.back().count());
  }
  group.prefix = encoder.expand(prefix, counts);
  group.picture_key = name;
  return group;
}

template <typename T>
void shuffle(std::vector<T>& items, CounterRng& rng) {
  for (std::size_t i = items.size(); i > 1; --i) {
    std::swap(items[i - 1],
              items[static_cast<std::size_t>(rng.integer(0, static_cast<std::int64_t>(i) - 1))]);
  }
}

}  // namespace

GroupSource::GroupSource(const Dataset& dataset, const PromptEncoder& encoder,
                         const ModelConfig& config, const SourceOptions& options)
    : dataset_(dataset), encoder_(encoder), config_(config), options_(options) {
  const auto drawings = static_cast<std::int64_t>(
      std::lround(options.drawings_share * static_cast<double>(options.groups_per_step)));
  data_slots_ = options.groups_per_step - drawings;
  if (drawings > 0 && !config.vision.has_value()) {
    throw Error(ErrorCode::kUsage,
                "--drawings-share needs a model that takes pictures; its config.json has no "
                "vision_config");
  }
  if (dataset.examples.empty()) {
    if (options.drawings_share <= 0.0) {
      throw Error(ErrorCode::kUsage,
                  "there is nothing to train on: the data has no usable sample and no drawings are "
                  "asked for (--drawings-share)");
    }
    data_slots_ = 0;
  }
}

std::size_t GroupSource::example_at(std::int64_t number) {
  const auto size = static_cast<std::int64_t>(dataset_.examples.size());
  const std::int64_t epoch = number / size;
  if (epoch != order_epoch_) {
    order_.resize(dataset_.examples.size());
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    CounterRng rng(options_.seed ^ kOrderSalt, static_cast<std::uint64_t>(epoch));
    shuffle(order_, rng);
    order_epoch_ = epoch;
  }
  return order_[static_cast<std::size_t>(number % size)];
}

Group GroupSource::make(std::int64_t step, std::int64_t slot) {
  if (slot >= data_slots_) {
    return make_drawing(step, slot);
  }
  const std::int64_t number = step * data_slots_ + slot;
  const Example& example = dataset_.examples[example_at(number)];
  CounterRng rng(options_.seed ^ kGroupSalt,
                 static_cast<std::uint64_t>(step * options_.groups_per_step + slot));
  std::vector<Image> pictures;
  for (const Image& picture : example.pictures) {
    pictures.push_back(augment(picture, options_.augment, rng));
  }
  Group group = with_pictures(example.prefix, pictures, example.key, encoder_, config_);
  group.branches = example.branches;
  if (static_cast<std::int64_t>(group.branches.size()) > options_.branches) {
    shuffle(group.branches, rng);
    group.branches.resize(static_cast<std::size_t>(options_.branches));
  }
  group.caption = encoder_.caption(example.caption);
  return group;
}

Group GroupSource::make_drawing(std::int64_t step, std::int64_t slot) const {
  const auto number = static_cast<std::uint64_t>(step * options_.groups_per_step + slot);
  CounterRng rng(options_.seed ^ kGroupSalt, number);
  const Drawing drawing = draw_picture(rng, options_.wide_share);
  Group group;
  for (const QuestionAnswer& pair :
       ask_about(drawing, options_.branches, options_.free_share, rng)) {
    Message question;
    question.content_is_string = false;
    question.content = {ImagePart{Image(), "drawing", 0}, TextPart{pair.question}};
    PromptEncoder::Encoded prompt = encoder_.encode({question});
    if (group.prefix.empty()) {
      group = with_pictures(prompt.prefix, {drawing.image}, "drawing " + std::to_string(number),
                            encoder_, config_);
    }
    group.branches.push_back(encoder_.branch(std::move(prompt.rest), pair.answer));
  }
  group.caption = encoder_.caption(caption_of(drawing));
  group.label = ScaffoldLabel{drawing.shape, drawing.colour, drawing.centre_x, drawing.centre_y};
  return group;
}

std::vector<Group> GroupSource::all_groups(const Dataset& dataset, const PromptEncoder& encoder,
                                           const ModelConfig& config, std::int64_t branches) {
  std::vector<Group> groups;
  for (const Example& example : dataset.examples) {
    const Group whole =
        with_pictures(example.prefix, example.pictures, example.key, encoder, config);
    const auto total = static_cast<std::int64_t>(example.branches.size());
    for (std::int64_t first = 0; first < total; first += branches) {
      Group group = whole;
      group.branches.assign(example.branches.begin() + first,
                            example.branches.begin() + std::min(first + branches, total));
      group.caption = encoder.caption(example.caption);
      groups.push_back(std::move(group));
    }
  }
  return groups;
}

}  // namespace nolens::train
