// The HTTP/1.1 server of `nolens serve`. Knows nothing of models: routes bring their handlers
// along.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "serve/http/api_keys.h"
#include "serve/http/exchange.h"
#include "serve/http/http_error.h"
#include "serve/http/http_options.h"
#include "serve/http/journal.h"
#include "serve/http/router.h"

namespace nolens::serve {

class HttpServer {
 public:
  /// Binds and listens; clients wait until start().
  /// \param keys  may be null: no key needed
  /// \throws Error{kUsage} for options that cannot be met: an address or port that cannot be had
  /// (with who
  ///         likely holds it), TLS files, lists of names; an address beyond this machine without
  ///         keys
  HttpServer(HttpOptions options, std::vector<Route> routes, std::shared_ptr<ApiKeys> keys);
  /// As stop().
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// Serves on threads of its own, which block every signal. \throws Error{kResource} without
  /// threads
  void start();
  /// Stops accepting, waits for running exchanges up to HttpLimits::drain_time, then closes every
  /// connection and waits for handlers to return. Exchanges kept elsewhere stay valid. From any
  /// thread but a handler's or a callback's; later calls do nothing.
  void stop();

  [[nodiscard]] std::uint16_t port() const;
  /// "http://127.0.0.1:8080" or "https://…", something a browser on this machine can open.
  [[nodiscard]] std::string url() const;
  /// SHA-256 of the certificate in hexadecimal pairs; "" without TLS.
  [[nodiscard]] std::string tls_fingerprint() const;
  [[nodiscard]] HttpCounts counts() const;
  [[nodiscard]] const std::vector<Route>& routes() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nolens::serve
