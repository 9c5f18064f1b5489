#include "prompt/media_source.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <utility>

#include "nolens/error.h"

#include "core/escape.h"
#include "platform/mapped_file.h"
#include "prompt/base64.h"
#include "prompt/message_fields.h"
#include "prompt/python_text.h"

namespace nolens {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{512} << 20U;
constexpr std::int64_t kMaxSoftTokens = 1120;
/// Sounds and clips of one document; each is a process to be started.
constexpr std::int64_t kMaxClips = 16;
/// Frame rate of clips that say none, as the reference processor assumes.
constexpr double kDefaultFps = 24.0;

bool has_scheme(std::string_view text, std::string_view scheme) {
  return lower_ascii(text.substr(0, scheme.size())) == scheme;
}

/// Budget of OpenAI's `detail`. 0 = the session's.
std::int64_t detail_tokens(const std::string& detail, const std::string& where) {
  if (detail == "auto") {
    return 0;
  }
  if (detail == "low") {
    return kSoftTokenBudgets[0];
  }
  if (detail == "high") {
    return kMaxSoftTokens;
  }
  throw Error(ErrorCode::kInput, where + ".detail must be \"auto\", \"low\" or \"high\", found \"" +
                                     escape_for_message(detail, 40) + "\"");
}

/// A whole number from 1 to `most`, nothing if the key is missing.
std::optional<std::int64_t> read_count(const Json& object, const char* key, std::int64_t most,
                                       const std::string& where) {
  const auto entry = object.find(key);
  if (entry == object.end()) {
    return std::nullopt;
  }
  if (!entry->is_number_integer() || *entry < 1 || *entry > most) {
    throw Error(ErrorCode::kInput,
                where + "." + key + " must be a whole number from 1 to " + std::to_string(most));
  }
  return entry->get<std::int64_t>();
}

/// Soft-token budget from `detail` and `max_soft_tokens`; the number wins. Nothing if neither is
/// given.
std::optional<std::int64_t> read_budget(const Json& object, const std::string& where) {
  std::optional<std::int64_t> budget;
  if (const std::string* detail = optional_string(object, "detail", where)) {
    budget = detail_tokens(*detail, where);
  }
  if (const auto tokens = read_count(object, "max_soft_tokens", kMaxSoftTokens, where)) {
    budget = tokens;
  }
  return budget;
}

/// The part of a picture that `region` names: [x, y, width, height] in pixels of the upright picture.
Image cut_region(const Image& image, const Json& part, const std::string& where) {
  const auto entry = part.find("region");
  if (entry == part.end() || entry->is_null()) {
    return image;
  }
  const std::string inner = where + ".region";
  const bool is_list = entry->is_array() && entry->size() == 4 &&
                       std::all_of(entry->begin(), entry->end(), [](const Json& value) {
                         return value.is_number_integer() && value >= 0 && value <= INT32_MAX;
                       });
  if (!is_list) {
    throw Error(ErrorCode::kInput, inner + " must be [x, y, width, height] in whole pixels");
  }
  const auto number = [&](std::size_t i) { return (*entry)[i].get<std::int64_t>(); };
  const std::int64_t x = number(0);
  const std::int64_t y = number(1);
  const std::int64_t width = number(2);
  const std::int64_t height = number(3);
  if (width < 1 || height < 1 || x + width > image.width() || y + height > image.height()) {
    throw Error(ErrorCode::kInput,
                inner + " is " + entry->dump() + ", which does not lie inside the picture of " +
                    std::to_string(image.width()) + " x " + std::to_string(image.height()) + " pixels");
  }
  return image.cropped(x, y, width, height);
}

/// Frames per second of a list of pictures.
double read_fps(const Json& part, const std::string& where) {
  const auto entry = part.find("fps");
  if (entry == part.end()) {
    return kDefaultFps;
  }
  if (!entry->is_number() || !(entry->get<double>() > 0.0) || entry->get<double>() > 1000.0) {
    throw Error(ErrorCode::kInput, where + ".fps must be a number above 0, at most 1000");
  }
  return entry->get<double>();
}

}  // namespace

bool MessageMediaReader::is_media(const std::string& type) {
  static constexpr std::array<std::string_view, 9> kTypes = {"image", "image_url", "input_image",
                                                             "audio", "audio_url", "input_audio",
                                                             "video", "video_url", "input_video"};
  return std::find(kTypes.begin(), kTypes.end(), type) != kTypes.end();
}

ContentPart MessageMediaReader::read(const Json& part, const std::string& type,
                                     const std::string& where) {
  if (type == "image" || type == "image_url" || type == "input_image") {
    return read_image(part, type, where);
  }
  if (++clips_ > kMaxClips) {
    throw Error(ErrorCode::kResource, where + ": more than " + std::to_string(kMaxClips) +
                                          " sounds and clips in one request");
  }
  if (type == "video" || type == "video_url" || type == "input_video") {
    return read_video(part, type, where);
  }
  return read_audio(part, type, where);
}

