// Names and shapes as in the published checkpoint of Gemma 4 12B Unified (677 tensors).
#include "formats/tensor_specs.h"

#include <algorithm>
#include <array>
#include <set>
#include <span>
#include <utility>

#include "nolens/error.h"

#include "core/escape.h"

namespace nolens {
namespace {

constexpr std::size_t kMaxListed = 10;

/// A group of tensors that share the part of the name before `members`.
struct Naming {
  std::string_view prefix;                    // as stored
  std::span<const std::string_view> members;  // how the rest of the name begins
  std::span<const std::string_view> aliases;  // other prefixes in use
};

constexpr std::array<std::string_view, 3> kTextMembers{"embed_tokens.", "layers.", "norm."};
constexpr std::array<std::string_view, 4> kTextAliases{"language_model.model.", "language_model.",
                                                       "model.", ""};
constexpr std::array<std::string_view, 5> kVisionMembers{"patch_ln1.", "patch_dense.", "patch_ln2.",
                                                         "pos_embedding", "pos_norm."};
constexpr std::array<std::string_view, 3> kVisionAliases{"vision_embedder.", "model.embed_vision.",
                                                         "embed_vision."};
constexpr std::array<std::string_view, 1> kProjectionMembers{"embedding_projection."};
constexpr std::array<std::string_view, 3> kProjectionAliases{
    "embed_vision.", "model.embed_vision.multimodal_embedder.",
    "embed_vision.multimodal_embedder."};
constexpr std::array<std::string_view, 1> kAudioAliases{"embed_audio."};
constexpr std::array<std::string_view, 1> kHeadMembers{"lm_head."};
constexpr std::array<std::string_view, 3> kHeadAliases{"language_model.", "model.",
                                                       "model.language_model."};

constexpr std::array<Naming, 5> kNamings{{
    {"model.language_model.", kTextMembers, kTextAliases},
    {"model.vision_embedder.", kVisionMembers, kVisionAliases},
    {"model.embed_vision.", kProjectionMembers, kProjectionAliases},
    {"model.embed_audio.", kProjectionMembers, kAudioAliases},
    {"", kHeadMembers, kHeadAliases},
}};

/// The rest of `name` if it is `prefix` followed by one of the group's members, else empty.
std::string_view member_of(const Naming& naming, std::string_view prefix, std::string_view name) {
  if (!name.starts_with(prefix)) {
    return {};
  }
  const std::string_view rest = name.substr(prefix.size());
  return std::any_of(naming.members.begin(), naming.members.end(),
                     [&](std::string_view member) { return rest.starts_with(member); })
             ? rest
             : std::string_view{};
}

void add_layer(std::int64_t index, const TextConfig& text, KeySource keys,
               std::vector<NamedShape>& specs) {
  const LayerConfig& layer = text.layers[static_cast<std::size_t>(index)];
  const std::string prefix = "model.language_model.layers." + std::to_string(index) + ".";
  const std::int64_t hidden = text.hidden_size;
  const std::int64_t q_width = text.num_attention_heads * layer.head_dim;
  const std::int64_t kv_width = layer.num_key_value_heads * layer.head_dim;
  for (const char* norm : {"input_layernorm", "post_attention_layernorm",
                           "pre_feedforward_layernorm", "post_feedforward_layernorm"}) {
    specs.push_back({prefix + norm + ".weight", {hidden}});
  }
  specs.push_back({prefix + "self_attn.q_proj.weight", {q_width, hidden}});
  if (keys == KeySource::kOwn) {
    specs.push_back({prefix + "self_attn.k_proj.weight", {kv_width, hidden}});
  }
  if (keys == KeySource::kOwn && !layer.attention_k_eq_v) {
    specs.push_back({prefix + "self_attn.v_proj.weight", {kv_width, hidden}});
  }
  specs.push_back({prefix + "self_attn.o_proj.weight", {hidden, q_width}});
  specs.push_back({prefix + "self_attn.q_norm.weight", {layer.head_dim}});
  if (keys == KeySource::kOwn) {
    specs.push_back({prefix + "self_attn.k_norm.weight", {layer.head_dim}});
  }
  specs.push_back({prefix + "mlp.gate_proj.weight", {text.intermediate_size, hidden}});
  specs.push_back({prefix + "mlp.up_proj.weight", {text.intermediate_size, hidden}});
  specs.push_back({prefix + "mlp.down_proj.weight", {hidden, text.intermediate_size}});
  if (text.layer_scalar) {
    specs.push_back({prefix + "layer_scalar", {1}});
  }
}

void add_layer_norm(const std::string& name, std::int64_t width, std::vector<NamedShape>& specs) {
  specs.push_back({name + ".weight", {width}});
  specs.push_back({name + ".bias", {width}});
}

void add_vision(const VisionConfig& vision, std::int64_t hidden, std::vector<NamedShape>& specs) {
  const std::string prefix = "model.vision_embedder.";
  const std::int64_t width = vision.mm_embed_dim;
  if (vision.patch_ln1) {
    add_layer_norm(prefix + "patch_ln1", vision.patch_values(), specs);
  }
  specs.push_back({prefix + "patch_dense.weight", {width, vision.patch_values()}});
  if (vision.patch_bias) {
    specs.push_back({prefix + "patch_dense.bias", {width}});
  }
  if (vision.patch_ln2) {
    add_layer_norm(prefix + "patch_ln2", width, specs);
  }
  if (vision.position_embedding == PositionEmbedding::kLearned) {
    const std::int64_t rows = vision.mm_posemb_size;
    specs.push_back({prefix + "pos_embedding", vision.position_table == PositionTable::kRowFirst
                                                   ? std::vector<std::int64_t>{rows, 2, width}
                                                   : std::vector<std::int64_t>{2, rows, width}});
  }
  if (vision.pos_norm) {
    add_layer_norm(prefix + "pos_norm", width, specs);
  }
  if (vision.embedding_projection) {
    specs.push_back({"model.embed_vision.embedding_projection.weight", {hidden, width}});
  }
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  }
  return text + "]";
}

/// "3 tensors <what>: a; b; c", cut after kMaxListed.
std::string list(const std::vector<std::string>& items, const std::string& what) {
  std::string text =
      std::to_string(items.size()) + (items.size() == 1 ? " tensor " : " tensors ") + what + ": ";
  for (std::size_t i = 0; i < std::min(items.size(), kMaxListed); ++i) {
    text += (i == 0 ? "" : "; ") + items[i];
  }
  if (items.size() > kMaxListed) {
    text += "; and " + std::to_string(items.size() - kMaxListed) + " more";
  }
  return text;
}

/// A tensor that is there, but in a type we do not compute with, deserves its own words.
std::string describe_missing(const TensorStore& store, const std::string& name) {
  for (const IgnoredTensor& ignored : store.ignored()) {
    if (canonical_tensor_name(ignored.name) == name) {
      return name + " (stored as " + ignored.dtype + ", expected F32, F16 or BF16, or with the scales of bitsandbytes)";
    }
  }
  return name;
}

/// Names that no tensor of the model has. \throws Error if two tensors mean the same one.
std::vector<std::string> find_extra(const std::vector<NamedShape>& specs,
                                    const TensorStore& store) {
  std::set<std::string> expected;
  for (const NamedShape& spec : specs) {
    expected.insert(spec.name);
  }
  std::set<std::string> seen;
  std::vector<std::string> extra;
  for (const TensorView& tensor : store.tensors()) {
    const std::string name = canonical_tensor_name(tensor.name);
    if (!seen.insert(name).second) {
      throw Error(ErrorCode::kModel, tensor.file + ": tensor '" + escape_for_message(tensor.name) +
                                         "' is stored a second time under another name");
    }
    if (!expected.contains(name)) {
      extra.push_back(escape_for_message(tensor.name));
    }
  }
  return extra;
}

}  // namespace

