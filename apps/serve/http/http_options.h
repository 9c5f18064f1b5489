// What an HttpServer is told when it is made: where to listen, whom to let in, how much to bear.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace nolens::serve {

/// Everything a client can use up. All times are of the monotonic clock.
struct HttpLimits {
  std::size_t header_bytes = 32 * 1024;       ///< request line and fields together; more = 431
  std::size_t header_fields = 100;            ///< more = 431
  std::size_t target_bytes = 8 * 1024;        ///< path and query; more = 414
  std::size_t body_bytes = 64 * 1024 * 1024;  ///< more = 413, declared or found while reading
  /// From the first byte of a request to the last of its head, however they trickle. For the first
  /// request of a connection the time begins when it is accepted and holds the TLS handshake.
  std::chrono::milliseconds header_time{10'000};
  /// A body has this long, and one second more for every body_rate bytes that have come.
  std::chrono::milliseconds body_time{30'000};
  std::size_t body_rate = 64 * 1024;             ///< bytes a second, at least 1
  std::chrono::milliseconds idle_time{60'000};   ///< between two requests of a connection
  std::chrono::milliseconds write_time{30'000};  ///< a client that takes no byte so long is gone
  /// Open at once, at least 1. At the limit the connection longest without a request is closed to
  /// make room; if all are busy, accepting pauses.
  int connections = 1024;
  std::size_t output_buffer = 1024 * 1024;  ///< unread bytes of a stream before it is abandoned
  std::size_t read_ahead = 16 * 1024;  ///< pipelined bytes held while a request is answered, about
  int queued_requests = 256;           ///< waiting for a handler thread; more = 503
  std::chrono::milliseconds drain_time{30'000};  ///< what stop() gives running exchanges
};

/// One line for a log. No field holds control characters, keys, queries or bodies.
struct LogRecord {
  bool is_warning = false;
  std::string message;  ///< "" for a finished request, else what happened
  std::string request_id;
  std::string peer;
  std::string method;
  std::string path;         ///< without the query
  int status = 0;           ///< 499 = the client went away before the end of the answer
  std::uint64_t bytes = 0;  ///< sent, with the head
  double milliseconds = 0;  ///< from the head of the request to the end of the answer
  std::size_t key = 0;      ///< index of the owner's key, 0 = none
};

struct HttpOptions {
  std::string host = "127.0.0.1";  ///< address or name to listen on
  std::uint16_t port = 8080;       ///< 0 = any free one
  HttpLimits limits;
  /// Host names beside loopback and the address listened on: "name" with any port, "name:port".
  std::vector<std::string> allowed_hosts;
  /// Web pages of other origins that may read answers, as "https://name:port".
  std::vector<std::string> allowed_origins;
  std::filesystem::path certificate;   ///< PEM, the chain; with private_key: TLS
  std::filesystem::path private_key;   ///< PEM, without a password
  bool tls_self_signed = false;        ///< TLS with a certificate made now, in memory only
  bool allow_unauthenticated = false;  ///< listen beyond this machine without any key
  /// May be empty. Called from several threads, one call at a time; may not throw or block for
  /// long.
  std::function<void(const LogRecord&)> log;
  int handler_threads = 4;  ///< at least 1
};

}  // namespace nolens::serve
