// No conversions: 1.0 is no integer, "true" no boolean, as in Hugging Face's strict configs.
#include "formats/json_fields.h"

#include <limits>
#include <utility>

#include "core/escape.h"

namespace nolens {
namespace {

constexpr std::size_t kMaxShownBytes = 60;

std::string shown(const Json& value) {
  if (value.is_structured()) {
    return value.is_object() ? "an object" : "a list";
  }
  return escape_for_message(value.dump(-1, ' ', true, Json::error_handler_t::replace),
                            kMaxShownBytes);
}

std::optional<std::int64_t> as_int64(const Json& value) {
  if (value.is_number_unsigned() &&
      value.get<std::uint64_t>() <=
          static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    return static_cast<std::int64_t>(value.get<std::uint64_t>());
  }
  if (value.is_number_integer() && !value.is_number_unsigned()) {
    return value.get<std::int64_t>();
  }
  return std::nullopt;
}

}  // namespace

JsonFields::JsonFields(const Json& object, std::string document, std::string path)
    : object_(&object), document_(std::move(document)), path_(std::move(path)) {
  if (!object.is_object()) {
    throw Error(ErrorCode::kModel, document_ + ": " + (path_.empty() ? "the document" : path_) +
                                       " is " + shown(object) + ", expected an object");
  }
}

const Json* JsonFields::find(std::string_view key) const {
  const auto& object = members();
  const auto found = object.find(std::string(key));
  return found == object.end() || found->second.is_null() ? nullptr : &found->second;
}

std::optional<JsonFields> JsonFields::object(std::string_view key) const {
  const Json* value = find(key);
  return value == nullptr ? std::nullopt
                          : std::optional(JsonFields(*value, document_, path_of(key)));
}

std::optional<std::int64_t> JsonFields::integer(std::string_view key) const {
  const Json* value = find(key);
  if (value == nullptr) {
    return std::nullopt;
  }
  const auto number = as_int64(*value);
  if (!number) {
    fail_value(key, "an integer");
  }
  return number;
}

std::optional<double> JsonFields::number(std::string_view key) const {
  const Json* value = find(key);
  if (value == nullptr) {
    return std::nullopt;
  }
  if (!value->is_number()) {
    fail_value(key, "a number");
  }
  return value->get<double>();
}

std::optional<bool> JsonFields::boolean(std::string_view key) const {
  const Json* value = find(key);
  if (value == nullptr) {
    return std::nullopt;
  }
  if (!value->is_boolean()) {
    fail_value(key, "true or false");
  }
  return value->get<bool>();
}

std::optional<std::string> JsonFields::text(std::string_view key) const {
  const Json* value = find(key);
  if (value == nullptr) {
    return std::nullopt;
  }
  if (!value->is_string()) {
    fail_value(key, "a string");
  }
  return value->get<std::string>();
}

std::optional<std::vector<std::int64_t>> JsonFields::integers(std::string_view key) const {
  const Json* value = find(key);
  if (value == nullptr) {
    return std::nullopt;
  }
  if (!value->is_array()) {
    return std::vector<std::int64_t>{*integer(key)};
  }
  std::vector<std::int64_t> numbers;
  for (const Json& element : *value) {
    const auto number = as_int64(element);
    if (!number) {
      fail(key, "holds " + shown(element) + ", expected integers");
    }
    numbers.push_back(*number);
  }
  return numbers;
}

const Json::object_t& JsonFields::members() const {
  return object_->get_ref<const Json::object_t&>();
}

void JsonFields::fail(std::string_view key, const std::string& reason) const {
  throw Error(ErrorCode::kModel, document_ + ": " + path_of(key) + " " + reason);
}

void JsonFields::fail_value(std::string_view key, const std::string& expected) const {
  const Json* value = find(key);
  fail(key, value == nullptr ? "is missing, expected " + expected
                             : "is " + shown(*value) + ", expected " + expected);
}

std::string JsonFields::path_of(std::string_view key) const {
  return (path_.empty() ? "" : path_ + ".") + escape_for_message(key, kMaxShownBytes);
}

}  // namespace nolens
