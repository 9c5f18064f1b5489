// Which names a request may call this server by, and which web pages may talk to it. Stops DNS
// rebinding and pages that reach for servers on the reader's own machine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "serve/http/http_options.h"

namespace nolens::serve {

/// What a Host field or the authority of an origin holds.
struct Authority {
  std::string host;  ///< lower case; addresses in the usual spelling, without brackets
  std::optional<std::uint16_t> port;
  bool is_address = false;
};

/// \return nothing for what is no "host" or "host:port"
[[nodiscard]] std::optional<Authority> parse_authority(std::string_view text);

[[nodiscard]] bool is_loopback_address(std::string_view address);

class HostRules {
 public:
  /// \throws Error{kUsage} for an entry of the lists that can match nothing
  explicit HostRules(const HttpOptions& options, bool is_tls);

  /// \param port  what the server listens on
  void set_port(std::uint16_t port) { port_ = port; }

  /// \param local_address  the address the connection came in at: an address as a name needs no
  /// trust in
  ///                       any name server
  [[nodiscard]] bool allows_host(const Authority& host, std::string_view local_address) const;

  enum class Origin { kNone, kOwn, kListed, kForeign };
  /// \param host  the Host field, already allowed
  [[nodiscard]] Origin judge_origin(std::string_view origin, std::string_view host) const;

 private:
  [[nodiscard]] bool is_listed_host(const Authority& host) const;

  std::vector<Authority> hosts_;
  std::vector<std::string> origins_;
  std::string listen_host_;
  bool is_tls_;
  std::uint16_t port_ = 0;
};

}  // namespace nolens::serve
