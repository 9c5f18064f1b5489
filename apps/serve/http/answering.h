// The Exchange that handlers get, in front of an Outbox.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "serve/http/exchange.h"
#include "serve/http/outbox.h"

namespace nolens::serve {

/// What is known of an answer before there is one.
struct AnswerFrame {
  std::string request_id;
  Headers fields;          ///< of the HTTP layer
  bool is_head = false;    ///< the body is left out
  bool keep_alive = true;  ///< false: the answer says that the connection ends
  std::shared_ptr<const std::atomic<bool>> is_draining;  ///< as keep_alive = false, once it is set
};

class AnsweringExchange final : public Exchange {
 public:
  AnsweringExchange(AnswerFrame frame, std::shared_ptr<Outbox> outbox);
  ~AnsweringExchange() override;
  AnsweringExchange(const AnsweringExchange&) = delete;
  AnsweringExchange& operator=(const AnsweringExchange&) = delete;

  void respond(int status, std::string_view content_type, std::string body, Headers extra) override;
  void begin_stream(int status, std::string_view content_type, Headers extra) override;
  bool write(std::string data) override;
  void end_stream() override;
  [[nodiscard]] bool abandoned() const override;
  void on_abandon(std::function<void()> callback) override;

  void respond(const HttpError& error);
  /// After an exception of the handler: an answer if none has begun, else the stream is cut.
  void fail(const HttpError& error);

 private:
  enum class Phase { kOpen, kBeginning, kStreaming, kDone };

  /// Enters `to` if the phase is `from`. \return whether it was
  bool advance(Phase from, Phase to);
  [[nodiscard]] bool keeps_alive() const;

  AnswerFrame frame_;
  std::shared_ptr<Outbox> outbox_;
  std::atomic<Phase> phase_ = Phase::kOpen;
};

}  // namespace nolens::serve
