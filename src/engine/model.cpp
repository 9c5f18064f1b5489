// Loading: configuration, tokenizer and weights are checked before anything is computed.
#include "nolens/model.h"

#include <algorithm>
#include <string>

#include "nolens/session.h"

#include "engine/chat_choice.h"
#include "engine/model_impl.h"
#include "engine/model_source.h"
#include "formats/finite_check.h"
#include "formats/tensor_specs.h"
#include "platform/cpu_affinity.h"

namespace nolens {

namespace {

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

/// The config's end tokens and those with which the template families end a turn, whatever the
/// generation config of a re-upload says.
std::vector<TokenId> stop_tokens(const ModelConfig& config, const Tokenizer& tokenizer) {
  std::vector<TokenId> stops = config.tokens.eos;
  for (const char* token : {"<turn|>", "<|tool_response>", "<end_of_turn>"}) {
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

/// A processor for each thread, if each is to have its own.
std::vector<int> own_cpus(const LoadOptions& options) {
  std::vector<int> cpus;
  if (options.affinity) {
    cpus = one_cpu_per_core();
    if (cpus.empty()) {
      throw Error(ErrorCode::kResource,
                  "the system does not say which processors this process may use; run without "
                  "--affinity");
    }
  }
  return cpus;
}

}  // namespace

Model::Model(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Model::~Model() = default;

std::shared_ptr<const Model> Model::load(const std::filesystem::path& path,
                                         const LoadOptions& options) {
  ModelSource source = open_model_source(find_model_files(path, options.mmproj), options.log);
  check_tensors(source.config, source.store, options.log);
  auto impl = std::make_unique<Impl>(std::move(source.config), std::move(source.tokenizer),
                                     std::move(source.store));
  impl->format = std::move(source.format);
  check_special_tokens(impl->config, impl->tokenizer);
  impl->chat_family =
      choose_chat_family(source.chat_template, impl->tokenizer, options.log);

  auto runtime = std::make_unique<Runtime>(options.num_threads, own_cpus(options));
  if (!options.allow_nonfinite) {
    check_finite(impl->store, runtime->pool, options.progress);
  }
  impl->exact = options.exact;
  impl->weights = decoder_weights(impl->config, impl->store);
  // The rounding of the embedding scale follows the numbers the embedding is really stored in.
  impl->config.source_dtype = source.source_dtype.value_or(source_dtype_of(
      *find_tensor(impl->store, "model.language_model.embed_tokens.weight")));
  if (!options.exact) {
    impl->packed.pack(impl->weights, runtime->pool, options.progress);
  }
  impl->stop_tokens = stop_tokens(impl->config, impl->tokenizer);
  impl->suppressed_tokens = impl->config.generation.suppress_tokens;
  impl->hidden_tokens = hidden_tokens(impl->config, impl->tokenizer);

  runtime->kernels = make_cpu_kernels(
      runtime->pool, {.exact = options.exact, .byte_codebook = options.byte_codebook});
  runtime->decoder =
      std::make_unique<Decoder>(impl->config.text, impl->weights, *runtime->kernels);
  runtime->token_embedder = std::make_unique<TokenEmbedder>(
      impl->config, impl->weights.embed_tokens, options.exact, *runtime->kernels);
  if (impl->config.vision.has_value()) {
    impl->image_weights = image_embedder_weights(*impl->config.vision, impl->store);
    runtime->image_embedder = std::make_unique<ImageEmbedder>(
        *impl->config.vision, impl->image_weights, *runtime->kernels);
  }
  if (impl->config.audio.has_value()) {
    runtime->audio_embedder = std::make_unique<AudioEmbedder>(
        *impl->config.audio, audio_projection(impl->store), *runtime->kernels);
  }
  impl->runtime = std::move(runtime);
  return std::shared_ptr<const Model>(new Model(std::move(impl)));
}

const ModelConfig& Model::config() const noexcept { return impl_->config; }
const Tokenizer& Model::tokenizer() const noexcept { return impl_->tokenizer; }
std::int64_t Model::weights_bytes() const noexcept { return impl_->store.total_bytes(); }
const char* Model::kernels_name() const noexcept { return impl_->runtime->kernels->name(); }
ChatFamily Model::chat_family() const noexcept { return impl_->chat_family; }
int Model::num_threads() const noexcept { return impl_->runtime->pool.num_threads(); }

const std::string& Model::format() const noexcept { return impl_->format; }

std::vector<TensorTypeCount> Model::tensor_types() const {
  std::vector<TensorTypeCount> counts;
  for (const TensorView& tensor : impl_->store.tensors()) {
    const std::string_view name = dtype_name(tensor.dtype);
    auto entry = std::find_if(counts.begin(), counts.end(),
                              [&](const TensorTypeCount& count) { return count.dtype == name; });
    if (entry == counts.end()) {
      entry = counts.insert(counts.end(), {std::string(name), 0, 0});
    }
    ++entry->tensors;
    entry->bytes += tensor.bytes;
  }
  std::sort(counts.begin(), counts.end(),
            [](const auto& a, const auto& b) { return a.bytes > b.bytes; });
  return counts;
}

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

std::int64_t kv_cache_bytes(const ModelConfig& config, std::int64_t context_length, bool exact,
                            KvCacheType type) {
  return KvCache::bytes_at(config.text, choose_kv_type(config, exact, type), context_length,
                           std::min(context_length, SessionOptions{}.prefill_chunk));
}

}  // namespace nolens
