// One client: requests come in, go through the gate to a handler, and answers go out, one at a
// time.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "serve/http/answering.h"
#include "serve/http/deadline.h"
#include "serve/http/gate.h"
#include "serve/http/handler_pool.h"
#include "serve/http/io_loop.h"
#include "serve/http/journal.h"
#include "serve/http/request_reader.h"

namespace nolens::serve {

/// What connections need of their server; outlives them.
struct ConnectionContext {
  const HttpLimits& limits;
  const Gate& gate;
  IoLoop& loop;
  HandlerPool& pool;
  Journal& journal;
  std::shared_ptr<const std::atomic<bool>> is_draining;
  std::function<void(std::uint64_t number)> idle;    ///< waits for a request
  std::function<void(std::uint64_t number)> busy;    ///< got the first byte of one
  std::function<void(std::uint64_t number)> closed;  ///< the last call
};

/// Lives on the loop's thread. The read that is always pending also tells when the client goes
/// away.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(const ConnectionContext& context, std::uint64_t number,
             std::unique_ptr<Stream> stream);

  void start();
  /// Ends it if no request is under way, else after the answer.
  void drain();
  void close();

 private:
  enum class State { kHandshake, kReading, kAnswering, kLingering, kClosed };
  using Clock = Deadline::Clock;

  /// Runs `step`; an exception, which only short memory can cause, costs the connection and no
  /// more.
  template <class Step>
  void guarded(Step step);

  void begin_request();
  void want_read();
  void on_read(std::size_t count);
  void advance();
  bool on_head();
  void dispatch();
  void refuse(const HttpError& error, bool keep_alive);
  [[nodiscard]] std::shared_ptr<AnsweringExchange> open_exchange(bool keep_alive);
  void on_read_expired();

  void send_continue();
  void pump();
  void write_more();
  void on_written(std::size_t count);
  void finish_answer();
  void linger();
  void note_finished(int status);

  const ConnectionContext& context_;
  std::uint64_t number_;
  std::unique_ptr<Stream> stream_;
  State state_ = State::kHandshake;
  std::optional<Deadline> read_deadline_;
  std::optional<Deadline> write_deadline_;

  std::array<char, 16 * 1024> scratch_{};
  std::string in_;  // received and not used yet
  bool is_reading_ = false;
  bool is_first_ = true;  // request of this connection
  bool is_idle_ = true;   // no byte of the request yet
  std::optional<RequestReader> reader_;
  bool has_head_ = false;
  Admission admission_;
  std::string request_id_;
  Clock::time_point request_began_;

  std::shared_ptr<Outbox> outbox_;  // of the request being answered
  std::string sending_;
  std::size_t sending_done_ = 0;
  bool is_writing_ = false;
  bool keep_alive_ = true;
  std::uint64_t sent_bytes_ = 0;
};

}  // namespace nolens::serve
