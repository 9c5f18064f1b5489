#include "serve/api/chat_request.h"

#include <algorithm>
#include <utility>

#include "serve/api/generation_fields.h"
#include "serve/api/model_endpoints.h"
#include "serve/api/refusals.h"
#include "serve/api/request_fields.h"

namespace nolens::serve {
namespace {

constexpr std::size_t kMaxTools = 128;
/// With it the template opens the channel of thoughts itself, after a tool's result.
constexpr std::string_view kOpenChannel = "<|channel>thought\n";

/// Thinking has been asked for in many ways; the most specific one counts.
bool read_thinking(RequestFields& fields) {
  bool thinking = false;
  if (const auto effort = fields.choice("reasoning_effort", {"none", "minimal", "low", "medium", "high", "xhigh"})) {
    thinking = *effort != "none";
  }
  for (const char* name : {"think", "enable_thinking"}) {
    thinking = fields.boolean(name).value_or(thinking);
  }
  if (const Json* arguments = fields.object("chat_template_kwargs")) {
    RequestFields inner(*arguments, "chat_template_kwargs");
    thinking = inner.boolean("enable_thinking").value_or(thinking);
    const std::vector<std::string> unknown = inner.unknown();
    if (!unknown.empty()) {
      throw unsupported(unknown.front() + " is not an argument of this model's chat template; it takes "
                                          "enable_thinking",
                        unknown.front());
    }
  }
  return thinking;
}

/// The declarations as JSON text; empty if the model shall call nothing.
std::string read_tools(RequestFields& fields) {
  const Json* tools = fields.array("tools", kMaxTools);
  bool wanted = true;
  if (const Json* choice = fields.value("tool_choice")) {
    if (!choice->is_string() || (*choice != "auto" && *choice != "none")) {
      throw unsupported("tool_choice can be \"auto\" or \"none\": a call cannot be forced", "tool_choice");
    }
    wanted = *choice == "auto";
  }
  if (!fields.boolean("parallel_tool_calls").value_or(true)) {
    throw unsupported("parallel_tool_calls cannot be false: the model decides how many calls it makes",
                      "parallel_tool_calls");
  }
  return tools != nullptr && !tools->empty() && wanted ? tools->dump() : std::string();
}

void read_response_format(RequestFields& fields) {
  const Json* format = fields.object("response_format");
  if (format == nullptr) {
    return;
  }
  RequestFields inner(*format, "response_format");
  if (inner.string("type", 64).value_or("") != "text") {
    throw unsupported("response_format.type can only be \"text\"", "response_format.type");
  }
}

std::int64_t read_max_tokens(RequestFields& fields, const Service& service) {
  const std::int64_t most = service.engine.context_length();
  const auto completion = fields.integer("max_completion_tokens", 1, INT32_MAX);
  const auto tokens = fields.integer("max_tokens", 1, INT32_MAX);
  const std::int64_t wanted = completion.value_or(tokens.value_or(service.options.max_tokens));
  return wanted > 0 ? std::min(wanted, most) : most;
}

void read_logprobs(RequestFields& fields, GenerateOptions& options) {
  options.logprobs = fields.boolean("logprobs").value_or(false);
  const auto top = fields.integer("top_logprobs", 0, 20);
  if (top.value_or(0) > 0 && !options.logprobs) {
    fields.fail("top_logprobs", "needs \"logprobs\": true");
  }
  options.top_logprobs = top.value_or(0);
}

void refuse_what_is_not_offered(RequestFields& fields) {
  if (const Json* modalities = fields.array("modalities", 8)) {
    if (*modalities != Json::array({"text"})) {
      throw unsupported("modalities can only be [\"text\"]: answers are text", "modalities");
    }
  }
  for (const char* name : {"audio", "web_search_options", "functions", "function_call", "prediction", "grammar",
                           "json_schema", "mm_processor_kwargs", "thinking_budget"}) {
    fields.refuse(name, "is not offered");
  }
}

}  // namespace

ChatPrompt read_chat_prompt(RequestFields& fields, Service& service) {
  const Json* messages = fields.array("messages", service.options.max_messages);
  if (messages == nullptr || messages->empty()) {
    fields.fail("messages", "must be an array with at least one message");
  }
  std::vector<Message> parsed = parse_messages(messages->dump(), {}, service.options.media);
  ChatPrompt result;
  if (const auto seconds = read_image_latency(fields, service)) {
    result.image_budget = fit_images(parsed, *seconds, service);
  }
  for (Message& message : parsed) {
    scale_pictures(message.content, *service.model, service.engine.options().session);
  }
  ChatOptions chat;
  chat.family = service.options.family;
  chat.enable_thinking = read_thinking(fields);
  chat.tools = read_tools(fields);
  result.prompt = render_chat(parsed, chat);
  return result;
}

ChatCall read_chat_request(const Json& body, Service& service) {
  RequestFields fields(body, "");
  if (const auto model = fields.string("model", 1024)) {
    require_model(*model, service);
  }
  ChatCall call;
  call.request.generate = read_generation(fields, *service.model);
  call.request.generate.max_tokens = read_max_tokens(fields, service);
  read_logprobs(fields, call.request.generate);
  call.request.answers = fields.integer("n", 1, kMaxAnswers).value_or(1);
  call.request.reuse_prefix = fields.boolean("cache_prompt").value_or(true);
  call.stream = fields.boolean("stream").value_or(false);
  call.progress = fields.boolean("return_progress").value_or(false);
  if (const Json* options = fields.object("stream_options")) {
    RequestFields inner(*options, "stream_options");
    call.include_usage = inner.boolean("include_usage").value_or(false);
  }
  read_response_format(fields);
  refuse_what_is_not_offered(fields);
  fields.ignore({"store", "metadata", "service_tier", "user", "safety_identifier", "prompt_cache_key",
                 "prompt_cache_retention", "verbosity", "timings_per_token", "reasoning_format"});
  ChatPrompt prompt = read_chat_prompt(fields, service);
  call.request.prompt = std::move(prompt.prompt);
  call.image_budget = std::move(prompt.image_budget);
  call.open_thought = prompt_text(call.request.prompt).ends_with(kOpenChannel);
  for (std::string& stop : chat_stops(service.options.family)) {
    call.request.generate.stop.push_back(std::move(stop));
  }
  call.ignored = fields.unknown();
  if (service.options.strict_params && !call.ignored.empty()) {
    throw invalid_field(call.ignored.front() + " is not a parameter of this endpoint", call.ignored.front(),
                      "unknown_parameter");
  }
  return call;
}

}  // namespace nolens::serve
