#include "serve/api/completion_task.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include "serve/api/body.h"
#include "serve/api/generation_fields.h"
#include "serve/api/model_endpoints.h"
#include "serve/api/refusals.h"
#include "serve/api/request_fields.h"
#include "serve/api/submit.h"

namespace nolens::serve {
namespace {

constexpr std::size_t kMaxPromptBytes = std::size_t{16} << 20U;
/// What the API's definition says.
constexpr std::int64_t kDefaultMaxTokens = 16;

struct Call {
  EngineRequest request;
  CompletionTask::Form form;
};

std::string read_prompt(RequestFields& fields) {
  const Json* prompt = fields.value("prompt");
  if (prompt != nullptr && prompt->is_array() && prompt->size() == 1 && prompt->front().is_string()) {
    return prompt->front().get<std::string>();
  }
  if (prompt == nullptr || prompt->is_array()) {
    fields.fail("prompt", "must be one text; several prompts are several requests, and token ids are not taken");
  }
  return *fields.string("prompt", kMaxPromptBytes);
}

Call read_call(const Json& body, const Service& service) {
  RequestFields fields(body, "");
  require_model(fields.string("model", 1024).value_or(""), service);
  Call call;
  call.request.generate = read_generation(fields, *service.model);
  call.request.generate.max_tokens =
      std::min(fields.integer("max_tokens", 1, INT32_MAX).value_or(kDefaultMaxTokens),
               service.engine.context_length());
  if (const auto logprobs = fields.integer("logprobs", 0, 20)) {
    call.request.generate.logprobs = true;
    call.request.generate.top_logprobs = *logprobs;
  }
  call.request.answers = fields.integer("n", 1, kMaxAnswers).value_or(1);
  call.request.reuse_prefix = fields.boolean("cache_prompt").value_or(true);
  call.form.answers = call.request.answers;
  call.form.stream = fields.boolean("stream").value_or(false);
  call.form.echo = fields.boolean("echo").value_or(false);
  if (const Json* options = fields.object("stream_options")) {
    call.form.include_usage = RequestFields(*options, "stream_options").boolean("include_usage").value_or(false);
  }
  if (fields.integer("best_of", 1, kMaxAnswers).value_or(call.request.answers) != call.request.answers) {
    throw unsupported("best_of can only be n: answers are not ranked", "best_of");
  }
  fields.refuse("suffix", "is not offered: the model writes forwards");
  fields.ignore({"user", "metadata", "store", "timings_per_token"});
  call.form.prompt = read_prompt(fields);
  const Tokenizer& tokenizer = service.model->tokenizer();
  const std::string first = tokenizer.decode({service.model->config().tokens.bos});
  call.request.prompt = {PromptSpecial{first}, PromptText{call.form.prompt}};
  call.form.ignored = fields.unknown();
  if (service.options.strict_params && !call.form.ignored.empty()) {
    throw invalid_field(call.form.ignored.front() + " is not a parameter of this endpoint",
                        call.form.ignored.front(), "unknown_parameter");
  }
  return call;
}

/// The older form: parallel lists of tokens, their log-probabilities and those of others.
void add_logprobs(OutputJson& lists, const TokenEvent& event, const Tokenizer& tokenizer) {
  lists["tokens"].push_back(tokenizer.decode({event.id}));
  lists["token_logprobs"].push_back(event.logprob);
  OutputJson others = OutputJson::object();
  for (const TokenLogprob& other : event.top_logprobs) {
    others[tokenizer.decode({other.id})] = other.logprob;
  }
  lists["top_logprobs"].push_back(std::move(others));
}

}  // namespace

void completions(Service& service, const HttpRequest& request, const std::shared_ptr<Exchange>& exchange) {
  Call call = read_call(read_body(request), service);
  call.request.owner = request.key;
  const auto task = std::make_shared<CompletionTask>(service, exchange, std::move(call.form), request.id);
  task->begin(std::move(call.request));
}

CompletionTask::CompletionTask(Service& service, std::shared_ptr<Exchange> exchange, Form form,
                               const std::string& id)
    : service_(service),
      exchange_(std::move(exchange)),
      form_(std::move(form)),
      id_("cmpl-" + id),
      created_(std::time(nullptr)),
      stream_(form_.stream ? std::make_shared<EventStream>(exchange_, warnings(form_.ignored),
                                                           service.options.ping_interval)
                           : nullptr),
      texts_(static_cast<std::size_t>(form_.answers), form_.echo ? form_.prompt : ""),
      logprobs_(static_cast<std::size_t>(form_.answers)) {}

void CompletionTask::begin(EngineRequest request) {
  EngineCallbacks callbacks;
  const std::shared_ptr<CompletionTask> self = shared_from_this();
  callbacks.on_token = [self](std::int64_t answer, const TokenEvent& event) { return self->take(answer, event); };
  callbacks.on_done = [self](EngineResult&& result) { self->finish(result); };
  callbacks.on_error = [self](const Error& error) { self->fail(error); };
  const RequestId id = submit(service_, std::move(request), std::move(callbacks), "prompt");
  exchange_->on_abandon([&engine = service_.engine, id] { engine.cancel(id); });
  if (stream_ != nullptr) {
    service_.keep_alive.add(stream_);
  }
}

OutputJson CompletionTask::head() const {
  OutputJson head;
  head["id"] = id_;
  head["object"] = "text_completion";
  head["created"] = created_;
  head["model"] = service_.options.model_id;
  return head;
}

OutputJson CompletionTask::choice(std::size_t answer, std::string text, const char* finish_reason) const {
  OutputJson choice;
  choice["index"] = answer;
  choice["text"] = std::move(text);
  choice["logprobs"] = logprobs_[answer];
  choice["finish_reason"] = nullptr;
  if (finish_reason != nullptr) {
    choice["finish_reason"] = finish_reason;
  }
  return choice;
}

bool CompletionTask::take(std::int64_t answer, const TokenEvent& event) {
  const auto index = static_cast<std::size_t>(answer);
  texts_[index] += event.text;
  if (event.id >= 0 && !event.top_logprobs.empty()) {
    add_logprobs(logprobs_[index], event, service_.model->tokenizer());
  }
  if (stream_ != nullptr && !texts_[index].empty()) {
    OutputJson piece = head();
    piece["choices"] = OutputJson::array({choice(index, std::exchange(texts_[index], ""), nullptr)});
    logprobs_[index] = nullptr;
    stream_->send(piece);
  }
  return !exchange_->abandoned();
}

void CompletionTask::finish(const EngineResult& result) {
  service_.metrics.observe_request(result, std::chrono::steady_clock::now() - begun_);
  OutputJson response = head();
  response["choices"] = OutputJson::array();
  for (std::size_t i = 0; i < texts_.size(); ++i) {
    const bool is_cut = result.answers[i].finish_reason == FinishReason::kLength;
    response["choices"].push_back(choice(i, std::move(texts_[i]), is_cut ? "length" : "stop"));
  }
  if (stream_ == nullptr || form_.include_usage) {
    response["usage"] = usage_json(result, 0);
  }
  add_reports(response, result);
  if (stream_ != nullptr) {
    stream_->send(response);
    stream_->end("data: [DONE]\n\n");
  } else {
    exchange_->respond(200, "application/json", to_text(response), warnings(form_.ignored));
  }
}

void CompletionTask::fail(const Error& error) {
  if (stream_ != nullptr) {
    stream_->fail(refusal(error));
  } else {
    respond(*exchange_, refusal(error));
  }
}

}  // namespace nolens::serve
