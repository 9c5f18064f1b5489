#include "prompt/image_source.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <vector>

#include "nolens/error.h"

#include "core/escape.h"
#include "platform/mapped_file.h"
#include "prompt/base64.h"
#include "prompt/message_fields.h"
#include "prompt/python_text.h"

namespace nolens {
namespace {

constexpr std::size_t kMaxFileBytes = std::size_t{128} << 20U;
constexpr std::int64_t kMaxSoftTokens = 1120;

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

/// Soft-token budget from `detail` and `max_soft_tokens`; the number wins. Nothing if neither is
/// given.
std::optional<std::int64_t> read_budget(const Json& object, const std::string& where) {
  std::optional<std::int64_t> budget;
  if (const std::string* detail = optional_string(object, "detail", where)) {
    budget = detail_tokens(*detail, where);
  }
  const auto entry = object.find("max_soft_tokens");
  if (entry != object.end()) {
    if (!entry->is_number_integer() || *entry < 1 || *entry > kMaxSoftTokens) {
      throw Error(ErrorCode::kInput, where + ".max_soft_tokens must be a whole number from 1 to " +
                                         std::to_string(kMaxSoftTokens));
    }
    budget = entry->get<std::int64_t>();
  }
  return budget;
}

}  // namespace

ImagePart ImageReader::read(const Json& part, const std::string& type, const std::string& where) {
  ++count_;
  if (count_ > limits_.max_images) {
    throw Error(ErrorCode::kResource, where + ": more than " + std::to_string(limits_.max_images) +
                                          " pictures in one request");
  }
  ImagePart result;
  std::optional<std::int64_t> budget = read_budget(part, where);
  if (type == "image") {
    refuse_unknown_keys(part, {"path", "url", "image", "base64", "detail", "max_soft_tokens"},
                        where);
    result.image = load(part, where);
  } else {
    refuse_unknown_keys(part, {"image_url", "detail", "max_soft_tokens"}, where);
    const auto entry = part.find("image_url");
    const std::string inner = where + ".image_url";
    if (entry != part.end() && entry->is_object()) {
      refuse_unknown_keys(*entry, {"url", "detail", "max_soft_tokens"}, inner);
      result.image = from_url(required_string(*entry, "url", inner), inner + ".url");
      if (const std::optional<std::int64_t> nested = read_budget(*entry, inner)) {
        budget = nested;
      }
    } else {
      result.image = from_url(required_string(part, "image_url", where), inner);
    }
  }
  result.max_soft_tokens = budget.value_or(0);
  result.name = where;
  total_bytes_ += static_cast<std::int64_t>(result.image.rgb().size());
  if (total_bytes_ > limits_.max_total_bytes) {
    throw Error(ErrorCode::kResource, where + ": the decoded pictures of one request exceed " +
                                          std::to_string(limits_.max_total_bytes) +
                                          " bytes; send fewer or smaller ones");
  }
  return result;
}

Image ImageReader::load(const Json& part, const std::string& where) {
  constexpr std::array<const char*, 4> kSources = {"path", "url", "image", "base64"};
  const auto given = [&part](const char* key) { return part.contains(key); };
  if (std::count_if(kSources.begin(), kSources.end(), given) != 1) {
    throw Error(ErrorCode::kInput,
                where + " needs exactly one of \"path\", \"url\", \"image\" and \"base64\"");
  }
  const std::string key = *std::find_if(kSources.begin(), kSources.end(), given);
  const std::string& value = required_string(part, key, where);
  const std::string inner = where + "." + key;
  if (key == "path") {
    return from_file(value, inner);
  }
  if (key == "base64") {
    return Image::decode(decode_base64(value, inner), inner, limits_, alpha_);
  }
  const bool is_url = key == "url" || has_scheme(value, "data:") || has_scheme(value, "http:") ||
                      has_scheme(value, "https:");
  return is_url ? from_url(value, inner) : from_file(value, inner);
}

Image ImageReader::from_file(const std::string& path, const std::string& where) const {
  if (base_directory_.empty()) {
    throw Error(ErrorCode::kInput,
                where + ": files cannot be named here; send the picture as a data URL");
  }
  if (path.empty() || path.find('\0') != std::string::npos) {
    throw Error(ErrorCode::kInput, where + ": expected the path of a picture");
  }
  const std::string file = read_file(base_directory_ / path, kMaxFileBytes, ErrorCode::kInput);
  return Image::decode(std::as_bytes(std::span(file)),
                       where + " ('" + escape_for_message(path) + "')", limits_, alpha_);
}

Image ImageReader::from_url(const std::string& url, const std::string& where) const {
  if (has_scheme(url, "http:") || has_scheme(url, "https:")) {
    throw Error(ErrorCode::kInput, where +
                                       ": http and https addresses are not fetched; download the "
                                       "picture and send it as a file or data URL");
  }
  return Image::decode(decode_image_data_url(url, where), where, limits_, alpha_);
}

}  // namespace nolens