std::vector<NamedShape> tensor_specs(const ModelConfig& config, KeySource keys) {
  const TextConfig& text = config.text;
  std::vector<NamedShape> specs;
  specs.push_back(
      {"model.language_model.embed_tokens.weight", {text.vocab_size, text.hidden_size}});
  for (std::int64_t i = 0; i < text.num_hidden_layers; ++i) {
    add_layer(i, text, keys, specs);
  }
  specs.push_back({"model.language_model.norm.weight", {text.hidden_size}});
  if (!text.tie_word_embeddings) {
    specs.push_back({"lm_head.weight", {text.vocab_size, text.hidden_size}});
  }
  if (config.vision) {
    add_vision(*config.vision, text.hidden_size, specs);
  }
  if (config.audio) {
    specs.push_back({"model.embed_audio.embedding_projection.weight",
                     {text.hidden_size, config.audio->audio_embed_dim}});
  }
  return specs;
}

std::int64_t count_parameters(const std::vector<NamedShape>& tensors) {
  std::int64_t sum = 0;
  for (const NamedShape& tensor : tensors) {
    std::int64_t product = 1;
    for (const std::int64_t size : tensor.shape) {
      product *= size;
    }
    sum += product;
  }
  return sum;
}

std::string canonical_tensor_name(std::string_view name) {
  for (const Naming& naming : kNamings) {
    if (!member_of(naming, naming.prefix, name).empty()) {
      return std::string(name);
    }
  }
  for (const Naming& naming : kNamings) {
    for (const std::string_view alias : naming.aliases) {
      if (const auto rest = member_of(naming, alias, name); !rest.empty()) {
        return std::string(naming.prefix) + std::string(rest);
      }
    }
  }
  return std::string(name);
}