ImagePart MessageMediaReader::read_image(const Json& part, const std::string& type,
                                         const std::string& where) {
  count_picture(where);
  std::optional<std::int64_t> budget = read_budget(part, where);
  Source source;
  if (type == "image") {
    refuse_unknown_keys(part, {"path", "url", "image", "base64", "detail", "max_soft_tokens", "region"},
                        where);
    source = load(part, "image", where);
  } else {
    refuse_unknown_keys(part, {"image_url", "detail", "max_soft_tokens", "region"}, where);
    const auto entry = part.find("image_url");
    const std::string inner = where + ".image_url";
    if (entry != part.end() && entry->is_object()) {
      refuse_unknown_keys(*entry, {"url", "detail", "max_soft_tokens", "region"}, inner);
      source = from_url(required_string(*entry, "url", inner), "image", inner + ".url");
      if (const std::optional<std::int64_t> nested = read_budget(*entry, inner)) {
        budget = nested;
      }
    } else {
      source = from_url(required_string(part, "image_url", where), "image", inner);
    }
  }
  const auto nested = part.find("image_url");
  const bool has_nested = nested != part.end() && nested->is_object() && nested->contains("region");
  const Image image = cut_region(decode_image(source.bytes, source.name, options_),
                                 has_nested ? *nested : part, where);
  ImagePart result{image, where, budget.value_or(0)};
  count_bytes(result.image.rgb().size(), where);
  return result;
}

AudioPart MessageMediaReader::read_audio(const Json& part, const std::string& type,
                                         const std::string& where) {
  Source source;
  if (type == "audio") {
    refuse_unknown_keys(part, {"path", "url", "audio", "base64"}, where);
    source = load(part, "audio", where);
  } else if (type == "audio_url") {
    refuse_unknown_keys(part, {"audio_url"}, where);
    const auto entry = part.find("audio_url");
    const std::string inner = where + ".audio_url";
    const bool is_object = entry != part.end() && entry->is_object();
    source = is_object ? from_url(required_string(*entry, "url", inner), "audio", inner + ".url")
                       : from_url(required_string(part, "audio_url", where), "audio", inner);
  } else {
    // OpenAI: {"input_audio": {"data": base64, "format": "wav"}}; the bytes decide, not the format.
    refuse_unknown_keys(part, {"input_audio"}, where);
    const std::string inner = where + ".input_audio";
    const auto entry = part.find("input_audio");
    if (entry == part.end() || !entry->is_object()) {
      throw Error(ErrorCode::kInput, inner + " must be an object with \"data\" and \"format\"");
    }
    refuse_unknown_keys(*entry, {"data", "format"}, inner);
    source = {decode_base64(required_string(*entry, "data", inner), inner + ".data"),
              inner + ".data"};
  }
  AudioPart result{decode_audio(source.bytes, source.name, options_), where};
  count_bytes(result.audio.samples.size() * sizeof(float), where);
  return result;
}

VideoPart MessageMediaReader::read_video(const Json& part, const std::string& type,
                                         const std::string& where) {
  VideoPart result;
  result.name = where;
  result.max_soft_tokens = read_budget(part, where).value_or(0);
  if (type == "video" && part.contains("frames")) {
    refuse_unknown_keys(part, {"frames", "fps", "detail", "max_soft_tokens"}, where);
    result.video = read_frames(part, where);
    return result;
  }
  const std::int64_t most = options_.max_frames;
  const std::int64_t frames =
      read_count(part, "num_frames", most, where).value_or(std::min(options_.video_frames, most));
  Source source;
  if (type == "video") {
    refuse_unknown_keys(
        part, {"path", "url", "video", "base64", "num_frames", "detail", "max_soft_tokens"}, where);
    source = load(part, "video", where);
  } else if (type == "input_video") {
    // llama.cpp: {"input_video": {"data": base64}} or {"url": …}
    refuse_unknown_keys(part, {"input_video", "num_frames", "detail", "max_soft_tokens"}, where);
    const std::string inner = where + ".input_video";
    const auto entry = part.find("input_video");
    if (entry == part.end() || !entry->is_object() || entry->contains("data") == entry->contains("url")) {
      throw Error(ErrorCode::kInput, inner + " must be an object with either \"data\" or \"url\"");
    }
    refuse_unknown_keys(*entry, {"data", "url", "format"}, inner);
    source = entry->contains("data")
                 ? Source{decode_base64(required_string(*entry, "data", inner), inner + ".data"), inner}
                 : from_url(required_string(*entry, "url", inner), "video", inner + ".url");
  } else {
    refuse_unknown_keys(part, {"video_url", "num_frames", "detail", "max_soft_tokens"}, where);
    const auto entry = part.find("video_url");
    const std::string inner = where + ".video_url";
    const bool is_object = entry != part.end() && entry->is_object();
    source = is_object ? from_url(required_string(*entry, "url", inner), "video", inner + ".url")
                       : from_url(required_string(part, "video_url", where), "video", inner);
  }
  result.video = decode_video(source.bytes, source.name, frames, options_);
  for (const VideoFrame& frame : result.video.frames) {
    count_bytes(frame.image.rgb().size(), where);
  }
  return result;
}

