#include "serve/api/chat_task.h"

#include <ctime>
#include <utility>

#include "serve/api/refusals.h"
#include "serve/api/submit.h"

namespace nolens::serve {
namespace {

constexpr const char* kJson = "application/json";

bool says_nothing(const ParsedOutput& output) {
  return output.text.empty() && output.reasoning.empty() && output.tool_calls.empty();
}

}  // namespace

ChatTask::ChatTask(Service& service, std::shared_ptr<Exchange> exchange, const ChatCall& call, std::string id)
    : service_(service),
      exchange_(std::move(exchange)),
      id_("chatcmpl-" + id),
      created_(std::time(nullptr)),
      seed_(call.request.generate.sampler.seed),
      stream_(call.stream ? std::make_shared<EventStream>(exchange_, warnings(call.ignored),
                                                          service.options.ping_interval)
                          : nullptr),
      include_usage_(call.include_usage),
      progress_(call.progress),
      ignored_(call.ignored),
      image_budget_(call.image_budget) {
  for (std::int64_t i = 0; i < call.request.answers; ++i) {
    answers_.emplace_back(service.options.family, call.open_thought, id + "_" + std::to_string(i),
                          service.model->tokenizer(), call.request.generate.logprobs);
  }
}

void ChatTask::begin(EngineRequest request) {
  const RequestId request_id = submit(service_, std::move(request), callbacks(), "messages");
  exchange_->on_abandon([&engine = service_.engine, request_id] { engine.cancel(request_id); });
  if (stream_ != nullptr) {
    service_.keep_alive.add(stream_);
  }
}

EngineCallbacks ChatTask::callbacks() {
  EngineCallbacks callbacks;
  const std::shared_ptr<ChatTask> self = shared_from_this();
  callbacks.on_progress = [self](std::int64_t done, std::int64_t total) { self->report_progress(done, total); };
  callbacks.on_token = [self](std::int64_t answer, const TokenEvent& event) { return self->take(answer, event); };
  callbacks.on_done = [self](EngineResult&& result) { self->finish(result); };
  callbacks.on_error = [self](const Error& error) { self->fail(error); };
  return callbacks;
}

OutputJson ChatTask::head(const char* object) const {
  OutputJson head;
  head["id"] = id_;
  head["object"] = object;
  head["created"] = created_;
  head["model"] = service_.options.model_id;
  return head;
}

OutputJson ChatTask::piece(std::int64_t answer, OutputJson delta, const char* finish_reason) const {
  OutputJson choice;
  choice["index"] = answer;
  choice["delta"] = std::move(delta);
  choice["logprobs"] = nullptr;
  choice["finish_reason"] = nullptr;
  if (finish_reason != nullptr) {
    choice["finish_reason"] = finish_reason;
  }
  OutputJson event = head("chat.completion.chunk");
  event["choices"] = OutputJson::array({std::move(choice)});
  return event;
}

void ChatTask::report_progress(std::int64_t done, std::int64_t total) {
  if (stream_ != nullptr && progress_) {
    OutputJson event = piece(0, OutputJson::object(), nullptr);
    event["prompt_progress"] = {{"processed", done}, {"total", total}};
    stream_->send(event);
  }
}

bool ChatTask::take(std::int64_t answer, const TokenEvent& event) {
  AnswerChannels& channels = answers_[static_cast<std::size_t>(answer)];
  if (!has_token_) {
    has_token_ = true;
    service_.metrics.observe_first_token(std::chrono::steady_clock::now() - begun_);
  }
  const AnswerChannels::Piece piece = channels.push(event);
  if (stream_ != nullptr) {
    send_delta(answer, piece.delta, piece.logprobs);
  }
  return !exchange_->abandoned();
}

void ChatTask::send_delta(std::int64_t answer, const OutputParser::Delta& delta, const Json& logprobs) {
  OutputJson fields = OutputJson::object();
  if (!delta.reasoning.empty()) {
    fields["reasoning_content"] = delta.reasoning;
  }
  if (!delta.text.empty()) {
    fields["content"] = delta.text;
  }
  if (!delta.tool_calls.empty()) {
    const std::vector<ToolCall>& all = answers_[static_cast<std::size_t>(answer)].output().tool_calls;
    const std::size_t first = all.size() - delta.tool_calls.size();
    fields["tool_calls"] = tool_calls_json(
        {all.begin() + static_cast<std::ptrdiff_t>(first), all.end()}, first, true);
  }
  if (fields.empty() && logprobs.empty()) {
    return;
  }
  OutputJson event = piece(answer, std::move(fields), nullptr);
  if (!logprobs.empty()) {
    event["choices"][0]["logprobs"] = {{"content", logprobs}};
  }
  stream_->send(event);
}

void ChatTask::finish(const EngineResult& result) {
  service_.metrics.observe_request(result, std::chrono::steady_clock::now() - begun_);
  if (stream_ != nullptr) {
    finish_stream(result);
  } else {
    respond(result);
  }
}

void ChatTask::finish_stream(const EngineResult& result) {
  bool has_any = false;
  for (std::size_t i = 0; i < answers_.size(); ++i) {
    const auto index = static_cast<std::int64_t>(i);
    send_delta(index, answers_[i].finish(), Json::array());
    has_any = has_any || !says_nothing(answers_[i].output());
    OutputJson event =
        piece(index, OutputJson::object(), answers_[i].finish_reason(result.answers[i].finish_reason));
    if (i + 1 == answers_.size()) {
      event["seed"] = seed_;
      add_reports(event, result, image_budget_);
    }
    stream_->send(event);
  }
  if (!has_any) {
    stream_->fail(empty_answer());
    return;
  }
  if (include_usage_) {
    OutputJson last = head("chat.completion.chunk");
    last["choices"] = OutputJson::array();
    last["usage"] = usage_json(result, reasoning_tokens());
    stream_->send(last);
  }
  stream_->end("data: [DONE]\n\n");
}

void ChatTask::respond(const EngineResult& result) {
  OutputJson response = head("chat.completion");
  response["choices"] = OutputJson::array();
  bool has_any = false;
  for (std::size_t i = 0; i < answers_.size(); ++i) {
    answers_[i].finish();
    const ParsedOutput& output = answers_[i].output();
    has_any = has_any || !says_nothing(output);
    OutputJson message;
    message["role"] = "assistant";
    message["content"] = output.text;
    if (output.text.empty() && !output.tool_calls.empty()) {
      message["content"] = nullptr;
    }
    if (!output.reasoning.empty()) {
      message["reasoning_content"] = output.reasoning;
    }
    if (!output.tool_calls.empty()) {
      message["tool_calls"] = tool_calls_json(output.tool_calls, 0, false);
    }
    OutputJson choice;
    choice["index"] = i;
    choice["message"] = std::move(message);
    choice["logprobs"] = nullptr;
    if (!answers_[i].logprobs().empty()) {
      choice["logprobs"] = {{"content", answers_[i].logprobs()}};
    }
    choice["finish_reason"] = answers_[i].finish_reason(result.answers[i].finish_reason);
    response["choices"].push_back(std::move(choice));
  }
  if (!has_any) {
    nolens::serve::respond(*exchange_, empty_answer());
    return;
  }
  response["usage"] = usage_json(result, reasoning_tokens());
  response["seed"] = seed_;
  add_reports(response, result, image_budget_);
  exchange_->respond(200, kJson, to_text(response), warnings(ignored_));
}

void ChatTask::fail(const Error& error) {
  if (stream_ != nullptr) {
    stream_->fail(refusal(error));
  } else {
    nolens::serve::respond(*exchange_, refusal(error));
  }
}

std::int64_t ChatTask::reasoning_tokens() const {
  std::int64_t sum = 0;
  for (const AnswerChannels& answer : answers_) {
    sum += answer.reasoning_tokens();
  }
  return sum;
}

}  // namespace nolens::serve
