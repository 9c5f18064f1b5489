#include "serve/http/gate.h"

#include <algorithm>

#include "serve/http/text.h"

namespace nolens::serve {
namespace {

constexpr std::string_view kBearer = "Bearer ";

bool changes_something(std::string_view method) {
  return method == "POST" || method == "PUT" || method == "PATCH";
}

/// Without parameters, in lower case.
std::string media_type(std::string_view content_type) {
  return lower_case(trimmed(content_type.substr(0, content_type.find(';'))));
}

HttpError wrong_key() {
  return bad_request(401, "this server needs an API key: send it as \"Authorization: Bearer KEY\"",
                     "invalid_api_key", {{"www-authenticate", "Bearer"}});
}

}  // namespace

std::string_view credential_of(const RequestHead& head) {
  std::string_view authorization;
  std::string_view api_key;
  const std::size_t authorizations = head.find("authorization", authorization);
  const std::size_t api_keys = head.find("x-api-key", api_key);
  if (authorizations > 1 || api_keys > 1) {
    return {};
  }
  std::string_view bearer;
  if (authorizations == 1 &&
      equal_ignoring_case(authorization.substr(0, kBearer.size()), kBearer)) {
    bearer = trimmed(authorization.substr(kBearer.size()));
  }
  if (authorizations == 0) {
    return api_key;
  }
  return api_keys == 1 && api_key != bearer ? std::string_view() : bearer;
}

Gate::Gate(const HttpOptions& options, const std::vector<Route>& routes,
           std::shared_ptr<ApiKeys> keys, bool is_tls)
    : options_(options), routes_(routes), keys_(std::move(keys)), hosts_(options, is_tls) {}

void Gate::admit(const RequestHead& head, std::string_view local_address,
                 Admission& admission) const {
  const std::string_view host = check_host(head, local_address);
  std::optional<Target> target = normalise_target(head.target);
  const RouteMatch match = target ? match_route(routes_, head.method, target->path) : RouteMatch{};
  const bool is_public = match.route != nullptr && match.route->access == Access::kPublic;
  const bool is_read = head.method == "GET" || head.method == "HEAD";
  if (check_origin(head, host, is_public && is_read, admission)) {
    return;
  }
  if (!keys_->empty()) {
    const auto owner = keys_->owner_of(credential_of(head));
    if (!owner && !is_public) {
      throw wrong_key();
    }
    admission.key = owner.value_or(0);
  }
  if (match.allow.empty()) {
    throw bad_request(404, "there is nothing at this address", "unknown_url");
  }
  if (match.route == nullptr) {
    throw bad_request(405, "this address knows the methods " + match.allow + " only",
                      "method_not_allowed", {{"allow", match.allow}});
  }
  admission.target = std::move(*target);
  admission.path_id = match.path_id;
  check_body(head, admission);
  admission.route = match.route;
}

std::string_view Gate::check_host(const RequestHead& head, std::string_view local_address) const {
  std::string_view text;
  const auto host = head.find("host", text) == 1 ? parse_authority(text) : std::nullopt;
  if (!host) {
    throw bad_request(400, "the request needs one Host field with a name and a port", "bad_host");
  }
  if (!hosts_.allows_host(*host, local_address)) {
    throw bad_request(421,
                      "this server is not known by the name in the Host field; it can be allowed "
                      "when the server is started",
                      "unknown_host");
  }
  return text;
}

/// \return whether the request was a preflight and is answered
bool Gate::check_origin(const RequestHead& head, std::string_view host, bool is_public_read,
                        Admission& admission) const {
  if (!options_.allowed_origins.empty()) {
    admission.fields.emplace_back("vary", "origin");
  }
  std::string_view origin;
  const std::size_t origins = head.find("origin", origin);
  HostRules::Origin verdict = hosts_.judge_origin(origin, host);
  if (origins > 1 || (origins == 1 && origin.empty())) {
    verdict = HostRules::Origin::kForeign;
  }
  if (verdict == HostRules::Origin::kForeign && !is_public_read) {
    throw bad_request(403,
                      "web pages of this origin may not use the server; it can be allowed when the "
                      "server is started",
                      "origin_not_allowed");
  }
  if (verdict != HostRules::Origin::kListed) {
    return false;
  }
  admission.fields.emplace_back("access-control-allow-origin", lower_case(origin));
  admission.fields.emplace_back("access-control-expose-headers", "x-request-id, retry-after");
  std::string_view method;
  if (head.method != "OPTIONS" || head.find("access-control-request-method", method) == 0) {
    return false;
  }
  // The same for every path: who has no key learns nothing about what exists.
  admission.fields.emplace_back("access-control-allow-methods", "GET, HEAD, POST, DELETE");
  admission.fields.emplace_back("access-control-allow-headers",
                                "authorization, content-type, x-api-key");
  admission.fields.emplace_back("access-control-max-age", "600");
  return true;
}

void Gate::check_body(const RequestHead& head, Admission& admission) const {
  std::string_view value;
  if (const std::size_t count = head.find("expect", value); count > 0) {
    if (count > 1 || !equal_ignoring_case(value, "100-continue")) {
      throw bad_request(417, "the only expectation this server meets is 100-continue",
                        "expectation_failed");
    }
    admission.wants_continue = head.has_body();
  }
  if (head.find("content-encoding", value) > 0 && !equal_ignoring_case(value, "identity")) {
    throw bad_request(415, "bodies of requests may not be compressed", "unsupported_encoding");
  }
  if (changes_something(head.method)) {
    value = {};
    const std::size_t count = head.find("content-type", value);
    const std::string type = media_type(value);
    if (count != 1 || (type != "application/json" && type != "multipart/form-data")) {
      throw bad_request(415, "expected a body of type application/json or multipart/form-data",
                        "unsupported_media_type");
    }
  }
  if (head.content_length.value_or(0) > options_.limits.body_bytes) {
    throw bad_request(413,
                      "the body of the request is larger than " +
                          std::to_string(options_.limits.body_bytes) + " bytes",
                      "request_too_large");
  }
}

}  // namespace nolens::serve