const TensorView* find_tensor(const TensorStore& store, std::string_view canonical_name) {
  if (const TensorView* found = store.find(canonical_name); found != nullptr) {
    return found;
  }
  for (const Naming& naming : kNamings) {
    const auto rest = member_of(naming, naming.prefix, canonical_name);
    for (const std::string_view alias : naming.aliases) {
      if (rest.empty()) {
        continue;
      }
      if (const TensorView* found = store.find(std::string(alias) + std::string(rest));
          found != nullptr) {
        return found;
      }
    }
  }
  return nullptr;
}

void check_tensors(const ModelConfig& config, const TensorStore& store, const LogSink& log) {
  check_tensors(tensor_specs(config), config.name, store, log);
}

void check_tensors(const std::vector<NamedShape>& specs, const std::string& name,
                   const TensorStore& store, const LogSink& log) {
  std::vector<std::string> missing;
  std::vector<std::string> mismatches;
  for (const NamedShape& spec : specs) {
    const TensorView* tensor = find_tensor(store, spec.name);
    if (tensor == nullptr) {
      missing.push_back(describe_missing(store, spec.name));
    } else if (tensor->shape != spec.shape) {
      mismatches.push_back(escape_for_message(tensor->name) + " expected " +
                           shape_text(spec.shape) + ", found " + shape_text(tensor->shape));
    }
  }
  const std::string prefix = "model '" + escape_for_message(name) + "': ";
  if (!missing.empty()) {
    throw Error(ErrorCode::kModel, prefix + list(missing, "missing") +
                                       "; the download is incomplete, or config.json belongs to "
                                       "another model");
  }
  if (!mismatches.empty()) {
    throw Error(ErrorCode::kModel, prefix + list(mismatches, "of another shape") +
                                       "; config.json and weights belong to different models");
  }
  if (const auto extra = find_extra(specs, store); !extra.empty() && log) {
    log(LogLevel::kWarning, prefix + list(extra, "unknown to the configuration are not used"));
  }
}

}  // namespace nolens
