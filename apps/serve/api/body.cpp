#include "serve/api/body.h"

#include <algorithm>
#include <cctype>
#include <string>

#include "serve/api/refusals.h"

namespace nolens::serve {
namespace {

constexpr int kMaxDepth = 64;

bool is_json(std::string_view content_type) {
  std::string type(content_type.substr(0, content_type.find(';')));
  std::transform(type.begin(), type.end(), type.begin(), [](unsigned char c) { return std::tolower(c); });
  type.erase(std::remove(type.begin(), type.end(), ' '), type.end());
  return type == "application/json";
}

}  // namespace

Json read_body(const HttpRequest& request) {
  if (!is_json(request.header("content-type"))) {
    throw bad_request(415, "this endpoint takes a body of the type application/json", "unsupported_media_type");
  }
  JsonLimits limits;
  limits.max_bytes = request.body.size() + 1;  // the server has bounded it
  limits.max_depth = kMaxDepth;
  try {
    return parse_json(request.body, "the request body", ErrorCode::kInput, limits);
  } catch (const Error& error) {
    throw invalid_field(error.what(), "", "invalid_json");
  }
}

}  // namespace nolens::serve
