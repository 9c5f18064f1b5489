// simdjson reports through error codes; here they become sentences.
#include "text/tokenizer_fields.h"

#include <utility>

#include "nolens/error.h"

#include "core/escape.h"

namespace nolens {
namespace {

constexpr std::size_t kShownBytes = 40;

std::string join(const std::string& path, std::string_view key) {
  return path.empty() ? std::string(key) : path + "." + std::string(key);
}

}  // namespace

std::string quoted(std::string_view text) {
  std::string result = "'";
  result += escape_for_message(text, kShownBytes);
  result += '\'';
  return result;
}

std::string describe(simdjson::dom::element value) {
  using simdjson::dom::element_type;
  switch (value.type()) {
    case element_type::ARRAY: return "an array";
    case element_type::OBJECT: return "an object";
    case element_type::NULL_VALUE: return "null";
    case element_type::STRING: {
      std::string_view text;
      return value.get(text) == simdjson::SUCCESS ? quoted(text) : "a string";
    }
    default: return escape_for_message(simdjson::minify(value), kShownBytes);
  }
}

TokenizerFields::TokenizerFields(std::string name, std::string path, simdjson::dom::element value)
    : name_(std::move(name)), path_(std::move(path)) {
  if (value.get(object_) != simdjson::SUCCESS) {
    throw Error(ErrorCode::kModel, name_ + ": " + (path_.empty() ? "the document" : path_) +
                                       " expected an object, found " + describe(value));
  }
}

TokenizerFields TokenizerFields::child(std::string_view key, simdjson::dom::element value) const {
  return {name_, join(path_, key), value};
}

TokenizerFields TokenizerFields::get_child(std::string_view key) const {
  return child(key, get<simdjson::dom::element>(key, "an object"));
}

std::optional<TokenizerFields> TokenizerFields::find_child(std::string_view key) const {
  const auto value = find<simdjson::dom::element>(key, "an object");
  return value ? std::optional(child(key, *value)) : std::nullopt;
}

simdjson::dom::object TokenizerFields::get_object(std::string_view key) const {
  return get<simdjson::dom::object>(key, "an object");
}

simdjson::dom::array TokenizerFields::get_array(std::string_view key) const {
  return get<simdjson::dom::array>(key, "an array");
}

std::optional<simdjson::dom::array> TokenizerFields::find_array(std::string_view key) const {
  return find<simdjson::dom::array>(key, "an array");
}

std::string_view TokenizerFields::get_string(std::string_view key) const {
  return get<std::string_view>(key, "a string");
}

std::optional<std::string_view> TokenizerFields::find_string(std::string_view key) const {
  return find<std::string_view>(key, "a string");
}

std::int64_t TokenizerFields::get_int(std::string_view key, std::int64_t min,
                                      std::int64_t max) const {
  const auto value = get<std::int64_t>(key, "an integer");
  if (value < min || value > max) {
    fail(key, "expected " + std::to_string(min) + " to " + std::to_string(max) + ", found " +
                  std::to_string(value));
  }
  return value;
}

bool TokenizerFields::find_bool(std::string_view key, bool absent) const {
  return find<bool>(key, "true or false").value_or(absent);
}

double TokenizerFields::find_number(std::string_view key, double absent) const {
  return find<double>(key, "a number").value_or(absent);
}

void TokenizerFields::fail(std::string_view key, const std::string& what) const {
  throw Error(ErrorCode::kModel, name_ + ": " + escape_for_message(join(path_, key)) + " " + what);
}

template <typename T>
std::optional<T> TokenizerFields::find(std::string_view key, const char* expected) const {
  simdjson::dom::element value;
  if (object_.at_key(key).get(value) != simdjson::SUCCESS || value.is_null()) {
    return std::nullopt;
  }
  T result;
  if (value.get(result) != simdjson::SUCCESS) {
    fail(key, std::string("expected ") + expected + ", found " + describe(value));
  }
  return result;
}

template <typename T>
T TokenizerFields::get(std::string_view key, const char* expected) const {
  const auto value = find<T>(key, expected);
  if (!value) {
    fail(key, std::string("is missing; expected ") + expected);
  }
  return *value;
}

}  // namespace nolens
