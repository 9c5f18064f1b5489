// Fields of a JSON object read by simdjson, with messages that name the file and the field's path.
#pragma once

#include <cstdint>
#include <optional>
#include <simdjson.h>
#include <string>
#include <string_view>

namespace nolens {

/// 'text', escaped.
[[nodiscard]] std::string quoted(std::string_view text);

/// What a value is, for a message: its type and the beginning of its text.
[[nodiscard]] std::string describe(simdjson::dom::element value);

/// One object of the document. `find_…` takes a missing field or null for absent; `get_…` throws.
/// Both throw Error{kModel} for a value of another type.
class TokenizerFields {
 public:
  /// `path` is empty for the document itself. \throws Error{kModel} if `value` is no object.
  TokenizerFields(std::string name, std::string path, simdjson::dom::element value);

  /// The object `value`, found under `key` of this one.
  [[nodiscard]] TokenizerFields child(std::string_view key, simdjson::dom::element value) const;
  [[nodiscard]] TokenizerFields get_child(std::string_view key) const;
  [[nodiscard]] std::optional<TokenizerFields> find_child(std::string_view key) const;

  [[nodiscard]] simdjson::dom::object get_object(std::string_view key) const;
  [[nodiscard]] simdjson::dom::array get_array(std::string_view key) const;
  [[nodiscard]] std::optional<simdjson::dom::array> find_array(std::string_view key) const;
  [[nodiscard]] std::string_view get_string(std::string_view key) const;
  [[nodiscard]] std::optional<std::string_view> find_string(std::string_view key) const;
  [[nodiscard]] std::int64_t get_int(std::string_view key, std::int64_t min,
                                     std::int64_t max) const;
  [[nodiscard]] bool find_bool(std::string_view key, bool absent) const;
  [[nodiscard]] double find_number(std::string_view key, double absent) const;

  /// "<name>: <path>.<key> <what>"
  [[noreturn]] void fail(std::string_view key, const std::string& what) const;

 private:
  template <typename T>
  [[nodiscard]] std::optional<T> find(std::string_view key, const char* expected) const;
  template <typename T>
  [[nodiscard]] T get(std::string_view key, const char* expected) const;

  std::string name_;
  std::string path_;
  simdjson::dom::object object_;
};

}  // namespace nolens
