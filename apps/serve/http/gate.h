// Decides from the head of a request alone whether it is served, in one fixed order: name of the
// host, origin, key, route, kind and size of the body.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "serve/http/api_keys.h"
#include "serve/http/host_rules.h"
#include "serve/http/http_options.h"
#include "serve/http/request_reader.h"
#include "serve/http/router.h"
#include "serve/http/target.h"

namespace nolens::serve {

struct Admission {
  const Route* route = nullptr;  ///< null: a preflight, answered with 204 and `fields`
  Target target;
  std::string path_id;
  std::size_t key = 0;
  Headers fields;               ///< for every answer to this request, refusals too
  bool wants_continue = false;  ///< the client waits for "100 Continue" before it sends the body
};

class Gate {
 public:
  /// \param options, routes  outlive the gate
  Gate(const HttpOptions& options, const std::vector<Route>& routes, std::shared_ptr<ApiKeys> keys,
       bool is_tls);

  void set_port(std::uint16_t port) { hosts_.set_port(port); }

  /// Fills `admission` as far as it gets. \throws HttpError if the request is refused
  void admit(const RequestHead& head, std::string_view local_address, Admission& admission) const;

 private:
  std::string_view check_host(const RequestHead& head, std::string_view local_address) const;
  bool check_origin(const RequestHead& head, std::string_view host, bool is_public_read,
                    Admission& admission) const;
  void check_body(const RequestHead& head, Admission& admission) const;

  const HttpOptions& options_;
  const std::vector<Route>& routes_;
  std::shared_ptr<ApiKeys> keys_;
  HostRules hosts_;
};

/// The one place where a key is taken from a request: "Authorization: Bearer KEY" or "x-api-key:
/// KEY", each at most once and both the same. \return "" if there is no such key
[[nodiscard]] std::string_view credential_of(const RequestHead& head);

}  // namespace nolens::serve
