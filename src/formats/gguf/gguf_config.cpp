// Puts the parts together: decoder, embedders, special tokens, sampling.
#include "formats/gguf/gguf_config.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "nolens/error.h"

#include "core/escape.h"
#include "formats/config_reader.h"
#include "formats/gguf/gguf_config_parts.h"

namespace nolens {
namespace {

constexpr std::size_t kMaxNameBytes = 200;

/// Ids of the tokens with these texts, -1 for those that do not exist.
std::vector<TokenId> find_tokens(const GgufFile& file, std::span<const std::string_view> texts) {
  std::vector<TokenId> ids(texts.size(), -1);
  const GgufValue* tokens = file.find("tokenizer.ggml.tokens");
  const auto list = tokens != nullptr ? tokens->texts() : std::nullopt;
  for (std::size_t id = 0; list && id < list->size(); ++id) {
    const auto found = std::find(texts.begin(), texts.end(), (*list)[id]);
    if (found != texts.end()) {
      ids[static_cast<std::size_t>(found - texts.begin())] = static_cast<TokenId>(id);
    }
  }
  return ids;
}

TokenId first_or_none(const std::vector<TokenId>& ids) {
  return ids.empty() ? -1 : ids.front();
}

void add_unique(TokenId id, std::vector<TokenId>& ids) {
  if (id >= 0 && std::find(ids.begin(), ids.end(), id) == ids.end()) {
    ids.push_back(id);
  }
}

void read_tokens(const GgufFile& file, const GgufArchitecture& architecture, ModelConfig& config) {
  constexpr std::array<std::string_view, 7> kMedia{"<|image>",  "<|image|>", "<image|>", "<|audio>",
                                                   "<|audio|>", "<audio|>",  "<|video|>"};
  const std::int64_t vocab_size = config.text.vocab_size;
  const GgufFields fields(file, "tokenizer.ggml.");
  SpecialTokens& tokens = config.tokens;
  tokens.pad = first_or_none(fields.ids("padding_token_id", vocab_size));
  tokens.bos = first_or_none(fields.ids("bos_token_id", vocab_size));
  for (const char* key : {"eos_token_id", "eot_token_id", "eom_token_id"}) {
    add_unique(first_or_none(fields.ids(key, vocab_size)), tokens.eos);
  }
  for (const TokenId id : find_tokens(file, architecture.end_tokens)) {
    add_unique(id, tokens.eos);
  }
  if (config.vision || config.audio) {
    const std::vector<TokenId> media = find_tokens(file, kMedia);
    tokens.boi = media[0];
    tokens.image = media[1];
    tokens.eoi = media[2];
    tokens.boa = media[3];
    tokens.audio = media[4];
    tokens.eoa = media[5];
    tokens.video = media[6];
  }
}

void read_generation(const GgufFile& file, const GgufArchitecture& architecture,
                     ModelConfig& config) {
  // Their rows of the embedding hold folded pictures and sound, so that their logits mean nothing.
  constexpr std::array<std::string_view, 2> kFolded{"<image|>", "<audio|>"};
  const GgufFields fields(file, "general.sampling.");
  GenerationConfig& generation = config.generation;
  generation.do_sample = fields.has("temp") || fields.has("top_k") || fields.has("top_p");
  generation.temperature = static_cast<float>(fields.real("temp", 0.0, 1000.0).value_or(1.0));
  generation.top_p = static_cast<float>(fields.real("top_p", 0.0, 1.0).value_or(1.0));
  generation.top_k = fields.integer("top_k", 0, std::int64_t{1} << 31).value_or(0);
  const GgufFields tokenizer(file, "tokenizer.ggml.");
  generation.suppress_tokens = tokenizer.ids("suppress_tokens", config.text.vocab_size);
  if (!tokenizer.has("suppress_tokens") && architecture.name == "gemma4") {
    for (const TokenId id : find_tokens(file, kFolded)) {
      add_unique(id, generation.suppress_tokens);
    }
  }
}

/// general.name, or the name of the file without its ending.
std::string model_name(const GgufFile& file) {
  const auto name = GgufFields(file, "general.").text("name");
  if (name && !name->empty()) {
    return escape_for_message(*name, kMaxNameBytes);
  }
  const std::string& path = file.name();
  return path.substr(0, path.rfind(".gguf"));
}

SourceDtype source_dtype(const GgufSet& text) {
  const GgufTensor* embedding = text.find_tensor("token_embd.weight");
  switch (embedding->type->dtype.value_or(DType::kBf16)) {
    case DType::kF32: return SourceDtype::kFloat32;
    case DType::kF16: return SourceDtype::kFloat16;
    default: return SourceDtype::kBfloat16;  // quantised from bfloat16 weights, as all releases are
  }
}

}  // namespace

ModelConfig read_gguf_config(const GgufSet& text, const GgufSet* mmproj) {
  const GgufFile& file = text.first();
  const GgufArchitecture& architecture = gguf_architecture(file);
  ModelConfig config;
  config.name = model_name(file);
  config.licence = escape_for_message(
      GgufFields(file, "general.").text("license").value_or(std::string_view{}), kMaxNameBytes);
  config.text = read_gguf_text(text, architecture);
  config.source_dtype = source_dtype(text);
  if (mmproj != nullptr) {
    if (const std::string problem = mmproj_problem(text, *mmproj); !problem.empty()) {
      throw Error(ErrorCode::kModel, mmproj->first().name() + ": " + problem);
    }
    read_mmproj(*mmproj, config);
  }
  config.model_type = mmproj != nullptr ? architecture.multimodal_type : architecture.text_type;
  read_tokens(file, architecture, config);
  read_generation(file, architecture, config);
  validate(config, file.name());
  return config;
}

}  // namespace nolens
