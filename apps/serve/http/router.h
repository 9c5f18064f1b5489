// The table of what the server offers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "serve/http/exchange.h"

namespace nolens::serve {

enum class Access : std::uint8_t {
  kKey,     ///< needs a key where keys exist
  kPublic,  ///< nothing secret and nothing costly
};

struct Route {
  std::string method;  ///< upper case; GET also answers HEAD
  std::string path;    ///< exact, or ending in "/{id}", which stands for one segment
  Access access = Access::kKey;
  Handler handler;
};

struct RouteMatch {
  const Route* route = nullptr;  ///< null: no route of this path and method
  std::string path_id;           ///< the segment behind "{id}"
  std::string allow;             ///< methods of this path, "GET, HEAD, POST"; "" = no such path
};

/// An exact path goes before one with "{id}".
/// \param path  normalised
[[nodiscard]] RouteMatch match_route(const std::vector<Route>& routes, std::string_view method,
                                     std::string_view path);

/// \throws Error{kInternal} if a route can match nothing or has no handler
void check_routes(const std::vector<Route>& routes);

}  // namespace nolens::serve
