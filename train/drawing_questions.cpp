#include "drawing_questions.h"

#include <array>
#include <string_view>

namespace nolens::train {
namespace {

// In the wordings, S stands for the shape, C for the colour, N for the name that is asked about.
using Wordings = std::vector<std::string_view>;

const Wordings kShape = {"what shape is in the image?", "what shape is present?",
                         "what shape does the image contain?", "what is the C shape?"};
const Wordings kColour = {"what color is the S?", "what is the color of the S?",
                          "what color is the shape?", "what is the color of the shape?"};
const Wordings kPresent = {"is there a N?", "is there a N in the image?",
                           "does the image contain a N?", "is a N present?"};
const Wordings kAbsent = {"is there not a N?", "is there not a N in the image?",
                          "does the image not contain a N?", "is no N present?"};

const Wordings kFreeShape = {"which shape is this?",
                             "what shape is this?",
                             "what shape is it?",
                             "what shape do you see?",
                             "which shape is in the picture?",
                             "what shape is in the picture?",
                             "name the shape",
                             "what is the shape?"};
const Wordings kFreeColour = {
    "what colour is the shape?",   "what color is this?",   "what colour is this?",
    "what color is it?",           "what colour is it?",    "which color is the shape?",
    "which colour is the S?",      "what colour is the S?", "name the color",
    "what is the colour of the S?"};
const Wordings kFreeNamed = {"is it a N?", "is this a N?", "do you see a N?",
                             "is there a N in the picture?", "does the picture show a N?"};
const Wordings kFreeDescribe = {"what is in the image?", "what is in the picture?",
                                "what is this?",         "what do you see?",
                                "describe the image",    "describe the picture",
                                "describe this image",   "what does the picture show?"};

std::string_view pick(const Wordings& wordings, CounterRng& rng) {
  return wordings[static_cast<std::size_t>(
      rng.integer(0, static_cast<std::int64_t>(wordings.size()) - 1))];
}

std::string fill_in(std::string_view wording, const Drawing& drawing, std::string_view name) {
  std::string text;
  for (const char c : wording) {
    switch (c) {
      case 'S': text += kShapeNames[static_cast<std::size_t>(drawing.shape)]; break;
      case 'C': text += kColourNames[static_cast<std::size_t>(drawing.colour)]; break;
      case 'N': text += name; break;
      default: text += c;
    }
  }
  return text;
}

/// A shape or "<colour> shape", true of the drawing or not with equal chance.
struct NamedThing {
  std::string name;
  bool present = false;
};

NamedThing name_thing(const Drawing& drawing, double colour_share, CounterRng& rng) {
  const bool by_colour = rng.chance(colour_share);
  const std::int64_t number =
      static_cast<std::int64_t>(by_colour ? kColourNames.size() : kShapeNames.size());
  const std::int64_t truth = by_colour ? drawing.colour : drawing.shape;
  std::int64_t named = truth;
  if (rng.chance(0.5)) {
    named = (truth + rng.integer(1, number - 1)) % number;
  }
  const auto index = static_cast<std::size_t>(named);
  NamedThing thing;
  thing.name =
      by_colour ? std::string(kColourNames[index]) + " shape" : std::string(kShapeNames[index]);
  thing.present = named == truth;
  return thing;
}

QuestionAnswer ask_in_official_words(const Drawing& drawing, CounterRng& rng) {
  const std::int64_t kind = rng.integer(0, 2);
  if (kind == 0) {
    return {fill_in(pick(kShape, rng), drawing, {}),
            std::string(kShapeNames[static_cast<std::size_t>(drawing.shape)])};
  }
  if (kind == 1) {
    return {fill_in(pick(kColour, rng), drawing, {}),
            std::string(kColourNames[static_cast<std::size_t>(drawing.colour)])};
  }
  const NamedThing thing = name_thing(drawing, 0.5, rng);
  const bool negated = rng.chance(0.5);
  return {fill_in(pick(negated ? kAbsent : kPresent, rng), drawing, thing.name),
          thing.present != negated ? "yes" : "no"};
}

/// Capital first letter and a missing question mark occur when people type.
std::string as_typed(std::string text, CounterRng& rng) {
  if (rng.chance(0.5) && text.front() >= 'a' && text.front() <= 'z') {
    text.front() = static_cast<char>(text.front() - 'a' + 'A');
  }
  if (rng.chance(0.15) && text.back() == '?') {
    text.pop_back();
  }
  return text;
}

QuestionAnswer ask_in_free_words(const Drawing& drawing, CounterRng& rng) {
  QuestionAnswer pair;
  switch (rng.integer(0, 4)) {
    case 0:
      pair = {fill_in(pick(kFreeShape, rng), drawing, {}),
              std::string(kShapeNames[static_cast<std::size_t>(drawing.shape)])};
      break;
    case 1:
      pair = {fill_in(pick(kFreeColour, rng), drawing, {}),
              std::string(kColourNames[static_cast<std::size_t>(drawing.colour)])};
      break;
    case 2: {
      const NamedThing thing = name_thing(drawing, 0.5, rng);
      pair = {fill_in(pick(kFreeNamed, rng), drawing, thing.name), thing.present ? "yes" : "no"};
      break;
    }
    case 3: pair = {fill_in(pick(kFreeDescribe, rng), drawing, {}), caption_of(drawing)}; break;
    default: pair = ask_in_official_words(drawing, rng);
  }
  pair.question = as_typed(std::move(pair.question), rng);
  return pair;
}

}  // namespace

std::vector<QuestionAnswer> ask_about(const Drawing& drawing, std::int64_t count, double free_share,
                                      CounterRng& rng) {
  std::vector<QuestionAnswer> pairs;
  for (std::int64_t i = 0; i < count; ++i) {
    pairs.push_back(rng.chance(free_share) ? ask_in_free_words(drawing, rng)
                                           : ask_in_official_words(drawing, rng));
  }
  return pairs;
}

std::string caption_of(const Drawing& drawing) {
  return "a " + std::string(kColourNames[static_cast<std::size_t>(drawing.colour)]) + " " +
         std::string(kShapeNames[static_cast<std::size_t>(drawing.shape)]);
}

}  // namespace nolens::train
