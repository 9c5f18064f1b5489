// One request and the answer to it, as handlers see them.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "serve/http/http_error.h"

namespace nolens::serve {

/// A request that passed every check of the HTTP layer. Facts of the connection are never taken
/// from header fields.
struct HttpRequest {
  std::string
      method;        ///< "HEAD" also reaches GET handlers; the body of the answer is then left out
  std::string path;  ///< normalised: no empty or dot segments, percent-encoding undone
  std::string path_id;  ///< the segment that "{id}" of the route stands for, "" = none
  std::string query;    ///< behind the '?', as sent
  Headers headers;      ///< as sent, in order
  std::string body;
  std::string id;       ///< made by the server, sent as x-request-id
  std::size_t key = 0;  ///< index of the owner's key, 0 = none (ApiKeys::owner_of)
  std::string peer;     ///< address and port

  /// \return the first field of this name, in any case; "" if there is none
  [[nodiscard]] std::string_view header(std::string_view name) const;
};

/// The answer to one request. Every method may be called from any thread, also after the client is
/// gone. The first respond() or begin_stream() counts, later ones do nothing. If the last owner
/// lets go of an exchange without an answer, the client gets 500; without end_stream(), the
/// connection is cut, so that a client can tell it from a finished stream.
class Exchange {
 public:
  virtual ~Exchange() = default;

  /// The whole answer. `extra` may set cache-control, which is no-store otherwise.
  virtual void respond(int status, std::string_view content_type, std::string body,
                       Headers extra = {}) = 0;
  /// The head of an answer whose body follows in pieces (chunked).
  virtual void begin_stream(int status, std::string_view content_type, Headers extra = {}) = 0;
  /// One piece; never waits. \return false once the client is gone, which it also is if more than
  /// HttpLimits::output_buffer bytes of earlier pieces wait for it; nothing is sent then
  virtual bool write(std::string data) = 0;
  virtual void end_stream() = 0;

  /// The client went away before the end of the answer.
  [[nodiscard]] virtual bool abandoned() const = 0;
  /// `callback` is called once when the exchange is abandoned, at once if it is already, and never
  /// after the whole answer was sent. It runs on the server's thread or inside the write() that
  /// overflowed; it may not block or throw.
  virtual void on_abandon(std::function<void()> callback) = 0;
};

/// Runs on a handler thread. The request is valid until it returns, the exchange may be kept. What
/// it throws becomes the answer (answer_for).
using Handler = std::function<void(const HttpRequest&, std::shared_ptr<Exchange>)>;

}  // namespace nolens::serve
