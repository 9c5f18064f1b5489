// One answer while it comes in: its channels, its log-probabilities, its end.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "nolens/chat.h"
#include "nolens/generate.h"
#include "nolens/tokenizer.h"

#include "formats/json.h"

namespace nolens::serve {

/// Splits tokens into reasoning, answer and tool calls and keeps what a whole response needs.
class AnswerChannels {
 public:
  /// `id` makes the ids of tool calls. `open_thought`: the prompt began a thought that the answer goes on with.
  /// `logprobs`: events have them. `tokenizer` outlives the object.
  AnswerChannels(ChatFamily family, bool open_thought, std::string id, const Tokenizer& tokenizer, bool logprobs);

  /// What a token adds.
  struct Piece {
    OutputParser::Delta delta;
    Json logprobs = Json::array();  ///< of the token if it belongs to the answer, in OpenAI's form
  };
  Piece push(const TokenEvent& event);
  /// What was held back until the end.
  OutputParser::Delta finish();

  [[nodiscard]] const ParsedOutput& output() const noexcept { return output_; }
  /// Of all tokens of the answer; empty unless they were asked for.
  [[nodiscard]] const Json& logprobs() const noexcept { return logprobs_; }
  [[nodiscard]] std::int64_t reasoning_tokens() const noexcept { return reasoning_tokens_; }
  /// "stop", "length" or "tool_calls".
  [[nodiscard]] const char* finish_reason(FinishReason reason) const noexcept;

 private:
  OutputParser::Delta keep(OutputParser::Delta delta);

  OutputParser parser_;
  std::string id_;
  const Tokenizer& tokenizer_;
  bool wants_logprobs_;
  ParsedOutput output_;
  Json logprobs_ = Json::array();
  std::int64_t reasoning_tokens_ = 0;
};

/// {token, logprob, bytes, top_logprobs}
Json logprob_json(const TokenEvent& event, const Tokenizer& tokenizer);

}  // namespace nolens::serve
