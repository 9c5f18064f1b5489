#include "serve/api/responses_task.h"

#include <ctime>
#include <utility>

#include "serve/api/body.h"
#include "serve/api/refusals.h"
#include "serve/api/submit.h"

namespace nolens::serve {

void responses(Service& service, const HttpRequest& request, const std::shared_ptr<Exchange>& exchange) {
  try {
    ResponsesCall call = read_responses_request(read_body(request), service);
    call.request.owner = request.key;
    const auto task = std::make_shared<ResponsesTask>(service, exchange, call, request.id);
    task->begin(std::move(call.request));
  } catch (const Error& error) {
    throw refusal(error);
  }
}

ResponsesTask::ResponsesTask(Service& service, std::shared_ptr<Exchange> exchange, ResponsesCall& call,
                             const std::string& id)
    : service_(service),
      exchange_(std::move(exchange)),
      id_(id),
      created_(std::time(nullptr)),
      echo_(std::move(call.echo)),
      ignored_(call.ignored),
      image_budget_(call.image_budget),
      stream_(call.stream ? std::make_shared<EventStream>(exchange_, warnings(call.ignored),
                                                          service.options.ping_interval)
                          : nullptr),
      channels_(service.options.family, call.open_thought, id, service.model->tokenizer(),
                call.request.generate.logprobs) {}

void ResponsesTask::begin(EngineRequest request) {
  EngineCallbacks callbacks;
  const std::shared_ptr<ResponsesTask> self = shared_from_this();
  callbacks.on_token = [self](std::int64_t, const TokenEvent& event) { return self->take(event); };
  callbacks.on_done = [self](EngineResult&& result) { self->finish(result); };
  callbacks.on_error = [self](const Error& error) { self->fail(error); };
  const RequestId id = submit(service_, std::move(request), std::move(callbacks), "input");
  exchange_->on_abandon([&engine = service_.engine, id] { engine.cancel(id); });
  if (stream_ != nullptr) {
    service_.keep_alive.add(stream_);
  }
}

OutputJson ResponsesTask::response(const char* status) const {
  OutputJson response;
  response["id"] = "resp_" + id_;
  response["object"] = "response";
  response["created_at"] = created_;
  response["status"] = status;
  response["error"] = nullptr;
  response["incomplete_details"] = nullptr;
  response["model"] = service_.options.model_id;
  response["output"] = output_;
  response.update(echo_);
  return response;
}

void ResponsesTask::send(const std::string& type, OutputJson fields) {
  if (stream_ == nullptr) {
    return;
  }
  OutputJson event;
  event["type"] = type;
  event["sequence_number"] = sequence_++;
  event.update(fields);
  stream_->send(type, event);
}

bool ResponsesTask::take(const TokenEvent& event) {
  if (!has_token_) {
    has_token_ = true;
    service_.metrics.observe_first_token(std::chrono::steady_clock::now() - begun_);
    send("response.created", {{"response", response("in_progress")}});
    send("response.in_progress", {{"response", response("in_progress")}});
  }
  const AnswerChannels::Piece piece = channels_.push(event);
  take_delta(piece.delta, piece.logprobs);
  return !exchange_->abandoned();
}

void ResponsesTask::take_delta(const OutputParser::Delta& delta, const Json& logprobs) {
  if (!delta.reasoning.empty()) {
    add_text(Item::kReasoning, delta.reasoning, Json::array());
  }
  if (!delta.text.empty()) {
    add_text(Item::kMessage, delta.text, logprobs);
  }
  for (const ToolCall& call : delta.tool_calls) {
    add_call(call);
  }
}

OutputJson ResponsesTask::part() const {
  if (open_ == Item::kReasoning) {
    return {{"type", "reasoning_text"}, {"text", text_}};
  }
  return {{"type", "output_text"}, {"text", text_}, {"annotations", OutputJson::array()}, {"logprobs", logprobs_}};
}

OutputJson ResponsesTask::item(const char* status) const {
  const std::string number = id_ + "_" + std::to_string(output_.size());
  const bool is_empty = text_.empty();
  OutputJson content = OutputJson::array();
  if (!is_empty) {
    content.push_back(part());
  }
  OutputJson item;
  if (open_ == Item::kReasoning) {
    item = {{"id", "rs_" + number}, {"type", "reasoning"}, {"summary", OutputJson::array()}};
  } else {
    item = {{"id", "msg_" + number}, {"type", "message"}, {"role", "assistant"}};
  }
  item["status"] = status;
  item["content"] = std::move(content);
  return item;
}

void ResponsesTask::open(Item kind) {
  if (open_ == kind) {
    return;
  }
  close();
  open_ = kind;
  const OutputJson begun = item("in_progress");
  send("response.output_item.added", {{"output_index", output_.size()}, {"item", begun}});
  send("response.content_part.added", {{"item_id", begun["id"]},
                                       {"output_index", output_.size()},
                                       {"content_index", 0},
                                       {"part", part()}});
}

void ResponsesTask::add_text(Item kind, const std::string& text, const Json& logprobs) {
  open(kind);
  text_ += text;
  for (const Json& entry : logprobs) {
    logprobs_.push_back(OutputJson(entry));
  }
  OutputJson fields = {{"item_id", item("in_progress")["id"]},
                       {"output_index", output_.size()},
                       {"content_index", 0},
                       {"delta", text}};
  if (kind == Item::kMessage) {
    fields["logprobs"] = logprobs;
  }
  send(kind == Item::kReasoning ? "response.reasoning_text.delta" : "response.output_text.delta", std::move(fields));
}

void ResponsesTask::close() {
  if (open_ == Item::kNone) {
    return;
  }
  const OutputJson done = item("completed");
  OutputJson fields = {{"item_id", done["id"]}, {"output_index", output_.size()}, {"content_index", 0}};
  OutputJson with_text = fields;
  with_text["text"] = text_;
  if (open_ == Item::kMessage) {
    with_text["logprobs"] = logprobs_;
  }
  send(open_ == Item::kReasoning ? "response.reasoning_text.done" : "response.output_text.done", std::move(with_text));
  fields["part"] = part();
  send("response.content_part.done", std::move(fields));
  send("response.output_item.done", {{"output_index", output_.size()}, {"item", done}});
  output_.push_back(done);
  open_ = Item::kNone;
  text_.clear();
  logprobs_ = OutputJson::array();
}

/// Calls come whole.
void ResponsesTask::add_call(const ToolCall& call) {
  close();
  const std::size_t index = output_.size();
  OutputJson item = {{"id", "fc_" + id_ + "_" + std::to_string(index)},
                     {"type", "function_call"},
                     {"status", "in_progress"},
                     {"call_id", call.id},
                     {"name", call.name},
                     {"arguments", ""}};
  send("response.output_item.added", {{"output_index", index}, {"item", item}});
  send("response.function_call_arguments.delta",
       {{"item_id", item["id"]}, {"output_index", index}, {"delta", call.arguments}});
  send("response.function_call_arguments.done",
       {{"item_id", item["id"]}, {"output_index", index}, {"name", call.name}, {"arguments", call.arguments}});
  item["status"] = "completed";
  item["arguments"] = call.arguments;
  send("response.output_item.done", {{"output_index", index}, {"item", item}});
  output_.push_back(std::move(item));
}

void ResponsesTask::finish(const EngineResult& result) {
  service_.metrics.observe_request(result, std::chrono::steady_clock::now() - begun_);
  take_delta(channels_.finish(), Json::array());
  close();
  if (output_.empty()) {
    const HttpError error = empty_answer();
    stream_ != nullptr ? stream_->fail(error) : respond(*exchange_, error);
    return;
  }
  const bool is_cut = result.answers.front().finish_reason == FinishReason::kLength;
  OutputJson answer = response(is_cut ? "incomplete" : "completed");
  if (is_cut) {
    answer["incomplete_details"] = {{"reason", "max_output_tokens"}};
  }
  const OutputJson usage = usage_json(result, channels_.reasoning_tokens());
  answer["usage"] = {{"input_tokens", usage["prompt_tokens"]},
                     {"input_tokens_details", usage["prompt_tokens_details"]},
                     {"output_tokens", usage["completion_tokens"]},
                     {"output_tokens_details", usage["completion_tokens_details"]},
                     {"total_tokens", usage["total_tokens"]}};
  add_reports(answer, result, image_budget_);
  if (stream_ != nullptr) {
    send(is_cut ? "response.incomplete" : "response.completed", {{"response", answer}});
    stream_->end("");
  } else {
    exchange_->respond(200, "application/json", to_text(answer), warnings(ignored_));
  }
}

void ResponsesTask::fail(const Error& error) {
  if (stream_ != nullptr) {
    stream_->fail(refusal(error));
  } else {
    respond(*exchange_, refusal(error));
  }
}

}  // namespace nolens::serve
