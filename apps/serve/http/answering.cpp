#include "serve/http/answering.h"

#include "serve/http/answer_head.h"

namespace nolens::serve {

AnsweringExchange::AnsweringExchange(AnswerFrame frame, std::shared_ptr<Outbox> outbox)
    : frame_(std::move(frame)), outbox_(std::move(outbox)) {}

AnsweringExchange::~AnsweringExchange() {
  try {
    fail(internal_error(frame_.request_id));
  } catch (...) {
    outbox_->cut();
  }
}

void AnsweringExchange::respond(int status, std::string_view content_type, std::string body,
                                Headers extra) {
  if (!advance(Phase::kOpen, Phase::kDone)) {
    return;
  }
  AnswerHead head;
  head.status = status;
  head.content_type = content_type;
  head.request_id = frame_.request_id;
  head.keep_alive = keeps_alive();
  head.fields = &frame_.fields;
  head.extra = &extra;
  if (!is_bodiless(status)) {
    head.content_length = body.size();
  }
  std::string bytes = render(head);
  if (!frame_.is_head && !is_bodiless(status)) {
    bytes += body;
  }
  outbox_->push(std::move(bytes), status, true);
}

void AnsweringExchange::respond(const HttpError& error) {
  respond(error.status, "application/json", error.body(), error.headers);
}

void AnsweringExchange::fail(const HttpError& error) {
  if (phase_ == Phase::kOpen) {
    respond(error);
  }
  if (advance(Phase::kStreaming, Phase::kDone)) {
    outbox_->cut();
  }
}

void AnsweringExchange::begin_stream(int status, std::string_view content_type, Headers extra) {
  if (!advance(Phase::kOpen, Phase::kBeginning)) {
    return;
  }
  AnswerHead head;
  head.status = status;
  head.content_type = content_type;
  head.request_id = frame_.request_id;
  head.keep_alive = keeps_alive();
  head.fields = &frame_.fields;
  head.extra = &extra;
  outbox_->push(render(head), status, false);
  advance(Phase::kBeginning, Phase::kStreaming);  // only now may pieces follow
}

bool AnsweringExchange::write(std::string data) {
  if (phase_ != Phase::kStreaming || frame_.is_head || data.empty()) {
    return !outbox_->is_abandoned();
  }
  return outbox_->push(chunk(data), 0, false);
}

void AnsweringExchange::end_stream() {
  if (advance(Phase::kStreaming, Phase::kDone)) {
    outbox_->push(frame_.is_head ? std::string() : std::string(kLastChunk), 0, true);
  }
}

bool AnsweringExchange::abandoned() const {
  return outbox_->is_abandoned();
}

void AnsweringExchange::on_abandon(std::function<void()> callback) {
  outbox_->on_abandon(std::move(callback));
}

bool AnsweringExchange::advance(Phase from, Phase to) {
  return phase_.compare_exchange_strong(from, to);
}

bool AnsweringExchange::keeps_alive() const {
  return frame_.keep_alive && !(frame_.is_draining && frame_.is_draining->load());
}

}  // namespace nolens::serve
