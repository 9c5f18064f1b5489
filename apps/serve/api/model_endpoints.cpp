#include "serve/api/model_endpoints.h"

#include "core/escape.h"
#include "serve/api/refusals.h"
#include "serve/api/response_json.h"

namespace nolens::serve {
namespace {

constexpr const char* kJson = "application/json";

OutputJson modalities(const ModelConfig& config) {
  OutputJson inputs = OutputJson::array({"text"});
  if (config.vision.has_value()) {
    inputs.push_back("image");
    inputs.push_back("video");
  }
  if (config.audio.has_value()) {
    inputs.push_back("audio");
  }
  return inputs;
}

OutputJson model_json(const Service& service) {
  const Model& model = *service.model;
  OutputJson entry;
  entry["id"] = service.options.model_id;
  entry["object"] = "model";
  entry["created"] = service.created;
  entry["owned_by"] = "nolens";
  entry["meta"] = {{"n_ctx_train", model.config().text.max_position_embeddings},
                   {"n_ctx", service.engine.context_length()},
                   {"n_vocab", model.config().text.vocab_size},
                   {"n_params", model.num_parameters()},
                   {"size", model.weights_bytes()}};
  entry["architecture"] = {{"input_modalities", modalities(model.config())},
                           {"output_modalities", OutputJson::array({"text"})}};
  return entry;
}

}  // namespace

void require_model(const std::string& name, const Service& service) {
  // Programs that only ever meet one model send names of their own making.
  if (!name.empty() && name != service.options.model_id && name != "default") {
    throw HttpError(404,
                    "the model \"" + escape_for_message(name, 80) + "\" is not served here; this is \"" +
                        service.options.model_id + "\"",
                    "invalid_request_error", "model", "model_not_found");
  }
}

void list_models(Service& service, const HttpRequest&, const std::shared_ptr<Exchange>& exchange) {
  OutputJson response;
  response["object"] = "list";
  response["data"] = OutputJson::array({model_json(service)});
  exchange->respond(200, kJson, to_text(response));
}

void describe_model(Service& service, const HttpRequest& request, const std::shared_ptr<Exchange>& exchange) {
  require_model(request.path_id, service);
  exchange->respond(200, kJson, to_text(model_json(service)));
}

void props(Service& service, const HttpRequest&, const std::shared_ptr<Exchange>& exchange) {
  const ModelConfig& config = service.model->config();
  const MediaOptions& media = service.options.media;
  OutputJson response;
  response["model"] = {{"id", service.options.model_id},
                       {"name", config.name},
                       {"demo", service.options.demo},
                       {"format", service.model->format()},
                       {"modalities",
                        {{"text", true},
                         {"image", config.vision.has_value()},
                         {"video", config.vision.has_value()},
                         {"audio", config.audio.has_value()},
                         {"document", false}}}};
  response["image_budgets"] = OutputJson::array();
  if (config.vision.has_value()) {
    for (const std::int64_t budget : kSoftTokenBudgets) {
      response["image_budgets"].push_back(budget);
    }
  }
  const std::int64_t budget = service.engine.options().session.image_tokens;
  response["default_image_budget"] = budget != 0 ? budget : config.image_processor.max_soft_tokens;
  const GenerationConfig& generation = config.generation;
  response["defaults"] = {{"temperature", generation.do_sample ? generation.temperature : 0.0F},
                          {"top_k", generation.top_k},
                          {"top_p", generation.top_p}};
  response["limits"] = {{"context_length", service.engine.context_length()},
                        {"parallel", service.engine.options().parallel},
                        {"queue_length", service.engine.options().queue_length},
                        {"messages", service.options.max_messages},
                        {"answers", kMaxAnswers},
                        {"image_pixels", media.image.max_pixels},
                        {"images", media.image.max_images},
                        {"decoded_bytes", media.image.max_total_bytes},
                        {"audio_seconds", media.clip.max_audio_seconds},
                        {"video_seconds", media.clip.max_video_seconds},
                        {"video_frames", media.max_frames}};
  response["kernels"] = service.model->kernels_name();
  response["threads"] = service.model->num_threads();
  exchange->respond(200, kJson, to_text(response));
}

void metrics(Service& service, const HttpRequest&, const std::shared_ptr<Exchange>& exchange) {
  const HttpCounts http = service.http_counts ? service.http_counts() : HttpCounts{};
  exchange->respond(200, "text/plain; version=0.0.4", service.metrics.text(service.engine.stats(), http));
}

void health(Service&, const HttpRequest&, const std::shared_ptr<Exchange>& exchange) {
  exchange->respond(200, kJson, R"({"status":"ok"})");
}

}  // namespace nolens::serve
