// Speech to text: POST /v1/audio/transcriptions.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "serve/api/event_stream.h"
#include "serve/api/service.h"
#include "serve/http/exchange.h"

namespace nolens::serve {

/// Handler of the endpoint; a form with `file` and parameters.
void transcriptions(Service& service, const HttpRequest& request, const std::shared_ptr<Exchange>& exchange);

/// What was said from one pause to another.
struct Segment {
  double begin = 0.0;  ///< seconds
  double end = 0.0;
  std::string text;
};

/// "text", "srt" or "vtt": segments as a file; "json" and "verbose_json" as an object.
std::string transcript_body(const std::string& format, const std::vector<Segment>& segments,
                            const std::string& language);

/// Piece after piece of a recording, each a request to the engine.
class TranscriptionTask final : public std::enable_shared_from_this<TranscriptionTask> {
 public:
  struct Form {
    std::string format = "json";
    std::string language;
    std::string prompt;  ///< what the speech is about
    float temperature = 0.0F;
    bool stream = false;
    std::uint64_t owner = 0;
    std::vector<std::string> ignored;
  };
  TranscriptionTask(Service& service, std::shared_ptr<Exchange> exchange, Form form, std::vector<Audio> pieces);

  /// \throws HttpError if the engine does not take the first piece
  void begin();

 private:
  void ask();
  void take(const EngineResult& result);
  void fail(const HttpError& error);
  void finish();

  Service& service_;
  std::shared_ptr<Exchange> exchange_;
  Form form_;
  std::vector<Audio> pieces_;
  std::vector<Segment> segments_;
  std::shared_ptr<EventStream> stream_;  ///< null: one response
};

}  // namespace nolens::serve
