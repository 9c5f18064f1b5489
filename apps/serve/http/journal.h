// What the server remembers of its requests: counts for metrics, records for the log.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "serve/http/http_options.h"

namespace nolens::serve {

struct HttpCounts {
  std::size_t connections = 0;            ///< open now
  std::uint64_t accepted = 0;             ///< connections since the start
  std::map<int, std::uint64_t> requests;  ///< finished, by status; 499 = the client went away
};

/// Safe for several threads.
class Journal {
 public:
  explicit Journal(std::function<void(const LogRecord&)> sink) : sink_(std::move(sink)) {}

  void connection_opened();
  void connection_closed();
  /// Counts and logs. Texts that came from a client are escaped here.
  void request_finished(LogRecord record);
  void warn(std::string message, std::string request_id);
  [[nodiscard]] HttpCounts counts() const;

 private:
  void log(LogRecord record);

  mutable std::mutex mutex_;
  HttpCounts counts_;
  std::mutex sink_mutex_;
  std::function<void(const LogRecord&)> sink_;
};

}  // namespace nolens::serve
