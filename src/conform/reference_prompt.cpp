#include "conform/reference_prompt.h"

#include <bit>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "platform/mapped_file.h"
#include "platform/quoted_path.h"

namespace nolens {
namespace {

static_assert(std::endian::native == std::endian::little, "raw samples are read as they lie");

constexpr std::int64_t kMaxSamples = 3600 * kAudioSampleRate;

/// Pseudo-random samples in (-0.5, 0.5) under a slow triangle; seed 0 is silence. As hash_sound()
/// of tests/reference/make_media.py, bit for bit.
std::vector<float> formula_sound(std::int64_t count, std::uint32_t seed) {
  std::vector<float> samples;
  samples.reserve(static_cast<std::size_t>(count));
  for (std::int64_t index = 0; index < count; ++index) {
    const auto i = static_cast<std::uint32_t>(index);
    std::uint32_t v = i * 374761393U + seed * 3266489917U;
    v = (v ^ (v >> 13U)) * 1274126177U;
    v ^= v >> 16U;
    const float noise = (static_cast<float>(v & 65535U) - 32767.5F) / 65536.0F;
    const auto distance = std::abs(static_cast<std::int64_t>(i % 4096U) - 2048) + 1;
    const float triangle = static_cast<float>(distance) / 2049.0F;
    samples.push_back(seed == 0 ? 0.0F : noise * triangle);
  }
  return samples;
}

std::vector<float> raw_sound(const Reference& reference, const std::string& path) {
  const MappedFile file(reference.folder / path, ErrorCode::kInput);
  const std::size_t size = file.bytes().size();
  if (size == 0 || size % sizeof(float) != 0 ||
      size / sizeof(float) > static_cast<std::size_t>(kMaxSamples)) {
    reference.fail("sound '" + escape_for_message(path) + "' has " + std::to_string(size) +
                   " bytes, expected 4 for each sample and at most an hour of samples");
  }
  std::vector<float> samples(size / sizeof(float));
  std::memcpy(samples.data(), file.bytes().data(), size);
  return samples;
}

/// The samples of an audio part that parse_messages() does not know, or nothing.
std::optional<AudioPart> sound_of(const Reference& reference, const Json& part) {
  if (!has_text(part, "type", "audio")) {
    return std::nullopt;
  }
  const auto path = part.find("path");
  if (path != part.end() && path->is_string() &&
      path->get_ref<const std::string&>().ends_with(".f32")) {
    return AudioPart{{raw_sound(reference, path->get<std::string>())}, path->get<std::string>()};
  }
  if (!part.contains("samples")) {
    return std::nullopt;
  }
  const Json& count = part["samples"];
  const Json seed = part.value("seed", Json());
  if (!count.is_number_unsigned() || count == 0 || count > kMaxSamples ||
      !seed.is_number_unsigned() || seed > 0xFFFF'FFFFU) {
    reference.fail("case.json: messages: a sound's formula needs samples, 1 to " +
                   std::to_string(kMaxSamples) + ", and seed, 0 to 4294967295");
  }
  return AudioPart{{formula_sound(count.get<std::int64_t>(), seed.get<std::uint32_t>())}, "sound"};
}

}  // namespace

Prompt reference_prompt(const Reference& reference, ChatFamily family, const MediaOptions& media) {
  // Sounds are taken out before the messages are parsed and put back afterwards.
  Json rest = reference.messages;
  std::vector<std::vector<std::pair<std::size_t, AudioPart>>> sounds(rest.size());
  for (std::size_t i = 0; i < rest.size(); ++i) {
    if (!rest[i].is_object() || !rest[i].contains("content") || !rest[i]["content"].is_array()) {
      continue;
    }
    Json& content = rest[i]["content"];
    for (std::size_t part = 0; part < content.size(); ++part) {
      if (auto sound = sound_of(reference, content[part])) {
        sounds[i].emplace_back(part, std::move(*sound));
        content[part] = Json{{"type", "text"}, {"text", "a sound"}};
      }
    }
  }
  std::vector<Message> messages = parse_messages(rest.dump(), reference.folder, media);
  for (std::size_t i = 0; i < sounds.size(); ++i) {
    for (auto& [part, sound] : sounds[i]) {
      if (i >= messages.size() || part >= messages[i].content.size()) {
        reference.fail("case.json: messages: a sound does not belong where it stands");
      }
      messages[i].content[part] = std::move(sound);
    }
  }
  return render_chat(messages, {.family = family,
                                .enable_thinking = reference.enable_thinking,
                                .add_generation_prompt = reference.add_generation_prompt});
}

}  // namespace nolens
