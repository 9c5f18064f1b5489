// Two tables: tensors that exist once, and tensors of a layer.
#include "formats/gguf/gguf_names.h"

#include <algorithm>
#include <array>
#include <optional>

namespace nolens {
namespace {

struct Pair {
  std::string_view gguf;
  std::string_view hugging_face;
};

constexpr std::array<Pair, 14> kOnce{{
    {"token_embd.weight", "model.language_model.embed_tokens.weight"},
    {"output_norm.weight", "model.language_model.norm.weight"},
    {"output.weight", "lm_head.weight"},
    {"v.patch_embd.weight", "model.vision_embedder.patch_dense.weight"},
    {"v.patch_embd.bias", "model.vision_embedder.patch_dense.bias"},
    {"v.patch_norm.1.weight", "model.vision_embedder.patch_ln1.weight"},
    {"v.patch_norm.1.bias", "model.vision_embedder.patch_ln1.bias"},
    {"v.patch_norm.2.weight", "model.vision_embedder.patch_ln2.weight"},
    {"v.patch_norm.2.bias", "model.vision_embedder.patch_ln2.bias"},
    {"v.patch_norm.3.weight", "model.vision_embedder.pos_norm.weight"},
    {"v.patch_norm.3.bias", "model.vision_embedder.pos_norm.bias"},
    {"v.position_embd.weight", "model.vision_embedder.pos_embedding"},
    {"mm.input_projection.weight", "model.embed_vision.embedding_projection.weight"},
    {"mm.a.input_projection.weight", "model.embed_audio.embedding_projection.weight"},
}};

constexpr std::string_view kGgufLayers = "blk.";
constexpr std::string_view kHuggingFaceLayers = "model.language_model.layers.";

/// After "blk.<i>." and "model.language_model.layers.<i>.".
constexpr std::array<Pair, 14> kLayer{{
    {"attn_norm.weight", "input_layernorm.weight"},
    {"attn_q.weight", "self_attn.q_proj.weight"},
    {"attn_k.weight", "self_attn.k_proj.weight"},
    {"attn_v.weight", "self_attn.v_proj.weight"},
    {"attn_output.weight", "self_attn.o_proj.weight"},
    {"attn_q_norm.weight", "self_attn.q_norm.weight"},
    {"attn_k_norm.weight", "self_attn.k_norm.weight"},
    {"post_attention_norm.weight", "post_attention_layernorm.weight"},
    {"ffn_norm.weight", "pre_feedforward_layernorm.weight"},
    {"ffn_gate.weight", "mlp.gate_proj.weight"},
    {"ffn_up.weight", "mlp.up_proj.weight"},
    {"ffn_down.weight", "mlp.down_proj.weight"},
    {"post_ffw_norm.weight", "post_feedforward_layernorm.weight"},
    {"layer_output_scale.weight", "layer_scalar"},
}};

constexpr bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

struct LayerName {
  std::string_view index;
  std::string_view rest;
};

/// "<prefix><digits>.<rest>"
std::optional<LayerName> split_layer(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix)) {
    return std::nullopt;
  }
  name.remove_prefix(prefix.size());
  const std::size_t dot = name.find('.');
  if (dot == std::string_view::npos || dot == 0 ||
      !std::all_of(name.begin(), name.begin() + static_cast<std::ptrdiff_t>(dot), is_digit)) {
    return std::nullopt;
  }
  return LayerName{name.substr(0, dot), name.substr(dot + 1)};
}

/// The other name of `name` in the table, "" if it is not there.
template <std::size_t kSize>
std::string_view look_up(const std::array<Pair, kSize>& table, std::string_view name,
                         std::string_view Pair::*from, std::string_view Pair::*to) {
  const auto found = std::find_if(table.begin(), table.end(),
                                  [&](const Pair& pair) { return pair.*from == name; });
  return found != table.end() ? (*found).*to : std::string_view{};
}

std::string translate(std::string_view name, std::string_view from_layers,
                      std::string_view to_layers, std::string_view Pair::*from,
                      std::string_view Pair::*to) {
  if (const auto layer = split_layer(name, from_layers); layer) {
    const std::string_view rest = look_up(kLayer, layer->rest, from, to);
    return rest.empty()
               ? std::string()
               : std::string(to_layers) + std::string(layer->index) + "." + std::string(rest);
  }
  return std::string(look_up(kOnce, name, from, to));
}

}  // namespace

std::string hugging_face_name(std::string_view gguf_name) {
  return translate(gguf_name, kGgufLayers, kHuggingFaceLayers, &Pair::gguf, &Pair::hugging_face);
}

std::string gguf_name(std::string_view hugging_face_name) {
  return translate(hugging_face_name, kHuggingFaceLayers, kGgufLayers, &Pair::hugging_face,
                   &Pair::gguf);
}

}  // namespace nolens
