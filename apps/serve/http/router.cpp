#include "serve/http/router.h"

#include "nolens/error.h"

#include "serve/http/target.h"

namespace nolens::serve {
namespace {

constexpr std::string_view kPlaceholder = "{id}";

/// \return what the path is compared with in front of the placeholder; all of it if there is none
std::string_view fixed_part(const Route& route) {
  std::string_view path = route.path;
  if (path.size() > kPlaceholder.size() &&
      path.substr(path.size() - kPlaceholder.size()) == kPlaceholder) {
    path.remove_suffix(kPlaceholder.size());
  }
  return path;
}

bool has_placeholder(const Route& route) {
  return fixed_part(route).size() != route.path.size();
}

bool fits(const Route& route, std::string_view path) {
  const std::string_view fixed = fixed_part(route);
  if (!has_placeholder(route)) {
    return path == fixed;
  }
  return path.size() > fixed.size() && path.substr(0, fixed.size()) == fixed &&
         path.find('/', fixed.size()) == std::string_view::npos;
}

void add_method(std::string& allow, const std::string& method) {
  allow += (allow.empty() ? "" : ", ") + method + (method == "GET" ? ", HEAD" : "");
}

}  // namespace

RouteMatch match_route(const std::vector<Route>& routes, std::string_view method,
                       std::string_view path) {
  const std::string_view wanted = method == "HEAD" ? std::string_view("GET") : method;
  for (const bool placeholder : {false, true}) {
    RouteMatch match;
    for (const Route& route : routes) {
      if (has_placeholder(route) != placeholder || !fits(route, path)) {
        continue;
      }
      add_method(match.allow, route.method);
      if (route.method == wanted && match.route == nullptr) {
        match.route = &route;
        match.path_id = placeholder ? path.substr(fixed_part(route).size()) : std::string_view();
      }
    }
    if (!match.allow.empty()) {
      return match;
    }
  }
  return {};
}

void check_routes(const std::vector<Route>& routes) {
  for (const Route& route : routes) {
    const std::string_view fixed = fixed_part(route);
    const auto target = normalise_target(fixed);
    const bool is_reachable = target && target->path == fixed &&
                              fixed.find('{') == std::string_view::npos &&
                              (!has_placeholder(route) || fixed.back() == '/');
    if (!is_reachable || route.method.empty() || !route.handler) {
      throw Error(ErrorCode::kInternal,
                  "route " + route.method + " " + route.path +
                      ": expected a method, a handler and a path that a request can have");
    }
  }
}

}  // namespace nolens::serve
