// Writes a model directory with random weights. config.json comes last, so that a directory whose
// making was cut short is no model.
#include "nolens/synthesize.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <span>
#include <system_error>
#include <utility>

#include "core/aligned_buffer.h"
#include "core/escape.h"
#include "formats/assistant_config.h"
#include "formats/config_parts.h"
#include "formats/gguf/gguf_synthesize.h"
#include "formats/output_directory.h"
#include "formats/presets.h"
#include "formats/safetensors_writer.h"
#include "formats/synthetic_tokenizer.h"
#include "formats/synthetic_values.h"
#include "formats/tensor_specs.h"
#include "platform/atomic_file.h"
#include "platform/quoted_path.h"
#include "platform/thread_pool.h"

namespace nolens {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMaxShardBytes = 5'000'000'000;  // as transformers writes them
constexpr std::int64_t kChunkBytes = 8 << 20;
constexpr std::int64_t kGrainBytes = 64 << 10;
constexpr std::int64_t kSmallFilesBytes = 64 << 20;  // tokenizer, configs, headers

DType parse_dtype(const std::string& name) {
  if (name == "bfloat16") {
    return DType::kBf16;
  }
  if (name == "float16") {
    return DType::kF16;
  }
  if (name != "float32") {
    throw Error(ErrorCode::kUsage, "dtype '" + escape_for_message(name) +
                                       "' is not known; use bfloat16, float16 or float32");
  }
  return DType::kF32;
}

Json& text_config(Json& config) {
  return config.contains("text_config") ? config["text_config"] : config;
}

/// Keeps the pattern of layer types, repeated if need be; the last layer is always full. All layers
/// of an assistant share their keys.
void set_num_layers(Json& preset, std::int64_t num_layers) {
  if (num_layers < 1 || num_layers > kMaxLayers) {
    throw Error(ErrorCode::kUsage, "the number of layers is " + std::to_string(num_layers) +
                                       ", expected 1 to " + std::to_string(kMaxLayers));
  }
  Json& text = text_config(preset["config"]);
  if (text.contains("per_layer_config")) {
    throw Error(ErrorCode::kUsage,
                "the preset has a per_layer_config; its number of layers cannot be changed");
  }
  text["num_hidden_layers"] = num_layers;
  if (is_assistant_config(preset["config"])) {
    text["num_kv_shared_layers"] = num_layers;
  }
  if (const auto types = text.find("layer_types"); types != text.end() && !types->empty()) {
    const Json pattern = *types;
    *types = Json::array();
    for (std::int64_t i = 0; i < num_layers; ++i) {
      types->push_back(pattern[static_cast<std::size_t>(i) % pattern.size()]);
    }
    types->back() = "full_attention";
  }
}

/// Ids of pictures and sound that do not fit the new vocabulary move to its end.
void set_vocab_size(Json& preset, std::int64_t vocab_size) {
  if (vocab_size < kMinSyntheticVocab || vocab_size > kMaxVocabSize) {
    throw Error(ErrorCode::kUsage, "the vocabulary size is " + std::to_string(vocab_size) +
                                       ", expected " + std::to_string(kMinSyntheticVocab) + " to " +
                                       std::to_string(kMaxVocabSize));
  }
  Json& config = preset["config"];
  text_config(config)["vocab_size"] = vocab_size;
  std::map<std::int64_t, std::int64_t> moved;
  std::int64_t next = vocab_size;
  for (const char* key : {"video_token_id", "eoa_token_index", "eoa_token_id", "eoi_token_id",
                          "audio_token_id", "image_token_id", "boa_token_id", "boi_token_id"}) {
    const auto id = config.find(key);
    if (id != config.end() && id->is_number_integer() && *id >= vocab_size) {
      moved[id->get<std::int64_t>()] = --next;
      *id = next;
    }
  }
  Json& generation = preset["generation_config"];
  if (generation.is_object() && generation.contains("suppress_tokens")) {
    for (Json& id : generation["suppress_tokens"]) {
      if (id.is_number_integer() && moved.contains(id.get<std::int64_t>())) {
        id = moved[id.get<std::int64_t>()];
      }
    }
  }
}

void check_preset(const Json& documents, const std::string& name) {
  if (is_assistant_config(documents.at("config"))) {
    assistant_config_from_json(documents.at("config"), name);
  } else {
    preset_config(documents, name);
  }
}

Json make_documents(const SynthesizeOptions& options) {
  Json documents = preset_json(options.preset);
  const std::string name = "preset '" + escape_for_message(options.preset) + "'";
  check_preset(documents, name);  // before it is changed: its mistakes are not the caller's
  if (options.num_layers != 0) {
    set_num_layers(documents, options.num_layers);
  }
  if (options.vocab_size != 0) {
    set_vocab_size(documents, options.vocab_size);
  }
  Json& config = documents["config"];
  config.erase("torch_dtype");
  config["dtype"] = options.dtype;
  return documents;
}

void check_free_space(const fs::path& directory, std::int64_t weight_bytes) {
  std::error_code error;
  const auto space = fs::space(directory, error);
  const std::int64_t needed = weight_bytes + kSmallFilesBytes;
  if (!error && space.available < static_cast<std::uintmax_t>(needed)) {
    throw Error(ErrorCode::kResource, "the model needs " + std::to_string(needed) + " bytes in " +
                                          quoted_path(directory) + ", but only " +
                                          std::to_string(space.available) +
                                          " are free; free some space, or ask for fewer layers");
  }
}

/// Consecutive tensors, cut so that no shard exceeds kMaxShardBytes unless one tensor does.
std::vector<std::vector<NamedShape>> make_shards(const std::vector<NamedShape>& tensors,
                                                 std::int64_t element_bytes) {
  std::vector<std::vector<NamedShape>> shards(1);
  std::int64_t bytes = 0;
  for (const NamedShape& tensor : tensors) {
    const std::int64_t tensor_bytes = count_parameters({tensor}) * element_bytes;
    if (bytes + tensor_bytes > kMaxShardBytes && !shards.back().empty()) {
      shards.emplace_back();
      bytes = 0;
    }
    shards.back().push_back(tensor);
    bytes += tensor_bytes;
  }
  return shards;
}

std::string five_digits(std::size_t number) {
  const std::string digits = std::to_string(number);
  return std::string(digits.size() < 5 ? 5 - digits.size() : 0, '0') + digits;
}

class WeightWriter {
 public:
  WeightWriter(const SynthesizeOptions& options, DType dtype, std::int64_t total_bytes)
      : options_(options),
        dtype_(dtype),
        total_bytes_(total_bytes),
        pool_(0),
        chunk_(kChunkBytes) {}

