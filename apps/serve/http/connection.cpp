#include "serve/http/connection.h"

#include <utility>

#include "serve/http/request_id.h"

namespace nolens::serve {
namespace {

constexpr std::chrono::seconds kLingerTime{2};
constexpr std::chrono::milliseconds kDrainingLingerTime{200};
constexpr int kClientGone = 499;

/// Runs a handler and turns what it throws into the answer.
void answer_with(const Handler& handler, const HttpRequest& request,
                 const std::shared_ptr<AnsweringExchange>& exchange, Journal& journal) {
  std::exception_ptr caught;
  std::string what = "an exception of unknown kind";
  try {
    return handler(request, exchange);
  } catch (const HttpError& error) {
    return exchange->fail(error);
  } catch (const std::exception& error) {
    caught = std::current_exception();
    what = error.what();
  } catch (...) {
    caught = std::current_exception();
  }
  const HttpError error = answer_for(caught, request.id);
  exchange->fail(error);
  if (error.status >= 500) {
    journal.warn("the handler of " + request.path + " failed: " + what, request.id);
  }
}

}  // namespace

Connection::Connection(const ConnectionContext& context, std::uint64_t number,
                       std::unique_ptr<Stream> stream)
    : context_(context), number_(number), stream_(std::move(stream)) {}

template <class Step>
void Connection::guarded(Step step) {
  try {
    step();
  } catch (const std::exception& error) {
    context_.journal.warn(std::string("a connection was closed: ") + error.what(), request_id_);
    close();
  }
}

void Connection::start() {
  const std::weak_ptr<Connection> weak = weak_from_this();
  read_deadline_.emplace(context_.loop.make_timer(), weak,
                         [this] { guarded([this] { on_read_expired(); }); });
  write_deadline_.emplace(context_.loop.make_timer(), weak, [this] { close(); });
  read_deadline_->set(Clock::now() + context_.limits.header_time);
  context_.journal.connection_opened();
  context_.idle(number_);
  stream_->handshake([self = shared_from_this()](bool is_done) {
    self->guarded([&] {
      if (self->state_ == State::kClosed) {
        return;
      }
      if (!is_done) {
        return self->close();
      }
      self->begin_request();
      self->advance();
    });
  });
}

void Connection::drain() {
  if (state_ == State::kHandshake || (state_ == State::kReading && !has_head_)) {
    close();
  }
}

void Connection::close() {
  if (state_ == State::kClosed) {
    return;
  }
  const bool was_answering = state_ == State::kAnswering;
  state_ = State::kClosed;
  read_deadline_->cancel();
  write_deadline_->cancel();
  stream_->close();
  const auto self = shared_from_this();  // closed() lets go of it
  if (outbox_) {
    outbox_->abandon();
  }
  if (was_answering) {
    note_finished(kClientGone);
  }
  context_.journal.connection_closed();
  context_.closed(number_);
}

void Connection::begin_request() {
  is_first_ = state_ == State::kHandshake;
  state_ = State::kReading;
  reader_.emplace(context_.limits);
  has_head_ = false;
  admission_ = {};
  request_id_ = make_request_id();
  keep_alive_ = true;
  sent_bytes_ = 0;
  if (is_first_) {
    return;  // the time of its head runs since the connection was accepted
  }
  is_idle_ = in_.empty();
  if (is_idle_) {
    context_.idle(number_);
  }
  read_deadline_->set(Clock::now() +
                      (is_idle_ ? context_.limits.idle_time : context_.limits.header_time));
}

void Connection::want_read() {
  const bool is_full = state_ == State::kAnswering && in_.size() >= context_.limits.read_ahead;
  if (is_reading_ || is_full || state_ == State::kClosed) {
    return;
  }
  is_reading_ = true;
  stream_->read(scratch_, [self = shared_from_this()](std::size_t count) {
    self->guarded([&] { self->on_read(count); });
  });
}

void Connection::on_read(std::size_t count) {
  is_reading_ = false;
  if (state_ == State::kClosed) {
    return;
  }
  if (count == 0) {
    // Who closes behind a finished answer may still read it; everyone else is gone.
    const bool may_still_read = state_ == State::kAnswering && outbox_->is_complete();
    keep_alive_ = false;
    return may_still_read ? void() : close();
  }
  if (state_ != State::kLingering) {
    in_.append(scratch_.data(), count);
  }
  if (is_idle_) {
    is_idle_ = false;
    context_.busy(number_);
    if (state_ == State::kReading && !is_first_) {
      read_deadline_->set(Clock::now() + context_.limits.header_time);
    }
  }
  advance();
}

void Connection::advance() {
  while (state_ == State::kReading) {
    switch (reader_->next(in_)) {
      case RequestReader::Event::kHead:
        request_began_ = Clock::now();
        if (!on_head()) {
          return;
        }
        break;
      case RequestReader::Event::kComplete: return dispatch();
      case RequestReader::Event::kRefused: return refuse(reader_->error(), false);
      case RequestReader::Event::kMore:
        if (has_head_) {
          const std::chrono::milliseconds earned(reader_->body_bytes() * 1000 /
                                                 context_.limits.body_rate);
          read_deadline_->set(request_began_ + context_.limits.body_time + earned);
        }
        return want_read();
    }
  }
  want_read();
}

/// \return whether the body is to be read
bool Connection::on_head() {
  has_head_ = true;
  const RequestHead& head = reader_->head();
  try {
    context_.gate.admit(head, stream_->local_address(), admission_);
  } catch (const HttpError& error) {
    refuse(error, head.keep_alive && !head.has_body());
    return false;
  }
  if (admission_.route == nullptr) {
    const bool keep_alive = head.keep_alive && !head.has_body();
    open_exchange(keep_alive)->respond(204, "", "", {});
    want_read();
    return false;
  }
  if (admission_.wants_continue && in_.empty()) {
    send_continue();
  }
  return true;
}

void Connection::dispatch() {
  auto exchange = open_exchange(reader_->head().keep_alive);
  HttpRequest request;
  RequestHead& head = reader_->head();
  request.method = head.method;
  request.path = admission_.target.path;
  request.query = admission_.target.query;
  request.path_id = admission_.path_id;
  request.headers = head.headers;
  request.body = reader_->take_body();
  request.id = request_id_;
  request.key = admission_.key;
  request.peer = stream_->peer();
  const bool is_queued =
      context_.pool.submit([request = std::move(request), exchange,
                            &handler = admission_.route->handler, &journal = context_.journal] {
        try {
          answer_with(handler, request, exchange, journal);
        } catch (...) {
          // Memory is short; the exchange answers when it is let go.
        }
      });
  if (!is_queued) {
    exchange->respond(HttpError{503,
                                "the server has too many requests; try again in a moment",
                                "server_error",
                                "",
                                "overloaded",
                                {{"retry-after", "1"}}});
  }
  want_read();
}

void Connection::refuse(const HttpError& error, bool keep_alive) {
  open_exchange(keep_alive)->respond(error);
  want_read();
}

std::shared_ptr<AnsweringExchange> Connection::open_exchange(bool keep_alive) {
  if (!has_head_) {
    request_began_ = Clock::now();
  }
  state_ = State::kAnswering;
  read_deadline_->clear();
  keep_alive_ = keep_alive;
  outbox_ = std::make_shared<Outbox>(context_.limits.output_buffer,
                                     [weak = weak_from_this(), &loop = context_.loop] {
                                       loop.post([weak] {
                                         if (const auto self = weak.lock()) {
                                           self->guarded([&] { self->pump(); });
                                         }
                                       });
                                     });
  AnswerFrame frame;
  frame.request_id = request_id_;
  frame.fields = admission_.fields;
  frame.is_head = reader_->head().method == "HEAD";
  frame.keep_alive = keep_alive;
  frame.is_draining = context_.is_draining;
  return std::make_shared<AnsweringExchange>(std::move(frame), outbox_);
}

void Connection::on_read_expired() {
  if (state_ != State::kReading || is_idle_) {
    return close();
  }
  refuse(bad_request(408, "the request did not arrive in time", "request_timeout"), false);
}

void Connection::send_continue() {
  if (!is_writing_) {
    sending_ = "HTTP/1.1 100 Continue\r\n\r\n";
    write_more();
  }
}

void Connection::pump() {
  if (state_ != State::kAnswering || is_writing_) {
    return;
  }
  Outbox::Piece piece = outbox_->take();
  if (piece.is_cut) {
    return close();
  }
  if (piece.bytes.empty()) {
    return piece.is_last ? finish_answer() : void();
  }
  sending_ = std::move(piece.bytes);
  write_more();
}

void Connection::write_more() {
  is_writing_ = true;
  write_deadline_->set(Clock::now() + context_.limits.write_time);
  stream_->write(std::string_view(sending_).substr(sending_done_),
                 [self = shared_from_this()](std::size_t count) {
                   self->guarded([&] { self->on_written(count); });
                 });
}

void Connection::on_written(std::size_t count) {
  is_writing_ = false;
  if (state_ == State::kClosed) {
    return;
  }
  if (count == 0) {
    return close();
  }
  sending_done_ += count;
  sent_bytes_ += count;
  if (outbox_) {
    outbox_->sent(count);
  }
  if (sending_done_ < sending_.size()) {
    return write_more();
  }
  sending_ = {};
  sending_done_ = 0;
  write_deadline_->clear();
  pump();
}

void Connection::finish_answer() {
  outbox_->finish();
  note_finished(outbox_->status());
  outbox_.reset();
  if (!keep_alive_ || context_.is_draining->load()) {
    return linger();
  }
  begin_request();
  advance();
}

/// Closing at once would let the system answer unread bytes with a reset, which takes the answer
/// away from the client.
void Connection::linger() {
  state_ = State::kLingering;
  in_ = {};
  const auto time = context_.is_draining->load() ? kDrainingLingerTime : kLingerTime;
  read_deadline_->set(Clock::now() + time);
  stream_->finish_sending([self = shared_from_this()] {});
  want_read();
}

void Connection::note_finished(int status) {
  LogRecord record;
  record.request_id = request_id_;
  record.peer = stream_->peer();
  record.method = reader_->head().method;
  record.path = reader_->head().target.substr(0, reader_->head().target.find('?'));
  record.status = status;
  record.bytes = sent_bytes_;
  record.milliseconds =
      std::chrono::duration<double, std::milli>(Clock::now() - request_began_).count();
  record.key = admission_.key;
  context_.journal.request_finished(std::move(record));
}

}  // namespace nolens::serve
