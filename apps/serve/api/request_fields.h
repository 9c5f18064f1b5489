// Fields of a JSON request, checked for type and range.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/json.h"

namespace nolens::serve {

/// Reads the members of one object and remembers which were asked for. Every refusal is an HttpError 400
/// whose `param` is the member.
class RequestFields {
 public:
  /// `object` outlives the reader; `place` is put before names in messages, "" at the top.
  RequestFields(const Json& object, std::string place);

  /// A member that is missing or null gives nothing.
  std::optional<std::int64_t> integer(const char* name, std::int64_t least, std::int64_t most);
  std::optional<double> number(const char* name, double least, double most);
  std::optional<bool> boolean(const char* name);
  std::optional<std::string> string(const char* name, std::size_t most_bytes);
  /// One of `values`.
  std::optional<std::string> choice(const char* name, std::initializer_list<std::string_view> values);
  /// Null if the member is missing or null.
  const Json* value(const char* name);
  const Json* object(const char* name);
  const Json* array(const char* name, std::size_t most_items);
  /// A string, or an array of strings.
  std::vector<std::string> strings(const char* name, std::size_t most_items, std::size_t most_bytes);

  /// Members that are fine and change nothing.
  void ignore(std::initializer_list<const char*> names);
  /// Members that would have to change something that is not offered. \throws HttpError if one is there.
  void refuse(const char* name, const std::string& why);
  /// Members nobody asked for, in the order of the document.
  [[nodiscard]] std::vector<std::string> unknown() const;

  [[noreturn]] void fail(const char* name, const std::string& what) const;

 private:
  [[nodiscard]] std::string path(const char* name) const;

  const Json& object_;
  std::string place_;
  std::vector<std::string> seen_;
};

}  // namespace nolens::serve
