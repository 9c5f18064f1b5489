// nolens info MODEL
#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>

#include "commands.h"
#include "info_memory.h"
#include "json_output.h"
#include "loading.h"
#include "options.h"
#include "terminal.h"

namespace nolens::cli {
namespace {

struct InfoOptions {
  ModelOptions model;
  std::string path;
  std::int64_t ctx = 0;
  std::string kv_cache = "auto";
  std::int64_t image_tokens = 0;
  std::int64_t image_pixels = 12'000'000;  // a common camera
  bool json = false;
};

constexpr std::int64_t kDefaultContext = 8192;

const char* dtype_name(SourceDtype dtype) noexcept {
  switch (dtype) {
    case SourceDtype::kFloat32: return "float32";
    case SourceDtype::kFloat16: return "float16";
    case SourceDtype::kBfloat16: return "bfloat16";
  }
  return "unknown";
}

std::vector<std::string> modalities(const ModelConfig& config) {
  std::vector<std::string> names = {"text"};
  if (config.vision) {
    names.emplace_back("image");
  }
  return names;
}

std::int64_t full_layers(const TextConfig& text) {
  return std::count_if(text.layers.begin(), text.layers.end(), [](const LayerConfig& layer) {
    return layer.type == LayerType::kFullAttention;
  });
}

double bits_per_weight(const TensorGroup& group) {
  return group.parameters > 0
             ? 8.0 * static_cast<double>(group.bytes) / static_cast<double>(group.parameters)
             : 0.0;
}

OutputJson info_json(const Model& model, const InfoMemory& memory) {
  const ModelConfig& config = model.config();
  const TextConfig& text = config.text;
  OutputJson json;
  json["name"] = config.name;
  json["model_type"] = config.model_type;
  json["licence"] = config.licence;
  json["modalities"] = modalities(config);
  json["parameters"] = model.num_parameters();
  json["dtype"] = dtype_name(config.source_dtype);
  json["format"] = model.format();
  json["tensor_types"] = OutputJson::array();
  for (const TensorTypeCount& count : model.tensor_types()) {
    json["tensor_types"].push_back(
        {{"type", count.dtype}, {"tensors", count.tensors}, {"bytes", count.bytes}});
  }
  json["tensor_groups"] = OutputJson::array();
  for (const TensorGroup& group : model.tensor_groups()) {
    json["tensor_groups"].push_back({{"name", group.name},
                                     {"format", group.format},
                                     {"layout", group.layout},
                                     {"parameters", group.parameters},
                                     {"bytes", group.bytes},
                                     {"bits_per_weight", bits_per_weight(group)}});
  }
  json["layers"] = text.num_hidden_layers;
  json["full_attention_layers"] = full_layers(text);
  json["sliding_window"] = text.sliding_window;
  json["hidden_size"] = text.hidden_size;
  json["intermediate_size"] = text.intermediate_size;
  json["attention_heads"] = text.num_attention_heads;
  json["vocab_size"] = text.vocab_size;
  json["max_context"] = text.max_position_embeddings;
  if (config.vision) {
    json["image"] = {{"patch_pixels", config.vision->model_patch_size()},
                     {"max_soft_tokens", config.image_processor.max_soft_tokens}};
  }
  json["memory"] = memory_json(model, memory);
  json["kernels"] = model.kernels_name();
  json["threads"] = model.num_threads();
  return json;
}

/// Head sizes as found, such as "256 (sliding), 512 (full)".
std::string attention_text(const TextConfig& text) {
  std::string result;
  for (const LayerType type : {LayerType::kSlidingAttention, LayerType::kFullAttention}) {
    const auto layer =
        std::find_if(text.layers.begin(), text.layers.end(),
                     [type](const LayerConfig& candidate) { return candidate.type == type; });
    if (layer == text.layers.end()) {
      continue;
    }
    result += result.empty() ? "" : "; ";
    result += type == LayerType::kSlidingAttention ? "sliding: " : "full: ";
    result += std::to_string(text.num_attention_heads) + " heads of " +
              std::to_string(layer->head_dim) + ", " + std::to_string(layer->num_key_value_heads) +
              " key-value" + (layer->attention_k_eq_v ? ", values are keys" : "");
  }
  return result;
}

/// Such as "Q4_K 289 (5.40 GiB), F32 337 (2.51 MiB)".
std::string tensor_types_text(const Model& model) {
  std::string text;
  for (const TensorTypeCount& count : model.tensor_types()) {
    text += (text.empty() ? "" : ", ") + count.dtype + " " + std::to_string(count.tensors) + " (" +
            shown_bytes(count.bytes) + ")";
  }
  return text;
}

/// One line a part of the model, such as "attention: NF4 in panels, 4.13 bits a weight, 1.20 GiB".
std::string tensor_groups_text(const Model& model) {
  std::string text;
  for (const TensorGroup& group : model.tensor_groups()) {
    text += info_row("  " + group.name, group.format +
                                            (group.layout == "panels" ? " in panels, " : ", ") +
                                            with_decimals(bits_per_weight(group), 2) +
                                            " bits a weight, " + shown_bytes(group.bytes));
  }
  return text;
}

std::string info_text(const Model& model, const InfoMemory& memory) {
  const ModelConfig& config = model.config();
  const TextConfig& text = config.text;
  std::string names;
  for (const std::string& name : modalities(config)) {
    names += (names.empty() ? "" : ", ") + name;
  }
  std::string result = info_row("model", config.name);
  result += info_row("architecture", config.model_type);
  result += info_row("modalities", names);
  result += info_row("licence", config.licence.empty() ? "not stated" : config.licence);
  result += info_row("parameters", shown_count(model.num_parameters()) + ", stored as " +
                                       dtype_name(config.source_dtype));
  result += info_row("layers", std::to_string(text.num_hidden_layers) + " (" +
                                   std::to_string(full_layers(text)) + " full attention, window " +
                                   std::to_string(text.sliding_window) + " in the others)");
  result += info_row("width", std::to_string(text.hidden_size) + ", feed-forward " +
                                  std::to_string(text.intermediate_size));
  result += info_row("attention", attention_text(text));
  result += info_row("vocabulary", shown_count(text.vocab_size));
  result += info_row("context", "up to " + shown_count(text.max_position_embeddings) + " tokens");
  if (config.vision) {
    const std::int64_t patch = config.vision->model_patch_size();
    result += info_row("pictures", "patches of " + std::to_string(patch) + "x" +
                                       std::to_string(patch) + " pixels, up to " +
                                       std::to_string(config.image_processor.max_soft_tokens) +
                                       " tokens");
  }
  result += info_row("format", model.format());
  result += info_row("tensors", tensor_types_text(model));
  result += tensor_groups_text(model);
  result += memory_text(model, memory);
  result += info_row("kernels", std::string(model.kernels_name()) + ", " +
                                    std::to_string(model.num_threads()) + " threads");
  return result;
}

int run_info(const InfoOptions& options) {
  ModelOptions model_options = options.model;
  if (!options.path.empty()) {
    model_options.model = options.path;
  }
  const LoadedModel loaded = load_model(model_options);
  const std::int64_t most = loaded.model->config().text.max_position_embeddings;
  InfoMemory memory;
  memory.only_this_context = options.ctx > 0;
  memory.use.context_length = options.ctx > 0 ? options.ctx : std::min(most, kDefaultContext);
  memory.use.kv_cache = options.model.exact && options.kv_cache == "auto"
                            ? KvCacheType::kF32
                            : kv_cache_type(options.kv_cache);
  memory.use.image_tokens = options.image_tokens;
  memory.use.picture_pixels = options.image_pixels;
  memory.program = program_bytes(*loaded.model);
  print(options.json ? json_line(info_json(*loaded.model, memory))
                     : info_text(*loaded.model, memory));
  return 0;
}

}  // namespace

void add_info(CLI::App& app, Action& action) {
  auto options = std::make_shared<InfoOptions>();
  CLI::App* command =
      app.add_subcommand("info", "Show architecture, sizes, memory, modalities and licence");
  command->add_option("path", options->path, "The model; the same as --model")->type_name("MODEL");
  add_model_options(*command, options->model);
  command->add_option("--ctx", options->ctx, "Context length for the memory figures; 0 = default")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 24U).description(""))
      ->type_name("N");
  add_kv_cache_option(*command, options->kv_cache);
  command
      ->add_option("--image-tokens", options->image_tokens,
                   "Soft-token budget of the picture in the memory figures; 0 = the model's")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 16U).description(""))
      ->type_name("N");
  command
      ->add_option("--image-pixels", options->image_pixels,
                   "Pixels of that picture before scaling (12000000); 0 = without pictures")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 32U).description(""))
      ->type_name("N");
  command->add_flag("--json", options->json, "Print one JSON object");
  command->callback([options, &action] { action = [options] { return run_info(*options); }; });
}

}  // namespace nolens::cli
