// A tiny model's metadata that a test may change, and files made of it.
#pragma once

#include <filesystem>
#include <string>

#include "formats/gguf/gguf_set.h"
#include "formats/gguf_bytes.h"
#include "formats/temporary_folder.h"

namespace nolens::testing {

inline constexpr std::uint32_t kF32Id = 0;

/// gemma4 with two layers, 32 wide. Only the tensors that the config is read from.
inline GgufBytes gemma4_bytes() {
  GgufBytes file;
  auto& keys = file.keys;
  keys["general.architecture"] = value_text("gemma4");
  keys["gemma4.block_count"] = value_u32(2);
  keys["gemma4.context_length"] = value_u32(4096);
  keys["gemma4.embedding_length"] = value_u32(32);
  keys["gemma4.feed_forward_length"] = value_u32(64);
  keys["gemma4.attention.head_count"] = value_u32(4);
  keys["gemma4.attention.head_count_kv"] = value_numbers<std::int32_t>(GgufType::kI32, {2, 1});
  keys["gemma4.attention.key_length"] = value_u32(16);
  keys["gemma4.attention.value_length"] = value_u32(16);
  keys["gemma4.attention.key_length_swa"] = value_u32(8);
  keys["gemma4.attention.value_length_swa"] = value_u32(8);
  keys["gemma4.attention.layer_norm_rms_epsilon"] = value_f32(1e-6F);
  keys["gemma4.attention.sliding_window"] = value_u32(64);
  keys["gemma4.attention.sliding_window_pattern"] =
      value_numbers<std::uint8_t>(GgufType::kBool, {1, 0});
  keys["gemma4.attention.shared_kv_layers"] = value_u32(0);
  keys["gemma4.embedding_length_per_layer_input"] = value_u32(0);
  keys["gemma4.final_logit_softcapping"] = value_f32(30.0F);
  keys["gemma4.rope.freq_base"] = value_f32(1e6F);
  keys["gemma4.rope.freq_base_swa"] = value_f32(1e4F);
  keys["gemma4.rope.dimension_count"] = value_u32(16);
  keys["gemma4.rope.dimension_count_swa"] = value_u32(8);
  keys["tokenizer.ggml.model"] = value_text("gemma4");
  keys["tokenizer.ggml.tokens"] =
      value_texts({"<pad>", "<eos>", "<bos>", "<unk>", "<turn|>", "<|image|>", "<image|>", "a"});
  keys["tokenizer.ggml.eos_token_id"] = value_u32(4);
  keys["tokenizer.ggml.bos_token_id"] = value_u32(2);
  keys["tokenizer.ggml.padding_token_id"] = value_u32(0);
  file.add_tensor("token_embd.weight", {32, 8}, kF32Id, 0);
  file.add_tensor("blk.0.attn_v.weight", {32, 16}, kF32Id, 1024);
  file.add_tensor("blk.0.layer_output_scale.weight", {1}, kF32Id, 3072);
  file.add_tensor("rope_freqs.weight", {8}, kF32Id, 3104);
  file.data = std::string(3104, '\0');
  for (const float divisor : {1.0F, 1.0F, 1e30F, 1e30F, 1e30F, 1e30F, 1e30F, 1e30F}) {
    file.data += raw(divisor);
  }
  return file;
}

/// Embedders for gemma4_bytes(): patches of 2 * 3 pixels, 12 rows of positions, 20 samples a frame.
inline GgufBytes mmproj_bytes() {
  GgufBytes file;
  auto& keys = file.keys;
  keys["general.architecture"] = value_text("clip");
  keys["clip.has_vision_encoder"] = value_bool(1);
  keys["clip.has_audio_encoder"] = value_bool(1);
  keys["clip.vision.projector_type"] = value_text("gemma4uv");
  keys["clip.vision.projection_dim"] = value_u32(32);
  keys["clip.vision.image_size"] = value_u32(224);
  keys["clip.vision.patch_size"] = value_u32(2);
  keys["clip.vision.embedding_length"] = value_u32(48);
  keys["clip.vision.feed_forward_length"] = value_u32(0);
  keys["clip.vision.block_count"] = value_u32(0);
  keys["clip.vision.attention.head_count"] = value_u32(0);
  keys["clip.vision.attention.layer_norm_epsilon"] = value_f32(1e-6F);
  keys["clip.vision.image_mean"] = value_numbers<float>(GgufType::kF32, {0, 0, 0});
  keys["clip.vision.image_std"] = value_numbers<float>(GgufType::kF32, {1, 1, 1});
  keys["clip.audio.projector_type"] = value_text("gemma4ua");
  keys["clip.audio.projection_dim"] = value_u32(32);
  keys["clip.audio.num_mel_bins"] = value_u32(128);
  keys["clip.audio.attention.layer_norm_epsilon"] = value_f32(1e-6F);
  file.add_tensor("v.position_embd.weight", {48, 400, 2}, kF32Id, 0);
  file.add_tensor("mm.a.input_projection.weight", {20, 32}, kF32Id, 153'600);
  file.data = std::string(153'600 + 2560, '\0');
  return file;
}

inline GgufSet open_bytes(const TemporaryFolder& folder, const std::string& name,
                          const GgufBytes& bytes) {
  return GgufSet::open(folder.add(name, bytes.str()));
}

}  // namespace nolens::testing
