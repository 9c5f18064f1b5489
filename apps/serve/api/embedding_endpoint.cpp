#include "serve/api/embedding_endpoint.h"

#include <bit>
#include <cmath>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "serve/api/base64_text.h"
#include "serve/api/body.h"
#include "serve/api/chat_request.h"
#include "serve/api/model_endpoints.h"
#include "serve/api/refusals.h"
#include "serve/api/request_fields.h"
#include "serve/api/response_json.h"
#include "serve/api/submit.h"

namespace nolens::serve {
namespace {

constexpr std::size_t kMaxInputs = 64;
constexpr std::size_t kMaxInputBytes = std::size_t{4} << 20U;

struct Call {
  std::vector<Prompt> prompts;
  std::int64_t dimensions = 0;
  bool base64 = false;
  std::vector<std::string> ignored;
};

Call read_call(const Json& body, Service& service) {
  RequestFields fields(body, "");
  require_model(fields.string("model", 1024).value_or(""), service);
  Call call;
  const std::int64_t hidden = service.model->config().text.hidden_size;
  call.dimensions = fields.integer("dimensions", 1, hidden).value_or(hidden);
  call.base64 = fields.choice("encoding_format", {"float", "base64"}).value_or("float") == "base64";
  fields.ignore({"user", "metadata"});
  if (body.contains("messages")) {
    call.prompts.push_back(read_chat_prompt(fields, service).prompt);
  } else {
    const Json* input = fields.value("input");
    if (input == nullptr || (input->is_array() && (input->empty() || !input->front().is_string()))) {
      fields.fail("input", "must be a text or an array of texts; pictures come in \"messages\", token ids are not taken");
    }
    const Tokenizer& tokenizer = service.model->tokenizer();
    const std::string first = tokenizer.decode({service.model->config().tokens.bos});
    for (const std::string& text : fields.strings("input", kMaxInputs, kMaxInputBytes)) {
      if (text.empty()) {
        fields.fail("input", "must not hold an empty text");
      }
      call.prompts.push_back({PromptSpecial{first}, PromptText{text}});
    }
  }
  call.ignored = fields.unknown();
  return call;
}

/// Several inputs are several requests to the engine, which answers them in any order.
class EmbeddingTask final : public std::enable_shared_from_this<EmbeddingTask> {
 public:
  EmbeddingTask(Service& service, std::shared_ptr<Exchange> exchange, const Call& call)
      : service_(service),
        exchange_(std::move(exchange)),
        dimensions_(static_cast<std::size_t>(call.dimensions)),
        base64_(call.base64),
        headers_(warnings(call.ignored)),
        results_(call.prompts.size()),
        left_(call.prompts.size()) {}

  void begin(std::vector<Prompt> prompts, std::uint64_t owner) {
    std::vector<RequestId> ids;
    const auto cancel_all = [&engine = service_.engine](const std::vector<RequestId>& begun) {
      for (const RequestId id : begun) {
        engine.cancel(id);
      }
    };
    try {
      for (std::size_t i = 0; i < prompts.size(); ++i) {
        EngineCallbacks callbacks;
        callbacks.on_done = [self = shared_from_this(), i](EngineResult&& result) { self->take(i, std::move(result)); };
        callbacks.on_error = [self = shared_from_this()](const Error& error) { self->fail(refusal(error)); };
        EngineRequest request;
        request.prompt = std::move(prompts[i]);
        request.embed = true;
        request.owner = owner;
        ids.push_back(submit(service_, std::move(request), std::move(callbacks), "input"));
      }
    } catch (const HttpError& error) {
      fail(error);
      cancel_all(ids);
      return;
    }
    exchange_->on_abandon([cancel_all, ids] { cancel_all(ids); });
  }

 private:
  void take(std::size_t index, EngineResult&& result) {
    const std::lock_guard lock(mutex_);
    results_[index] = std::move(result);
    if (--left_ == 0 && !is_over_) {
      is_over_ = true;
      exchange_->respond(200, "application/json", to_text(response()), headers_);
    }
  }
  void fail(const HttpError& error) {
    const std::lock_guard lock(mutex_);
    if (!is_over_) {
      is_over_ = true;
      respond(*exchange_, error);
    }
  }

  /// The first numbers, of length 1 again.
  [[nodiscard]] OutputJson vector_json(std::vector<float> values) const {
    double squares = 0.0;
    values.resize(dimensions_);
    for (const float value : values) {
      squares += static_cast<double>(value) * static_cast<double>(value);
    }
    const double length = std::sqrt(squares);
    for (float& value : values) {
      value = length > 0.0 ? static_cast<float>(static_cast<double>(value) / length) : 0.0F;
    }
    if (!base64_) {
      return values;
    }
    static_assert(std::endian::native == std::endian::little);  // as the API has them
    return base64_text(std::as_bytes(std::span(values)));
  }

  [[nodiscard]] OutputJson response() const {
    OutputJson response;
    std::int64_t tokens = 0;
    response["object"] = "list";
    response["data"] = OutputJson::array();
    for (std::size_t i = 0; i < results_.size(); ++i) {
      tokens += static_cast<std::int64_t>(results_[i].prompt.ids.size());
      OutputJson entry;
      entry["object"] = "embedding";
      entry["index"] = i;
      entry["embedding"] = vector_json(results_[i].embedding);
      response["data"].push_back(std::move(entry));
    }
    response["model"] = service_.options.model_id;
    response["usage"] = {{"prompt_tokens", tokens}, {"total_tokens", tokens}};
    if (!results_.front().prompt.images.empty()) {
      response["images"] = images_json(results_.front().prompt);
    }
    return response;
  }

  Service& service_;
  std::shared_ptr<Exchange> exchange_;
  std::size_t dimensions_;
  bool base64_;
  Headers headers_;
  std::mutex mutex_;  ///< of what follows: requests end while others are still being begun
  std::vector<EngineResult> results_;
  std::size_t left_;
  bool is_over_ = false;
};

}  // namespace

void embeddings(Service& service, const HttpRequest& request, const std::shared_ptr<Exchange>& exchange) {
  try {
    Call call = read_call(read_body(request), service);
    const auto task = std::make_shared<EmbeddingTask>(service, exchange, call);
    task->begin(std::move(call.prompts), request.key);
  } catch (const Error& error) {
    throw refusal(error);
  }
}

}  // namespace nolens::serve
