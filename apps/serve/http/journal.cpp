#include "serve/http/journal.h"

#include "serve/http/text.h"

namespace nolens::serve {

void Journal::connection_opened() {
  const std::lock_guard lock(mutex_);
  ++counts_.connections;
  ++counts_.accepted;
}

void Journal::connection_closed() {
  const std::lock_guard lock(mutex_);
  --counts_.connections;
}

void Journal::request_finished(LogRecord record) {
  {
    const std::lock_guard lock(mutex_);
    ++counts_.requests[record.status];
  }
  log(std::move(record));
}

void Journal::warn(std::string message, std::string request_id) {
  LogRecord record;
  record.is_warning = true;
  record.message = std::move(message);
  record.request_id = std::move(request_id);
  log(std::move(record));
}

HttpCounts Journal::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

void Journal::log(LogRecord record) {
  if (!sink_) {
    return;
  }
  constexpr std::size_t kMaxMessageBytes = 1024;
  record.message = escaped(record.message, kMaxMessageBytes);
  record.method = escaped(record.method);
  record.path = escaped(record.path);
  const std::lock_guard lock(sink_mutex_);
  sink_(record);
}

}  // namespace nolens::serve
