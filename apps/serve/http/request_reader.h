// From the bytes of a connection to requests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "serve/http/http_error.h"
#include "serve/http/http_options.h"

namespace nolens::serve {

struct RequestHead {
  std::string method;
  std::string target;
  Headers headers;
  std::optional<std::uint64_t> content_length;
  bool is_chunked = false;
  bool keep_alive = true;

  [[nodiscard]] bool has_body() const { return is_chunked || content_length.value_or(0) > 0; }
  /// \return how many fields have this name; `value` becomes the first, trimmed
  std::size_t find(std::string_view name, std::string_view& value) const;
};

/// Reads one request; knows nothing of sockets and time.
class RequestReader {
 public:
  enum class Event {
    kMore,      ///< give more bytes
    kHead,      ///< head() is there; the next call reads the body
    kComplete,  ///< so is the body; bytes left belong to the next request
    kRefused,   ///< error() says why; the connection cannot be used any more
  };

  /// \param limits  outlive the reader
  explicit RequestReader(const HttpLimits& limits);
  ~RequestReader();
  RequestReader(const RequestReader&) = delete;
  RequestReader& operator=(const RequestReader&) = delete;

  /// Takes what it can use from the front of `bytes`.
  Event next(std::string& bytes);

  [[nodiscard]] RequestHead& head();
  [[nodiscard]] const HttpError& error() const;
  [[nodiscard]] std::size_t body_bytes() const;
  /// Once, when complete.
  [[nodiscard]] std::string take_body();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nolens::serve
