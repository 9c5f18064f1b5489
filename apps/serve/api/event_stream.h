// Server-sent events over an exchange.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <string>

#include "serve/api/keep_alive.h"
#include "serve/api/response_json.h"
#include "serve/http/exchange.h"
#include "serve/http/http_error.h"

namespace nolens::serve {

/// Opens with the first thing that is sent: until then a failure has a status of its own. From any thread.
class EventStream final : public Pinged {
 public:
  /// `quiet` is how long nothing may be said before a comment is.
  EventStream(std::shared_ptr<Exchange> exchange, Headers headers, std::chrono::seconds quiet);

  /// False once nobody listens.
  bool send(const OutputJson& event);
  /// The same with a name before the data, as the Responses API has them.
  bool send(const std::string& name, const OutputJson& event);
  /// `last` is sent as it is, and the stream is over.
  void end(const std::string& last);
  /// The whole answer, or, if the stream is open, an event; [DONE] does not follow, so that a client can tell
  /// a stream that broke from one that ended.
  void fail(const HttpError& error);
  void ping() override;

 private:
  bool write(const std::string& text);
  bool write_locked(const std::string& text);

  std::shared_ptr<Exchange> exchange_;
  Headers headers_;
  std::chrono::seconds quiet_;
  std::mutex mutex_;  ///< of what follows: pings come from another thread
  bool is_open_ = false;
  bool is_over_ = false;
  std::chrono::steady_clock::time_point last_sent_ = std::chrono::steady_clock::now();
};

}  // namespace nolens::serve
