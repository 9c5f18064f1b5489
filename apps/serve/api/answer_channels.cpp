#include "serve/api/answer_channels.h"

#include <utility>

namespace nolens::serve {
namespace {

constexpr std::string_view kOpenChannel = "<|channel>thought\n";

Json token_json(TokenId id, float logprob, const Tokenizer& tokenizer) {
  const std::string_view piece = tokenizer.piece(id);
  Json bytes = Json::array();
  for (const char byte : piece) {
    bytes.push_back(static_cast<unsigned char>(byte));
  }
  return {{"token", tokenizer.decode({id})}, {"logprob", logprob}, {"bytes", std::move(bytes)}};
}

}  // namespace

Json logprob_json(const TokenEvent& event, const Tokenizer& tokenizer) {
  Json entry = token_json(event.id, event.logprob, tokenizer);
  entry["top_logprobs"] = Json::array();
  for (const TokenLogprob& other : event.top_logprobs) {
    entry["top_logprobs"].push_back(token_json(other.id, other.logprob, tokenizer));
  }
  return entry;
}

AnswerChannels::AnswerChannels(ChatFamily family, bool open_thought, std::string id,
                               const Tokenizer& tokenizer, bool logprobs)
    : parser_(family), id_(std::move(id)), tokenizer_(tokenizer), wants_logprobs_(logprobs) {
  if (open_thought) {
    parser_.push(kOpenChannel);
  }
}

AnswerChannels::Piece AnswerChannels::push(const TokenEvent& event) {
  Piece piece{keep(parser_.push(event.text))};
  const bool thinks = piece.delta.text.empty() && !piece.delta.reasoning.empty();
  reasoning_tokens_ += thinks ? 1 : 0;
  if (wants_logprobs_ && event.id >= 0 && !thinks && !tokenizer_.is_special(event.id)) {
    piece.logprobs.push_back(logprob_json(event, tokenizer_));
    logprobs_.push_back(piece.logprobs.front());
  }
  return piece;
}

OutputParser::Delta AnswerChannels::finish() { return keep(parser_.finish()); }

OutputParser::Delta AnswerChannels::keep(OutputParser::Delta delta) {
  output_.reasoning += delta.reasoning;
  output_.text += delta.text;
  for (ToolCall& call : delta.tool_calls) {
    call.id = "call_" + id_ + "_" + std::to_string(output_.tool_calls.size());
    output_.tool_calls.push_back(call);
  }
  return delta;
}

const char* AnswerChannels::finish_reason(FinishReason reason) const noexcept {
  if (!output_.tool_calls.empty()) {
    return "tool_calls";
  }
  return reason == FinishReason::kLength ? "length" : "stop";
}

}  // namespace nolens::serve