  void write_shard(const fs::path& file, const std::vector<NamedShape>& tensors) {
    std::vector<TensorSpec> specs;
    for (const NamedShape& tensor : tensors) {
      specs.push_back({tensor.name, dtype_, tensor.shape});
    }
    SafetensorsWriter writer(file, std::move(specs), {{"format", "pt"}});
    for (const NamedShape& tensor : tensors) {
      write_tensor(tensor, writer);
    }
    writer.commit();
  }

 private:
  void write_tensor(const NamedShape& tensor, SafetensorsWriter& writer) {
    const ValueDistribution distribution = synthetic_distribution(tensor);
    const std::int64_t element = row_bytes(dtype_, 1);
    const std::int64_t bytes = count_parameters({tensor}) * element;
    for (std::int64_t begin = 0; begin < bytes; begin += kChunkBytes) {
      const std::int64_t size = std::min(kChunkBytes, bytes - begin);
      pool_.parallel_for(size, kGrainBytes, [&](std::int64_t from, std::int64_t to) {
        fill_synthetic(tensor.name, options_.seed, distribution, dtype_, (begin + from) / element,
                       chunk_.span().subspan(static_cast<std::size_t>(from),
                                             static_cast<std::size_t>(to - from)));
      });
      writer.append(chunk_.span().first(static_cast<std::size_t>(size)));
      written_bytes_ += size;
      if (options_.progress) {
        options_.progress(static_cast<double>(written_bytes_) / static_cast<double>(total_bytes_));
      }
    }
  }

