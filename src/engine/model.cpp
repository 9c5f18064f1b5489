// Loading: configuration, tokenizer and weights are checked before anything is computed.
#include "nolens/model.h"

#include <algorithm>
#include <string>

#include "engine/model_impl.h"
#include "formats/config_reader.h"
#include "formats/finite_check.h"
#include "formats/tensor_specs.h"
#include "platform/mapped_file.h"
#include "prompt/template_family.h"

namespace nolens {

namespace {

constexpr std::size_t kMaxTemplateBytes = 4U << 20U;

/// Rows of the largest prefill step that kv_cache_bytes() assumes: SessionOptions' default.
constexpr std::int64_t kDefaultPrefillChunk = 512;

void warn(const LogSink& log, const std::string& message) {
  if (log) {
    log(LogLevel::kWarning, message);
  }
}

/// Every id the config names must stand for something in the tokenizer.
void check_special_tokens(const ModelConfig& config, const Tokenizer& tokenizer) {
  const auto check = [&](TokenId id, const char* field) {
    if (id >= 0 && tokenizer.piece(id).empty()) {
      throw Error(ErrorCode::kModel, "tokenizer.json: config.json names " + std::string(field) +
                                         " = " + std::to_string(id) +
                                         ", but the tokenizer has no such id; use the tokenizer that "
                                         "belongs to the model");
    }
  };
  const SpecialTokens& tokens = config.tokens;
  check(tokens.boi, "boi_token_id");
  check(tokens.image, "image_token_id");
  check(tokens.eoi, "eoi_token_id");
  check(tokens.boa, "boa_token_id");
  check(tokens.audio, "audio_token_id");
  check(tokens.eoa, "eoa_token_id");
  check(tokens.video, "video_token_id");
  for (const TokenId id : tokens.eos) {
    check(id, "eos_token_id");
  }
}

/// The config's end tokens and those with which this template family ends a turn, whatever the
/// generation config of a re-upload says.
std::vector<TokenId> stop_tokens(const ModelConfig& config, const Tokenizer& tokenizer) {
  std::vector<TokenId> stops = config.tokens.eos;
  for (const char* token : {"<turn|>", "<|tool_response>"}) {
    const TokenId id = tokenizer.find(token);
    if (id >= 0 && id < config.text.vocab_size) {
      stops.push_back(id);
    }
  }
  return stops;
}

/// Control tokens that an output parser does not need and nobody wants to read.
std::vector<bool> hidden_tokens(const ModelConfig& config, const Tokenizer& tokenizer) {
  std::vector<bool> hidden(static_cast<std::size_t>(config.text.vocab_size));
  for (std::int64_t id = 0; id < config.text.vocab_size && id < tokenizer.size(); ++id) {
    hidden[static_cast<std::size_t>(id)] = tokenizer.is_special(static_cast<TokenId>(id));
  }
  for (const char* token : {"<|channel>", "<channel|>", "<|tool_call>", "<tool_call|>",
                            "<|tool_response>", "<tool_response|>", "<|\"|>"}) {
    const TokenId id = tokenizer.find(token);
    if (id >= 0 && id < config.text.vocab_size) {
      hidden[static_cast<std::size_t>(id)] = false;
    }
  }
  return hidden;
}

SourceDtype source_dtype(const TensorView& tensor) {
  switch (tensor.dtype) {
    case DType::kBf16: return SourceDtype::kBfloat16;
    case DType::kF16: return SourceDtype::kFloat16;
    case DType::kF32:
    case DType::kQ8_0: break;
  }
  return SourceDtype::kFloat32;
}

void check_template(const std::filesystem::path& directory, const LogSink& log) {
  const std::filesystem::path file = directory / "chat_template.jinja";
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) {
    return;
  }
  const std::string text = read_file(file, kMaxTemplateBytes, ErrorCode::kModel);
  if (chat_template_family(text) == TemplateFamily::kUnknown) {
    warn(log, file.string() +
                  ": this chat template is not one nolens knows; messages are rendered with the "
                  "Gemma 4 template, so answers may be worse than they could be");
  }
}

}  // namespace

Model::Model(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Model::~Model() = default;

std::shared_ptr<const Model> Model::load(const std::filesystem::path& path,
                                         const LoadOptions& options) {
  ModelConfig config = read_model_config(path, options.log);
  TensorStore store = TensorStore::open_directory(path);
  check_tensors(config, store, options.log);
  auto impl = std::make_unique<Impl>(std::move(config), Tokenizer::load(path / "tokenizer.json"),
                                     std::move(store));
  check_special_tokens(impl->config, impl->tokenizer);
  check_template(path, options.log);

  auto runtime = std::make_unique<Runtime>(options.num_threads);
  if (!options.allow_nonfinite) {
    check_finite(impl->store, runtime->pool, options.progress);
  }
  impl->exact = options.exact;
  impl->weights = decoder_weights(impl->config, impl->store);
  // The rounding of the embedding scale follows the numbers the embedding is really stored in.
  impl->config.source_dtype =
      source_dtype(*find_tensor(impl->store, "model.language_model.embed_tokens.weight"));
  impl->stop_tokens = stop_tokens(impl->config, impl->tokenizer);
  impl->suppressed_tokens = impl->config.generation.suppress_tokens;
  impl->hidden_tokens = hidden_tokens(impl->config, impl->tokenizer);

  runtime->kernels = make_cpu_kernels(runtime->pool, {.exact = options.exact});
  runtime->decoder =
      std::make_unique<Decoder>(impl->config.text, impl->weights, *runtime->kernels);
  runtime->token_embedder = std::make_unique<TokenEmbedder>(
      impl->config, impl->weights.embed_tokens, options.exact, *runtime->kernels);
  if (impl->config.vision.has_value()) {
    impl->image_weights = image_embedder_weights(*impl->config.vision, impl->store);
    runtime->image_embedder = std::make_unique<ImageEmbedder>(
        *impl->config.vision, impl->image_weights, *runtime->kernels);
  }
  impl->runtime = std::move(runtime);
  return std::shared_ptr<const Model>(new Model(std::move(impl)));
}

const ModelConfig& Model::config() const noexcept { return impl_->config; }
const Tokenizer& Model::tokenizer() const noexcept { return impl_->tokenizer; }
std::int64_t Model::weights_bytes() const noexcept { return impl_->store.total_bytes(); }
const char* Model::kernels_name() const noexcept { return impl_->runtime->kernels->name(); }
int Model::num_threads() const noexcept { return impl_->runtime->pool.num_threads(); }

std::int64_t Model::num_parameters() const noexcept {
  std::int64_t total = 0;
  for (const TensorView& tensor : impl_->store.tensors()) {
    std::int64_t count = 1;
    for (const std::int64_t extent : tensor.shape) {
      count *= extent;
    }
    total += count;
  }
  return total;
}

std::int64_t kv_cache_bytes(const ModelConfig& config, std::int64_t context_length, bool exact) {
  const bool full = exact || config.source_dtype == SourceDtype::kFloat32;
  return KvCache::bytes_at(config.text, full ? KvType::kF32 : KvType::kF16, context_length,
                           std::min(context_length, kDefaultPrefillChunk));
}

}  // namespace nolens
