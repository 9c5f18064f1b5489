#include "serve/page_routes.h"

#include <string>
#include <string_view>

#include "serve/http/exchange.h"
#include "serve/page_files.h"

namespace nolens::serve {
namespace {

constexpr const char* kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'";

std::string_view content_type(std::string_view name) {
  if (name.ends_with(".html")) {
    return "text/html; charset=utf-8";
  }
  if (name.ends_with(".css")) {
    return "text/css; charset=utf-8";
  }
  if (name.ends_with(".js")) {
    return "text/javascript; charset=utf-8";
  }
  if (name.ends_with(".svg")) {
    return "image/svg+xml";
  }
  return name.ends_with(".json") ? "application/json" : "application/octet-stream";
}

/// "page/index.html" is "/", "page/main.js" is "/main.js".
std::string address(std::string_view name) {
  constexpr std::string_view kFolder = "page/";
  if (name.starts_with(kFolder)) {
    name.remove_prefix(kFolder.size());
  }
  return name == "index.html" ? "/" : "/" + std::string(name);
}

void serve_file(const PageFile& file, const HttpRequest& request, Exchange& exchange) {
  const std::string tag = "\"" + std::string(file.hash) + "\"";
  Headers headers = {{"cache-control", "no-cache"}, {"etag", tag}, {"content-security-policy", kPolicy}};
  if (request.header("if-none-match") == tag) {
    exchange.respond(304, content_type(file.name), "", std::move(headers));
    return;
  }
  exchange.respond(200, content_type(file.name),
                   std::string(file.data, file.data + file.size), std::move(headers));
}

}  // namespace

std::vector<Route> page_routes() {
  std::vector<Route> routes;
  for (const PageFile& file : page_files()) {
    routes.push_back({"GET", address(file.name), Access::kPublic,
                      [&file](const HttpRequest& request, const std::shared_ptr<Exchange>& exchange) {
                        serve_file(file, request, *exchange);
                      }});
  }
  return routes;
}

}  // namespace nolens::serve