/// A clip given as pictures: paths or data URLs, shown `fps` to the second.
Video MessageMediaReader::read_frames(const Json& part, const std::string& where) {
  const Json& frames = part.at("frames");
  if (!frames.is_array() || frames.empty()) {
    throw Error(ErrorCode::kInput, where + ".frames must be an array with at least one picture");
  }
  if (static_cast<std::int64_t>(frames.size()) > options_.max_frames) {
    throw Error(ErrorCode::kResource, where + ".frames: has " + std::to_string(frames.size()) +
                                          " pictures, at most " +
                                          std::to_string(options_.max_frames) + " are taken");
  }
  Video video;
  video.source_fps = read_fps(part, where);
  video.source_frames = static_cast<std::int64_t>(frames.size());
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const std::string place = where + ".frames[" + std::to_string(i) + "]";
    if (!frames[i].is_string()) {
      throw Error(ErrorCode::kInput, place + " must be the path or data URL of a picture, found " +
                                         std::string(frames[i].type_name()));
    }
    const Source source = from_text(frames[i].get_ref<const std::string&>(), "image", place);
    Image image = decode_image(source.bytes, source.name, options_);
    count_bytes(image.rgb().size(), place);
    const Image& first = video.frames.empty() ? image : video.frames.front().image;
    if (image.width() != first.width() || image.height() != first.height()) {
      throw Error(ErrorCode::kInput, place + ": is " + std::to_string(image.width()) + " x " +
                                         std::to_string(image.height()) +
                                         " pixels, but all frames of a clip must have the size of "
                                         "the first, " +
                                         std::to_string(first.width()) + " x " +
                                         std::to_string(first.height()));
    }
    video.frames.push_back({std::move(image), static_cast<double>(i) / video.source_fps});
  }
  return video;
}

MessageMediaReader::Source MessageMediaReader::load(const Json& part, const char* kind,
                                                    const std::string& where) const {
  const std::array<const char*, 4> sources = {"path", "url", kind, "base64"};
  const auto given = [&part](const char* key) { return part.contains(key); };
  if (std::count_if(sources.begin(), sources.end(), given) != 1) {
    throw Error(ErrorCode::kInput,
                where + " needs exactly one of \"path\", \"url\", \"" + kind + "\" and \"base64\"");
  }
  const std::string key = *std::find_if(sources.begin(), sources.end(), given);
  const std::string& value = required_string(part, key, where);
  const std::string inner = where + "." + key;
  if (key == "path") {
    return from_file(value, inner);
  }
  if (key == "base64") {
    return {decode_base64(value, inner), inner};
  }
  return key == "url" ? from_url(value, kind, inner) : from_text(value, kind, inner);
}

MessageMediaReader::Source MessageMediaReader::from_text(const std::string& text, const char* kind,
                                                         const std::string& where) const {
  const bool is_url =
      has_scheme(text, "data:") || has_scheme(text, "http:") || has_scheme(text, "https:");
  return is_url ? from_url(text, kind, where) : from_file(text, where);
}

MessageMediaReader::Source MessageMediaReader::from_file(const std::string& path,
                                                         const std::string& where) const {
  if (base_directory_.empty()) {
    throw Error(ErrorCode::kInput,
                where + ": files cannot be named here; send the data as a data URL");
  }
  if (path.empty() || path.find('\0') != std::string::npos) {
    throw Error(ErrorCode::kInput, where + ": expected the path of a file");
  }
  const std::string file = read_file(base_directory_ / path, kMaxFileBytes, ErrorCode::kInput);
  const std::span<const std::byte> bytes = std::as_bytes(std::span(file));
  return {{bytes.begin(), bytes.end()}, where + " ('" + escape_for_message(path) + "')"};
}

MessageMediaReader::Source MessageMediaReader::from_url(const std::string& url, const char* kind,
                                                        const std::string& where) const {
  if (has_scheme(url, "http:") || has_scheme(url, "https:")) {
    throw Error(ErrorCode::kInput, where +
                                       ": http and https addresses are not fetched; download the "
                                       "file and send it as a file or data URL");
  }
  return {decode_data_url(url, kind, where), where};
}

void MessageMediaReader::count_picture(const std::string& where) {
  if (++pictures_ > options_.image.max_images) {
    throw Error(ErrorCode::kResource, where + ": more than " +
                                          std::to_string(options_.image.max_images) +
                                          " pictures in one request");
  }
}

void MessageMediaReader::count_bytes(std::size_t bytes, const std::string& where) {
  total_bytes_ += static_cast<std::int64_t>(bytes);
  if (total_bytes_ > options_.image.max_total_bytes) {
    throw Error(ErrorCode::kResource, where + ": the decoded media of one request exceed " +
                                          std::to_string(options_.image.max_total_bytes) +
                                          " bytes; send fewer or smaller ones");
  }
}

}  // namespace nolens