  const SynthesizeOptions& options_;
  DType dtype_;
  std::int64_t total_bytes_;
  std::int64_t written_bytes_ = 0;
  ThreadPool pool_;
  AlignedBuffer<std::byte> chunk_;
};

void write_weights(const SynthesizeOptions& options, DType dtype,
                   const std::vector<NamedShape>& tensors, OutputDirectory& out) {
  const std::int64_t total_bytes = count_parameters(tensors) * row_bytes(dtype, 1);
  check_free_space(out.path(), total_bytes);
  WeightWriter writer(options, dtype, total_bytes);
  const auto shards = make_shards(tensors, row_bytes(dtype, 1));
  if (shards.size() == 1) {
    writer.write_shard(out.add("model.safetensors"), shards.front());
    return;
  }
  Json weight_map = Json::object();
  for (std::size_t i = 0; i < shards.size(); ++i) {
    const std::string name =
        "model-" + five_digits(i + 1) + "-of-" + five_digits(shards.size()) + ".safetensors";
    writer.write_shard(out.add(name), shards[i]);
    for (const NamedShape& tensor : shards[i]) {
      weight_map[tensor.name] = name;
    }
  }
  const Json index = {{"metadata", {{"total_size", total_bytes}}}, {"weight_map", weight_map}};
  write_file_atomically(out.add("model.safetensors.index.json"), index.dump(2) + "\n");
}

void write_documents(const Json& documents, OutputDirectory& out) {
  for (const char* document : {"generation_config", "processor_config", "config"}) {
    if (!documents.at(document).is_null()) {
      write_file_atomically(out.add(document + std::string(".json")),
                            documents.at(document).dump(2) + "\n");
    }
  }
}

/// It has no tokenizer: its ids are those of the model it drafts for.
void synthesize_assistant(const SynthesizeOptions& options, DType dtype, const Json& documents) {
  if (options.format != "safetensors") {
    throw Error(ErrorCode::kUsage, "preset '" + escape_for_message(options.preset) +
                                       "' is an assistant, which is written as safetensors only; "
                                       "leave out --format");
  }
  const AssistantConfig config =
      assistant_config_from_json(documents.at("config"), "synthetic assistant");
  OutputDirectory out(options.out);
  write_weights(options, dtype, published_tensors(config), out);
  write_documents(documents, out);
  out.keep();
}

}  // namespace

void synthesize_model(const SynthesizeOptions& options) {
  const DType dtype = parse_dtype(options.dtype);
  if (options.format != "safetensors" && options.format != "gguf") {
    throw Error(ErrorCode::kUsage, "format '" + escape_for_message(options.format) +
                                       "' is not known; use safetensors or gguf");
  }
  const Json documents = make_documents(options);
  if (is_assistant_config(documents.at("config"))) {
    synthesize_assistant(options, dtype, documents);
    return;
  }
  const ModelConfig config = preset_config(documents, "synthetic model");
  if (config.text.vocab_size < kMinSyntheticVocab) {
    throw Error(ErrorCode::kUsage, "the preset's vocabulary has " +
                                       std::to_string(config.text.vocab_size) +
                                       " entries, a synthetic tokenizer needs at least " +
                                       std::to_string(kMinSyntheticVocab));
  }
  if (options.format == "gguf") {
    OutputDirectory gguf_out(options.out);
    synthesize_gguf(config, options, dtype, gguf_out);
    gguf_out.keep();
    return;
  }
  const std::string tokenizer = synthetic_tokenizer_json(config.tokens, config.text.vocab_size);
  OutputDirectory out(options.out);
  write_weights(options, dtype, tensor_specs(config), out);
  write_file_atomically(out.add("tokenizer.json"), tokenizer);
  write_file_atomically(out.add("tokenizer_config.json"), synthetic_tokenizer_config_json());
  write_documents(documents, out);
  out.keep();
}

}  // namespace nolens
