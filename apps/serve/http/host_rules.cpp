#include "serve/http/host_rules.h"

#include <algorithm>
#include <charconv>

#include <arpa/inet.h>

#include "nolens/error.h"

#include "serve/http/text.h"

namespace nolens::serve {
namespace {

constexpr std::size_t kMaxHostBytes = 255;

/// \return the usual spelling of an address, "" if `text` is none of this family
std::string canonical_address(int family, const std::string& text) {
  unsigned char bytes[sizeof(in6_addr)];
  char spelled[INET6_ADDRSTRLEN];
  if (inet_pton(family, text.c_str(), bytes) != 1 ||
      inet_ntop(family, bytes, spelled, sizeof(spelled)) == nullptr) {
    return {};
  }
  return spelled;
}

bool is_host_name(std::string_view text) {
  return !text.empty() && text.size() <= kMaxHostBytes &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return is_alphanumeric(c) || c == '-' || c == '.' || c == '_'; });
}

/// Splits "scheme://authority". \return "" as the scheme if it is none
struct OriginParts {
  std::string scheme;
  std::string authority;
};

OriginParts split_origin(std::string_view origin) {
  for (const std::string_view scheme : {"http", "https"}) {
    const std::string prefix = std::string(scheme) + "://";
    if (origin.substr(0, prefix.size()) == prefix) {
      return {std::string(scheme), std::string(origin.substr(prefix.size()))};
    }
  }
  return {};
}

}  // namespace

std::optional<Authority> parse_authority(std::string_view text) {
  Authority result;
  std::string_view rest;
  if (!text.empty() && text.front() == '[') {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) {
      return std::nullopt;
    }
    result.host = canonical_address(AF_INET6, std::string(text.substr(1, close - 1)));
    result.is_address = true;
    rest = text.substr(close + 1);
  } else {
    const std::size_t colon = std::min(text.find(':'), text.size());
    const std::string_view name = text.substr(0, colon);
    if (!is_host_name(name)) {
      return std::nullopt;
    }
    const std::string address = canonical_address(AF_INET, std::string(name));
    result.is_address = !address.empty();
    result.host = result.is_address ? address : lower_case(name);
    rest = text.substr(colon);
  }
  if (result.host.empty()) {
    return std::nullopt;
  }
  if (rest.empty()) {
    return result;
  }
  std::uint16_t port = 0;
  const char* end = rest.data() + rest.size();
  const auto [stop, error] = std::from_chars(rest.data() + 1, end, port);
  if (rest.front() != ':' || rest.size() < 2 || error != std::errc{} || stop != end) {
    return std::nullopt;
  }
  result.port = port;
  return result;
}

bool is_loopback_address(std::string_view address) {
  return address == "::1" || address.substr(0, 4) == "127.";
}

HostRules::HostRules(const HttpOptions& options, bool is_tls)
    : listen_host_(lower_case(options.host)), is_tls_(is_tls) {
  for (const std::string& name : options.allowed_hosts) {
    const auto host = parse_authority(name);
    if (!host) {
      throw Error(ErrorCode::kUsage,
                  "allowed host \"" + escaped(name) +
                      "\": expected a name or an address, alone or with \":port\"");
    }
    hosts_.push_back(*host);
  }
  for (const std::string& text : options.allowed_origins) {
    const std::string origin = lower_case(text);
    if (!parse_authority(split_origin(origin).authority)) {
      throw Error(
          ErrorCode::kUsage,
          "allowed origin \"" + escaped(text) +
              "\": expected a scheme and a host as a browser sends them, such as "
              "https://chat.example or http://localhost:3000, without a path; there is no \"*\"");
    }
    origins_.push_back(origin);
  }
}

bool HostRules::is_listed_host(const Authority& host) const {
  return std::any_of(hosts_.begin(), hosts_.end(), [&](const Authority& listed) {
    return listed.host == host.host && (!listed.port || listed.port == host.port);
  });
}

bool HostRules::allows_host(const Authority& host, std::string_view local_address) const {
  if (is_listed_host(host)) {
    return true;
  }
  if (host.port.value_or(is_tls_ ? 443 : 80) != port_) {
    return false;
  }
  if (host.is_address) {
    return is_loopback_address(host.host) || host.host == local_address;
  }
  return host.host == "localhost" || host.host == listen_host_;
}

HostRules::Origin HostRules::judge_origin(std::string_view origin, std::string_view host) const {
  if (origin.empty()) {
    return Origin::kNone;
  }
  const std::string text = lower_case(origin);
  const auto [scheme, authority] = split_origin(text);
  if (!scheme.empty() && authority == lower_case(host)) {
    // Behind a proxy that ends TLS, pages come by https and requests by http.
    const auto parsed = parse_authority(host);
    if (scheme == (is_tls_ ? "https" : "http") || (parsed && is_listed_host(*parsed))) {
      return Origin::kOwn;
    }
  }
  return std::find(origins_.begin(), origins_.end(), text) != origins_.end() ? Origin::kListed
                                                                             : Origin::kForeign;
}

}  // namespace nolens::serve
