// The one place where the target of a request becomes a path. Keys and routes are looked up with
// its result only, so that both always mean the same resource.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace nolens::serve {

struct Target {
  std::string path;
  std::string query;  ///< as sent, without the '?'
};

/// \return nothing unless `target` begins with one '/', has no empty segment (but a last one), no
/// "." and
///         ".." segments, and its percent-encodings stand for printable ASCII other than '/', '\\',
///         '%' and '.', none of which may be smuggled in
[[nodiscard]] std::optional<Target> normalise_target(std::string_view target);

}  // namespace nolens::serve
