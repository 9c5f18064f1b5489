// Puts the documents of a model directory together.
#include "formats/config_reader.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "core/escape.h"
#include "formats/config_parts.h"
#include "formats/json_fields.h"
#include "formats/model_directory.h"
#include "formats/tensor_specs.h"
#include "formats/tensor_store.h"
#include "platform/mapped_file.h"

namespace nolens {
namespace {

constexpr std::size_t kMaxConfigBytes = 4U << 20U;

/// How the documents of a family of models are written.
struct Dialect {
  std::string_view whole;  ///< model_type of a model that holds its decoder as text_config
  std::string_view text;   ///< model_type of the decoder, alone or inside
  TextConfig (*read_text)(const JsonFields&, const LogSink&);
  bool reads_media;  ///< false: other inputs go through an encoder, which is not supported
};
constexpr std::array<Dialect, 2> kDialects{{
    {"gemma4_unified", "gemma4_unified_text", read_text_config, true},
    {"gemma3", "gemma3_text",
     [](const JsonFields& fields, const LogSink&) { return read_gemma3_text_config(fields); }, false},
}};

/// \throws Error{kModel} if no dialect has this model_type
const Dialect& dialect_of(const JsonFields& root, const std::string& model_type) {
  const auto found = std::find_if(kDialects.begin(), kDialects.end(), [&](const Dialect& dialect) {
    return model_type == dialect.whole || model_type == dialect.text;
  });
  if (found == kDialects.end()) {
    std::string supported;
    for (const Dialect& dialect : kDialects) {
      supported += (supported.empty() ? "" : ", ") + std::string(dialect.whole) + ", " +
                   std::string(dialect.text);
    }
    root.fail("model_type", "is '" + escape_for_message(model_type) +
                                "', which is not supported; supported: " + supported);
  }
  return *found;
}

std::optional<SourceDtype> read_dtype(const JsonFields& fields) {
  const char* key = fields.has("dtype") ? "dtype" : "torch_dtype";
  const auto name = fields.text(key);
  if (!name) {
    return std::nullopt;
  }
  if (*name == "bfloat16") {
    return SourceDtype::kBfloat16;
  }
  if (*name == "float16") {
    return SourceDtype::kFloat16;
  }
  if (*name != "float32") {
    fields.fail_value(key, "\"bfloat16\", \"float16\" or \"float32\"");
  }
  return SourceDtype::kFloat32;
}

std::vector<TokenId> read_ids(const JsonFields& fields, std::string_view key) {
  std::vector<TokenId> ids;
  for (const std::int64_t id : fields.integers(key).value_or(std::vector<std::int64_t>{})) {
    ids.push_back(read_token_id(fields, key, id));
  }
  return ids;
}

/// An id whose key may be absent (then `fallback`, unless the vocabulary is too small for it) or
/// null (then the model has no such token).
TokenId read_optional_id(const JsonFields& fields, const char* key, TokenId fallback,
                         std::int64_t vocab_size) {
  if (const auto id = fields.integer(key); id) {
    return read_token_id(fields, key, *id);
  }
  const bool is_null = fields.members().contains(key);
  return is_null || fallback >= vocab_size ? -1 : fallback;
}

void read_text_ids(const JsonFields& root, const JsonFields& text, std::int64_t vocab_size,
                   SpecialTokens& tokens) {
  const auto source = [&](const char* key) -> const JsonFields& {
    return text.members().contains(key) ? text : root;
  };
  tokens.pad = read_optional_id(source("pad_token_id"), "pad_token_id", 0, vocab_size);
  tokens.bos = read_optional_id(source("bos_token_id"), "bos_token_id", 2, vocab_size);
  tokens.eos = read_ids(root.has("eos_token_id") ? root : text, "eos_token_id");
  if (tokens.eos.empty()) {
    tokens.eos = {1};
  }
}

void read_media_ids(const JsonFields& root, std::int64_t vocab_size, SpecialTokens& tokens) {
  tokens.boi = read_optional_id(root, "boi_token_id", 255'999, vocab_size);
  tokens.image = read_optional_id(root, "image_token_id", 258'880, vocab_size);
  tokens.eoi = read_optional_id(root, "eoi_token_id", 258'882, vocab_size);
  tokens.boa = read_optional_id(root, "boa_token_id", 256'000, vocab_size);
  tokens.audio = read_optional_id(root, "audio_token_id", 258'881, vocab_size);
  // The released file says eoa_token_index; both spellings are in use.
  const char* eoa = root.has("eoa_token_id") ? "eoa_token_id" : "eoa_token_index";
  tokens.eoa = read_optional_id(root, eoa, 258'883, vocab_size);
  tokens.video = read_optional_id(root, "video_token_id", 258'884, vocab_size);
}

/// Fields of every model type that would make the weights mean something else.
void refuse_unsupported(const JsonFields& root) {
  const auto quantization = root.object("quantization_config");
  if (!quantization) {
    return;
  }
  // Which weights are quantised, and how, stands beside each of them (bitsandbytes.h). Documents older
  // than quant_method have only bitsandbytes' switches.
  const bool has_switch = quantization->boolean("load_in_4bit").value_or(false) ||
                          quantization->boolean("load_in_8bit").value_or(false);
  const std::string method =
      quantization->text("quant_method").value_or(has_switch ? "bitsandbytes" : "");
  if (method != "bitsandbytes") {
    quantization->fail("quant_method",
                       "is '" + escape_for_message(method, 40) +
                           "'; models quantised with it are not read; use one quantised with "
                           "bitsandbytes, a GGUF file or the original bfloat16 model");
  }
}

bool read_tie_word_embeddings(const JsonFields& root, const JsonFields& text) {
  const auto outer = root.boolean("tie_word_embeddings");
  const auto inner = text.boolean("tie_word_embeddings");
  if (outer && inner && *outer != *inner) {
    root.fail("tie_word_embeddings", "contradicts text_config.tie_word_embeddings");
  }
  return outer.value_or(inner.value_or(true));
}

struct Parsed {
  ModelConfig config;
  bool has_dtype = false;
};

Parsed parse(const Json& config_json, const Json& generation, const Json& processor,
             const std::string& name, const LogSink& log) {
  const JsonFields root(config_json, name);
  Parsed result;
  ModelConfig& config = result.config;
  config.name = name;
  config.model_type = root.text("model_type").value_or("");
  const Dialect& dialect = dialect_of(root, config.model_type);
  const bool is_text_only = config.model_type == dialect.text;
  refuse_unsupported(root);
  const auto text = is_text_only ? root : root.object("text_config");
  if (!text) {
    root.fail_value("text_config", "an object");
  }
  if (text->has("model_type") && text->text("model_type") != dialect.text) {
    text->fail_value("model_type", "\"" + std::string(dialect.text) + "\"");
  }
  config.text = dialect.read_text(*text, log);
  config.text.tie_word_embeddings = read_tie_word_embeddings(root, *text);
  auto dtype = read_dtype(root);
  if (!dtype) {
    dtype = read_dtype(*text);
  }
  result.has_dtype = dtype.has_value();
  config.source_dtype = dtype.value_or(SourceDtype::kFloat32);
  read_text_ids(root, *text, config.text.vocab_size, config.tokens);
  if (!is_text_only && dialect.reads_media) {
    read_media_ids(root, config.text.vocab_size, config.tokens);
    const Json none = Json::object();
    const JsonFields processor_fields(processor.is_null() ? none : processor, name,
                                      "processor_config");
    if (const auto audio = root.object("audio_config"); audio) {
      config.audio = read_audio_config(*audio);
      config.audio->audio_seq_length =
          processor_fields.integer("audio_seq_length").value_or(config.audio->audio_seq_length);
    }
    if (const auto vision = root.object("vision_config"); vision) {
      config.vision = read_vision_config(*vision);
      const std::int64_t budget =
          vision->integer("num_soft_tokens").value_or(config.image_processor.max_soft_tokens);
      config.image_processor = read_image_processor(processor_fields, *config.vision, budget);
      config.video_processor = read_video_processor(processor_fields, *config.vision, config.image_processor);
    }
  }
  if (!generation.is_null()) {
    const JsonFields fields(generation, name, "generation_config");
    config.generation = read_generation_config(fields);
    if (auto eos = read_ids(fields, "eos_token_id"); !eos.empty()) {
      config.tokens.eos = std::move(eos);
    }
  }
  validate(config, name);
  return result;
}

Json parse_document(const std::string& text, const char* name) {
  return parse_json(text, name, ErrorCode::kModel,
                    JsonLimits{.max_bytes = kMaxConfigBytes, .max_depth = 32});
}

Json parse_optional_document(const std::string& text, const char* name) {
  return text.empty() ? Json() : parse_document(text, name);
}

/// \throws Error{kModel} for an empty file
std::string read_document(const std::filesystem::path& directory, const char* file) {
  std::string text = read_file(model_file(directory, file), kMaxConfigBytes, ErrorCode::kModel);
  return text.empty() ? parse_document(text, file).dump() : text;
}

/// Empty if there is no such file.
std::string read_optional_document(const std::filesystem::path& directory, const char* file) {
  std::error_code error;
  return std::filesystem::exists(directory / file, error) ? read_document(directory, file)
                                                          : std::string();
}

/// Newer directories keep the image processor inside processor_config.json, older ones in a file of
/// its own, beside a processor_config.json without it.
std::string read_processor(const std::filesystem::path& directory) {
  constexpr const char* kFile = "processor_config.json";
  std::string processor = read_optional_document(directory, kFile);
  const Json parsed = parse_optional_document(processor, kFile);
  if (parsed.is_object() && parsed.contains("image_processor")) {
    return processor;
  }
  std::string preprocessor = read_optional_document(directory, "preprocessor_config.json");
  return preprocessor.empty() ? processor : preprocessor;
}

/// The name of the folder; in a Hugging Face cache, where that is a hash, of the repository.
std::string directory_name(const std::filesystem::path& directory) {
  std::error_code error;
  const auto absolute = std::filesystem::weakly_canonical(directory, error);
  const auto& path = error ? directory : absolute;
  if (path.parent_path().filename() == "snapshots") {
    const std::string repository = path.parent_path().parent_path().filename().native();
    if (const auto dashes = repository.rfind("--"); dashes != std::string::npos) {
      return repository.substr(dashes + 2);
    }
  }
  return path.filename().native();
}

Parsed parse_documents(const ConfigDocuments& documents, const LogSink& log) {
  Parsed parsed =
      parse(parse_document(documents.config, "config.json"),
            parse_optional_document(documents.generation, "generation_config.json"),
            parse_optional_document(documents.processor, "processor_config.json"), "config.json", log);
  parsed.config.name = documents.name;
  parsed.config.licence = documents.licence;
  return parsed;
}

SourceDtype stored_dtype(const std::filesystem::path& directory) {
  const TensorStore store = TensorStore::open_directory(directory);
  const TensorView* embedding = find_tensor(store, "model.language_model.embed_tokens.weight");
  if (embedding == nullptr) {
    return SourceDtype::kFloat32;
  }
  switch (embedding->dtype) {
    case DType::kBf16: return SourceDtype::kBfloat16;
    case DType::kF16: return SourceDtype::kFloat16;
    default: return SourceDtype::kFloat32;
  }
}

}  // namespace

TokenId read_token_id(const JsonFields& fields, std::string_view key, std::int64_t value) {
  if (value < 0 || value > std::numeric_limits<TokenId>::max()) {
    fields.fail(key, "is " + std::to_string(value) + ", which is no token id");
  }
  return static_cast<TokenId>(value);
}

GenerationConfig read_generation_config(const JsonFields& fields) {
  GenerationConfig generation;
  generation.do_sample = fields.boolean("do_sample").value_or(generation.do_sample);
  generation.temperature = static_cast<float>(fields.number("temperature").value_or(1.0));
  generation.top_k = fields.integer("top_k").value_or(generation.top_k);
  generation.top_p = static_cast<float>(fields.number("top_p").value_or(1.0));
  generation.suppress_tokens = read_ids(fields, "suppress_tokens");
  return generation;
}

ModelConfig model_config_from_json(const Json& config, const Json& generation,
                                   const Json& processor, const std::string& name) {
  return parse(config, generation, processor, name, {}).config;
}

ConfigDocuments read_config_documents(const std::filesystem::path& directory) {
  check_model_directory(directory);
  ConfigDocuments documents;
  documents.config = read_document(directory, "config.json");
  documents.generation = read_optional_document(directory, "generation_config.json");
  documents.processor = read_processor(directory);
  documents.name = directory_name(directory);
  documents.licence = read_licence(directory);
  return documents;
}

ModelConfig model_config_from_documents(const ConfigDocuments& documents, SourceDtype fallback,
                                        const LogSink& log) {
  Parsed parsed = parse_documents(documents, log);
  if (!parsed.has_dtype) {
    parsed.config.source_dtype = fallback;
  }
  return std::move(parsed.config);
}

ModelConfig read_model_config(const std::filesystem::path& directory, const LogSink& log) {
  Parsed parsed = parse_documents(read_config_documents(directory), log);
  if (!parsed.has_dtype) {
    parsed.config.source_dtype = stored_dtype(directory);
  }
  return std::move(parsed.config);
}

}  // namespace nolens
