#include "serve/api/chat_endpoints.h"

#include <utility>

#include "serve/api/body.h"
#include "serve/api/chat_request.h"
#include "serve/api/chat_task.h"
#include "serve/api/refusals.h"
#include "serve/api/request_fields.h"
#include "serve/api/response_json.h"
#include "serve/api/submit.h"

namespace nolens::serve {
namespace {

constexpr const char* kJson = "application/json";

}  // namespace

void chat_completions(Service& service, const HttpRequest& request, const std::shared_ptr<Exchange>& exchange) {
  try {
    ChatCall call = read_chat_request(read_body(request), service);
    call.request.owner = request.key;
    const auto task = std::make_shared<ChatTask>(service, exchange, call, request.id);
    task->begin(std::move(call.request));
  } catch (const Error& error) {
    throw refusal(error);
  }
}

void chat_input_tokens(Service& service, const HttpRequest& request, const std::shared_ptr<Exchange>& exchange) {
  try {
    const ChatCall call = read_chat_request(read_body(request), service);
    const AppendResult layout =
        layout_prompt(*service.model, call.request.prompt, service.engine.options().session);
    OutputJson response;
    response["object"] = "response.input_tokens";
    response["input_tokens"] = layout.ids.size();
    response["context_length"] = service.engine.context_length();
    response["images"] = images_json(layout);
    exchange->respond(200, kJson, to_text(response), warnings(call.ignored));
  } catch (const Error& error) {
    throw refusal(error);
  }
}

void apply_template(Service& service, const HttpRequest& request, const std::shared_ptr<Exchange>& exchange) {
  try {
    const Json body = read_body(request);
    RequestFields fields(body, "");
    OutputJson response;
    response["prompt"] = prompt_text(read_chat_prompt(fields, service).prompt);
    exchange->respond(200, kJson, to_text(response));
  } catch (const Error& error) {
    throw refusal(error);
  }
}

}  // namespace nolens::serve
