#include "serve/api/request_fields.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "serve/api/refusals.h"
#include "core/escape.h"

namespace nolens::serve {
namespace {

std::string shown(double value) {
  std::string text = Json(value).dump();
  return text.ends_with(".0") ? text.substr(0, text.size() - 2) : text;
}

/// JSON knows one kind of number: 2.0 is a whole one.
std::optional<std::int64_t> whole_number(const Json& value) {
  constexpr double kExact = 9007199254740992.0;  // 2^53
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX) {
    return std::nullopt;
  }
  if (value.is_number_integer()) {
    return value.get<std::int64_t>();
  }
  if (!value.is_number_float() || std::abs(value.get<double>()) > kExact ||
      std::floor(value.get<double>()) != value.get<double>()) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(value.get<double>());
}

}  // namespace

RequestFields::RequestFields(const Json& object, std::string place)
    : object_(object), place_(std::move(place)) {
  if (!object_.is_object()) {
    throw invalid_field((place_.empty() ? "the request body" : place_) +
                                     " must be a JSON object, found " + object_.type_name(),
                                 place_);
  }
}

std::string RequestFields::path(const char* name) const {
  return place_.empty() ? name : place_ + "." + name;
}

void RequestFields::fail(const char* name, const std::string& what) const {
  throw invalid_field(path(name) + " " + what, path(name));
}

const Json* RequestFields::value(const char* name) {
  seen_.emplace_back(name);
  const auto found = object_.find(name);
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

std::optional<std::int64_t> RequestFields::integer(const char* name, std::int64_t least,
                                                   std::int64_t most) {
  const Json* found = value(name);
  if (found == nullptr) {
    return std::nullopt;
  }
  const std::optional<std::int64_t> whole = whole_number(*found);
  if (!whole.has_value() || *whole < least || *whole > most) {
    fail(name, "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most) +
                   ", found " + escape_for_message(found->dump(), 40));
  }
  return whole;
}

std::optional<double> RequestFields::number(const char* name, double least, double most) {
  const Json* found = value(name);
  if (found == nullptr) {
    return std::nullopt;
  }
  if (!found->is_number() || !(found->get<double>() >= least && found->get<double>() <= most)) {
    fail(name, "must be a number from " + shown(least) + " to " + shown(most) + ", found " +
                   escape_for_message(found->dump(), 40));
  }
  return found->get<double>();
}

std::optional<bool> RequestFields::boolean(const char* name) {
  const Json* found = value(name);
  if (found == nullptr) {
    return std::nullopt;
  }
  if (!found->is_boolean()) {
    fail(name, "must be true or false, found " + escape_for_message(found->dump(), 40));
  }
  return found->get<bool>();
}

std::optional<std::string> RequestFields::string(const char* name, std::size_t most_bytes) {
  const Json* found = value(name);
  if (found == nullptr) {
    return std::nullopt;
  }
  if (!found->is_string()) {
    fail(name, std::string("must be a string, found ") + found->type_name());
  }
  const auto& text = found->get_ref<const std::string&>();
  if (text.size() > most_bytes) {
    fail(name, "has " + std::to_string(text.size()) + " bytes; at most " + std::to_string(most_bytes) +
                   " are taken");
  }
  return text;
}

std::optional<std::string> RequestFields::choice(const char* name,
                                                 std::initializer_list<std::string_view> values) {
  const Json* found = value(name);
  if (found == nullptr) {
    return std::nullopt;
  }
  const bool known = found->is_string() && std::find(values.begin(), values.end(),
                                                     found->get_ref<const std::string&>()) != values.end();
  if (!known) {
    std::string names;
    for (const std::string_view value : values) {
      names += (names.empty() ? "\"" : ", \"") + std::string(value) + "\"";
    }
    fail(name, "must be one of " + names + ", found " + escape_for_message(found->dump(), 40));
  }
  return found->get<std::string>();
}

const Json* RequestFields::object(const char* name) {
  const Json* found = value(name);
  if (found != nullptr && !found->is_object()) {
    fail(name, std::string("must be an object, found ") + found->type_name());
  }
  return found;
}

const Json* RequestFields::array(const char* name, std::size_t most_items) {
  const Json* found = value(name);
  if (found != nullptr && !found->is_array()) {
    fail(name, std::string("must be an array, found ") + found->type_name());
  }
  if (found != nullptr && found->size() > most_items) {
    fail(name, "has " + std::to_string(found->size()) + " items; at most " + std::to_string(most_items) +
                   " are taken");
  }
  return found;
}

std::vector<std::string> RequestFields::strings(const char* name, std::size_t most_items,
                                                std::size_t most_bytes) {
  const Json* found = value(name);
  if (found == nullptr) {
    return {};
  }
  if (found->is_string()) {
    return {*string(name, most_bytes)};
  }
  const Json& items = *array(name, most_items);
  std::vector<std::string> result;
  for (const Json& item : items) {
    if (!item.is_string() || item.get_ref<const std::string&>().size() > most_bytes) {
      fail(name, "must hold strings of at most " + std::to_string(most_bytes) + " bytes");
    }
    result.push_back(item.get<std::string>());
  }
  return result;
}

void RequestFields::ignore(std::initializer_list<const char*> names) {
  seen_.insert(seen_.end(), names.begin(), names.end());
}

void RequestFields::refuse(const char* name, const std::string& why) {
  if (value(name) != nullptr) {
    throw unsupported(path(name) + " " + why, path(name));
  }
}

std::vector<std::string> RequestFields::unknown() const {
  std::vector<std::string> names;
  for (const auto& [name, ignored] : object_.items()) {
    if (std::find(seen_.begin(), seen_.end(), name) == seen_.end()) {
      names.push_back(path(name.c_str()));
    }
  }
  return names;
}

}  // namespace nolens::serve
