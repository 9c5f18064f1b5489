// The thread that moves bytes, without a word of the library it is built on.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

struct ssl_ctx_st;  // OpenSSL's SSL_CTX

namespace nolens::serve {

/// One accepted connection, plain or TLS. Used on the loop's thread only; one read and one write
/// may run at a time, beside each other. Callbacks come later on that thread, each exactly once;
/// they keep alive what they refer to, this object included.
class Stream {
 public:
  virtual ~Stream() = default;
  virtual void handshake(std::function<void(bool)> done) = 0;
  /// \param done  gets the bytes read, 0 = the other side closed or the connection failed
  virtual void read(std::span<char> room, std::function<void(std::size_t)> done) = 0;
  /// Sends some of `bytes`, at least one. \param done  gets their number, 0 = the connection failed
  virtual void write(std::string_view bytes, std::function<void(std::size_t)> done) = 0;
  /// Says that nothing more will be sent. \param done  keeps this alive until it was said
  virtual void finish_sending(std::function<void()> done) = 0;
  /// Ends everything that runs.
  virtual void close() = 0;
  [[nodiscard]] virtual std::string local_address() const = 0;
  /// "address:port"
  [[nodiscard]] virtual std::string peer() const = 0;
};

/// Calls back once at a time on the loop's thread.
class Timer {
 public:
  using Clock = std::chrono::steady_clock;
  virtual ~Timer() = default;
  /// Replaces what was set before.
  virtual void set(Clock::time_point when, std::function<void()> fire) = 0;
  virtual void cancel() = 0;
};

class IoLoop {
 public:
  /// \param tls  null = plain. Shared: the loop takes a reference
  explicit IoLoop(ssl_ctx_st* tls);
  ~IoLoop();
  IoLoop(const IoLoop&) = delete;
  IoLoop& operator=(const IoLoop&) = delete;

  /// \param address  numeric
  /// \param port     0 = any free one
  /// \return the port listened on, or the error number of the system, negated
  int listen(const std::string& address, std::uint16_t port);
  void close_listener();

  /// \param done  gets the next connection; null = no descriptor or memory for it, or the listener
  /// is closed
  void accept(std::function<void(std::unique_ptr<Stream>)> done);
  [[nodiscard]] std::unique_ptr<Timer> make_timer();

  /// From any thread: `task` runs on the loop's thread.
  void post(std::function<void()> task);
  /// Runs until stop() was called and nothing is pending any more.
  void run();
  /// From any thread.
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nolens::serve
