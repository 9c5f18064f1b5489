// The one way JSON enters the program: strict, and bounded in depth and size.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "nolens/error.h"

namespace nolens {

using Json = nlohmann::json;

struct JsonLimits {
  std::size_t max_bytes = 64U << 20U;
  int max_depth = 64;
  std::size_t max_values = 4U << 20U;  ///< scalars, arrays and objects together; bounds memory
};

/// Parses a whole document. Refused: comments, trailing commas, NaN, invalid UTF-8, a byte-order
/// mark, duplicate keys, numbers that do not fit, deeper nesting, more values or more bytes than
/// `limits`. Never recurses.
/// \throws Error{code}: "<name>: …, line L, column C" (both from 1, columns in bytes).
Json parse_json(std::string_view text, const std::string& name, ErrorCode code,
                const JsonLimits& limits = {});

/// Whether `json` is an object with the string `text` under `key`. Allocates nothing: Json's own == makes
/// a Json of the text, and where memory ends, it ends the program.
[[nodiscard]] bool has_text(const Json& json, const char* key, std::string_view text) noexcept;

/// Receives a document piece by piece, in order, for documents that are checked rather than kept.
/// A method may throw JsonRefusal; parse_json_events() adds the position.
class JsonEvents {
 public:
  virtual ~JsonEvents() = default;
  /// Null, boolean, number or string.
  virtual void scalar(Json&& value) = 0;
  virtual void key(std::string&& name) = 0;
  virtual void begin_object() = 0;
  virtual void end_object() = 0;
  virtual void begin_array() = 0;
  virtual void end_array() = 0;
};

/// Why a JsonEvents does not accept a document. The text is shown to people: escape file bytes.
class JsonRefusal : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// As parse_json(), but hands the pieces to `events`, which must refuse duplicate keys itself.
void parse_json_events(std::string_view text, const std::string& name, ErrorCode code,
                       const JsonLimits& limits, JsonEvents& events);

}  // namespace nolens
