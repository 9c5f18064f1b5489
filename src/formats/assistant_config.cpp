// The decoder of an assistant is described as any other of the family, by its text_config.
#include "formats/assistant_config.h"

#include <string_view>

#include "core/escape.h"
#include "formats/config_parts.h"
#include "formats/config_reader.h"
#include "formats/json_fields.h"
#include "formats/model_directory.h"
#include "platform/mapped_file.h"

namespace nolens {

namespace {

constexpr const char* kModelType = "gemma4_unified_assistant";
constexpr const char* kSharedLayers = "num_kv_shared_layers";
constexpr std::size_t kMaxConfigBytes = 4U << 20U;

}  // namespace

bool is_assistant_config(const Json& config) {
  return has_text(config, "model_type", kModelType);
}

AssistantConfig assistant_config_from_json(const Json& config, const std::string& name,
                                           const LogSink& log) {
  const JsonFields root(config, name);
  const std::string type = root.text("model_type").value_or("");
  if (type != kModelType) {
    root.fail("model_type",
              "is '" + escape_for_message(type) + "', expected " + kModelType +
                  ": a drafter is a model of its own, made for the one it drafts for");
  }
  if (root.boolean("use_ordered_embeddings").value_or(false)) {
    root.fail("use_ordered_embeddings",
              "is true; assistants with ordered embeddings are not supported");
  }
  const auto written = root.object("text_config");
  if (!written) {
    root.fail_value("text_config", "an object");
  }
  // That all layers share their keys is what makes it an assistant; the decoder's fields say it of
  // some.
  Json text = config.at("text_config");
  text.erase(kSharedLayers);
  AssistantConfig assistant;
  assistant.backbone_hidden_size = root.integer("backbone_hidden_size").value_or(3840);
  if (assistant.backbone_hidden_size < 1 || assistant.backbone_hidden_size > kMaxWidth) {
    root.fail_value("backbone_hidden_size", "1 to " + std::to_string(kMaxWidth));
  }
  ModelConfig& decoder = assistant.decoder;
  decoder.name = name;
  decoder.model_type = kModelType;
  decoder.text = read_text_config(JsonFields(text, name, "text_config"), log);
  decoder.text.tie_word_embeddings = root.boolean("tie_word_embeddings").value_or(true);
  const std::int64_t layers = decoder.text.num_hidden_layers;
  if (const auto shared = written->integer(kSharedLayers).value_or(0);
      shared != 0 && shared != layers) {
    written->fail_value(kSharedLayers, std::to_string(layers) + ", all layers of an assistant");
  }
  decoder.tokens = {.pad = -1, .bos = -1, .eos = {}};
  validate(decoder, name);
  return assistant;
}

AssistantConfig read_assistant_config(const std::filesystem::path& directory, const LogSink& log) {
  check_model_directory(directory);
  const std::string text =
      read_file(model_file(directory, "config.json"), kMaxConfigBytes, ErrorCode::kModel);
  const Json json = parse_json(text, "config.json", ErrorCode::kModel,
                               JsonLimits{.max_bytes = kMaxConfigBytes, .max_depth = 32});
  AssistantConfig config = assistant_config_from_json(json, "config.json", log);
  config.decoder.name = (directory / "").parent_path().filename().native();
  return config;
}

std::vector<NamedShape> tensor_specs(const AssistantConfig& config) {
  std::vector<NamedShape> specs = tensor_specs(config.decoder, KeySource::kBorrowed);
  const std::int64_t hidden = config.decoder.text.hidden_size;
  specs.push_back({"pre_projection.weight", {hidden, 2 * config.backbone_hidden_size}});
  specs.push_back({"post_projection.weight", {config.backbone_hidden_size, hidden}});
  return specs;
}

std::vector<NamedShape> published_tensors(const AssistantConfig& config) {
  constexpr std::string_view kPrefix = "model.language_model.";
  std::vector<NamedShape> tensors = tensor_specs(config);
  for (NamedShape& tensor : tensors) {
    if (tensor.name.starts_with(kPrefix)) {
      tensor.name.replace(0, kPrefix.size(), "model.");
    }
  }
  return tensors;
}

}  // namespace nolens
