#include "serve/api/generation_fields.h"

#include <algorithm>
#include <charconv>
#include <random>

#include "core/escape.h"

namespace nolens::serve {
namespace {

constexpr std::size_t kMaxStops = 16;
constexpr std::size_t kMaxStopBytes = 256;
constexpr std::size_t kMaxBiases = 1024;

std::uint64_t random_seed() {
  std::random_device device;
  // Numbers that every JSON reader holds exactly.
  return ((std::uint64_t{device()} << 32U) | device()) >> 11U;
}

void read_biases(RequestFields& fields, const Model& model, SamplerOptions& sampler) {
  const Json* biases = fields.object("logit_bias");
  if (biases == nullptr) {
    return;
  }
  if (biases->size() > kMaxBiases) {
    fields.fail("logit_bias", "has " + std::to_string(biases->size()) + " entries; at most " +
                                  std::to_string(kMaxBiases) + " are taken");
  }
  const std::int64_t vocab = model.config().text.vocab_size;
  for (const auto& [key, bias] : biases->items()) {
    TokenId id = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (error != std::errc() || end != key.data() + key.size() || id < 0 || id >= vocab) {
      fields.fail("logit_bias", "has the key \"" + escape_for_message(key, 40) +
                                    "\": expected a token id from 0 to " + std::to_string(vocab - 1));
    }
    if (!bias.is_number() || !(bias.get<double>() >= -100.0 && bias.get<double>() <= 100.0)) {
      fields.fail("logit_bias", "of " + key + " must be a number from -100 to 100");
    }
    sampler.logit_bias.emplace_back(id, bias.get<float>());
  }
}

}  // namespace

GenerateOptions read_generation(RequestFields& fields, const Model& model) {
  const GenerationConfig& defaults = model.config().generation;
  GenerateOptions options;
  SamplerOptions& sampler = options.sampler;
  sampler.temperature = defaults.do_sample ? defaults.temperature : 0.0F;
  sampler.top_k = defaults.top_k;
  sampler.top_p = defaults.top_p;
  const auto number = [&fields](const char* name, double least, double most, float& target) {
    if (const auto value = fields.number(name, least, most)) {
      target = static_cast<float>(*value);
    }
  };
  number("temperature", 0.0, 100.0, sampler.temperature);
  number("min_p", 0.0, 1.0, sampler.min_p);
  number("frequency_penalty", -2.0, 2.0, sampler.frequency_penalty);
  number("presence_penalty", -2.0, 2.0, sampler.presence_penalty);
  number("repeat_penalty", 0.01, 10.0, sampler.repetition_penalty);
  number("repetition_penalty", 0.01, 10.0, sampler.repetition_penalty);
  // 0 means to others what the smallest share means here: the likeliest token alone.
  constexpr float kSmallestShare = 1e-6F;
  number("top_p", 0.0, 1.0, sampler.top_p);
  sampler.top_p = std::max(sampler.top_p, kSmallestShare);
  if (const auto top_k = fields.integer("top_k", 0, std::int64_t{1} << 31U)) {
    sampler.top_k = *top_k;
  }
  const auto seed = fields.integer("seed", INT64_MIN, INT64_MAX);
  sampler.seed = seed.has_value() ? static_cast<std::uint64_t>(*seed) : random_seed();
  read_biases(fields, model, sampler);
  options.stop = fields.strings("stop", kMaxStops, kMaxStopBytes);
  for (const std::string& stop : options.stop) {
    if (stop.empty()) {
      fields.fail("stop", "must not hold an empty text");
    }
  }
  return options;
}

}  // namespace nolens::serve
