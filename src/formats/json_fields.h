// Typed access to the fields of a JSON object, with messages that name the field.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/json.h"

namespace nolens {

/// A view of one object; the document must outlive it. A field that is null counts as absent.
/// Every method throws Error{kModel} "<document>: <path>.<field>: …" if the type is another one.
class JsonFields {
 public:
  /// \param document  file name, for messages
  /// \param path      where the object stands in the document, "" for the root
  JsonFields(const Json& object, std::string document, std::string path = {});

  [[nodiscard]] bool has(std::string_view key) const { return find(key) != nullptr; }
  /// \return nullptr if absent or null
  [[nodiscard]] const Json* find(std::string_view key) const;
  [[nodiscard]] std::optional<JsonFields> object(std::string_view key) const;
  [[nodiscard]] std::optional<std::int64_t> integer(std::string_view key) const;
  [[nodiscard]] std::optional<double> number(std::string_view key) const;
  [[nodiscard]] std::optional<bool> boolean(std::string_view key) const;
  [[nodiscard]] std::optional<std::string> text(std::string_view key) const;
  /// One integer or a list of integers, as eos_token_id is written.
  [[nodiscard]] std::optional<std::vector<std::int64_t>> integers(std::string_view key) const;
  /// The members of the object, in order of their keys.
  [[nodiscard]] const Json::object_t& members() const;

  /// \throws Error{kModel} "<document>: <path>.<key>: <reason>"
  [[noreturn]] void fail(std::string_view key, const std::string& reason) const;
  /// As fail(): "is <value>, expected <expected>".
  [[noreturn]] void fail_value(std::string_view key, const std::string& expected) const;

 private:
  [[nodiscard]] std::string path_of(std::string_view key) const;

  const Json* object_;
  std::string document_;
  std::string path_;
};

}  // namespace nolens
