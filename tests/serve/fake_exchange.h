// An exchange without a client: tests look at what a handler answered.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "formats/json.h"
#include "serve/http/exchange.h"

namespace nolens::serve::testing {

class FakeExchange final : public Exchange {
 public:
  void respond(int status, std::string_view content_type, std::string body, Headers extra) override {
    finish([&] {
      status_ = status;
      content_type_ = content_type;
      body_ = std::move(body);
      headers_ = std::move(extra);
    });
  }
  void begin_stream(int status, std::string_view content_type, Headers extra) override {
    const std::lock_guard lock(mutex_);
    status_ = status;
    content_type_ = content_type;
    headers_ = std::move(extra);
  }
  bool write(std::string data) override {
    const std::lock_guard lock(mutex_);
    body_ += abandoned_ ? "" : data;
    return !abandoned_;
  }
  void end_stream() override {
    finish([] {});
  }
  [[nodiscard]] bool abandoned() const override {
    const std::lock_guard lock(mutex_);
    return abandoned_;
  }
  void on_abandon(std::function<void()> callback) override {
    const std::lock_guard lock(mutex_);
    callback_ = std::move(callback);
  }

  /// The client goes away.
  void abandon() {
    std::function<void()> callback;
    {
      const std::lock_guard lock(mutex_);
      abandoned_ = true;
      callback = callback_;
    }
    if (callback) {
      callback();
    }
  }
  void wait() {
    std::unique_lock lock(mutex_);
    finished_.wait(lock, [this] { return is_finished_; });
  }
  int status() const { return status_; }
  const std::string& body() const { return body_; }
  const std::string& content_type() const { return content_type_; }
  const Headers& headers() const { return headers_; }
  Json json() const { return Json::parse(body_); }

 private:
  template <class Action>
  void finish(Action&& action) {
    const std::lock_guard lock(mutex_);
    action();
    is_finished_ = true;
    finished_.notify_all();
  }

  mutable std::mutex mutex_;
  std::condition_variable finished_;
  std::function<void()> callback_;
  int status_ = 0;
  std::string content_type_;
  std::string body_;
  Headers headers_;
  bool is_finished_ = false;
  bool abandoned_ = false;
};

}  // namespace nolens::serve::testing
