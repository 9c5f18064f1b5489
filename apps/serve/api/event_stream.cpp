#include "serve/api/event_stream.h"

#include <utility>

#include "serve/api/refusals.h"

namespace nolens::serve {

EventStream::EventStream(std::shared_ptr<Exchange> exchange, Headers headers, std::chrono::seconds quiet)
    : exchange_(std::move(exchange)), headers_(std::move(headers)), quiet_(quiet) {
  headers_.emplace_back("cache-control", "no-cache");
}

bool EventStream::send(const OutputJson& event) { return write("data: " + to_text(event) + "\n\n"); }

bool EventStream::send(const std::string& name, const OutputJson& event) {
  return write("event: " + name + "\ndata: " + to_text(event) + "\n\n");
}

bool EventStream::write(const std::string& text) {
  const std::lock_guard lock(mutex_);
  return write_locked(text);
}

bool EventStream::write_locked(const std::string& text) {
  if (is_over_) {
    return false;
  }
  if (!is_open_) {
    exchange_->begin_stream(200, "text/event-stream", headers_);
    is_open_ = true;
  }
  last_sent_ = std::chrono::steady_clock::now();
  return exchange_->write(text);
}

void EventStream::end(const std::string& last) {
  const std::lock_guard lock(mutex_);
  write_locked(last);
  if (!is_over_) {
    is_over_ = true;
    exchange_->end_stream();
  }
}

void EventStream::fail(const HttpError& error) {
  const std::unique_lock lock(mutex_);
  if (is_over_) {
    return;
  }
  if (is_open_) {
    write_locked("data: " + error.body() + "\n\n");
    exchange_->end_stream();
  } else {
    respond(*exchange_, error);
  }
  is_over_ = true;
}

void EventStream::ping() {
  const std::lock_guard lock(mutex_);
  if (std::chrono::steady_clock::now() - last_sent_ >= quiet_) {
    write_locked(": still working\n\n");
  }
}

}  // namespace nolens::serve
