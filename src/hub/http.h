// One HTTP exchange. The only interface to the HTTP library: http_curl.cpp implements it,
// http_none.cpp is built instead where there is no libcurl.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>

#include "hub/headers.h"

namespace nolens::hub {

struct HttpTimeouts {
  int connect_seconds = 15;
  int stall_seconds = 30;  ///< no byte either way for this long
};

struct HttpRequest {
  std::string url;              ///< http or https, checked by the caller; never logged
  bool head = false;            ///< HEAD instead of GET
  std::string bearer;           ///< access token, "" = none
  std::int64_t range_from = 0;  ///< > 0: ask for the bytes from here on
  std::string if_range;         ///< ETag the range belongs to, "" = none
  int deadline_seconds = 0;     ///< for the whole exchange; 0 = none
};

/// Receives an answer. Exceptions thrown here end the exchange and come out of perform().
class BodySink {
 public:
  virtual ~BodySink() = default;
  /// The final head. \return false if the body is of no interest
  virtual bool begin(const HttpHead& head) = 0;
  /// A piece of the body, decompressed. \return false if the rest is of no interest
  virtual bool write(std::span<const std::byte> bytes) = 0;
};

/// The exchange failed below HTTP: no connection, cut, stalled, TLS.
class TransferFailure : public std::runtime_error {
 public:
  TransferFailure(const std::string& what, bool is_worth_retrying)
      : std::runtime_error(what), is_worth_retrying_(is_worth_retrying) {}
  [[nodiscard]] bool is_worth_retrying() const { return is_worth_retrying_; }

 private:
  bool is_worth_retrying_;
};

/// Keeps connections open between exchanges. One thread.
class HttpClient {
 public:
  /// \param heartbeat  called at least once a second while an exchange runs; may throw to end it
  /// \throws Error{kUsage} if this build has no HTTP library
  HttpClient(const HttpTimeouts& timeouts, std::function<void()> heartbeat);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  /// Follows no redirects. Certificates are verified, proxies come from the environment.
  /// \throws TransferFailure, and what `sink` or the heartbeat throw
  HttpHead perform(const HttpRequest& request, BodySink& sink);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nolens::hub
