// What a Model holds; private to the engine.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "decoder/decoder.h"
#include "decoder/decoder_weights.h"
#include "embed/audio_embedder.h"
#include "embed/image_embedder.h"
#include "embed/token_embedder.h"
#include "engine/kv_choice.h"
#include "engine/pack_weights.h"
#include "formats/tensor_store.h"
#include "kernels/kernels.h"
#include "nolens/model.h"
#include "platform/thread_pool.h"

namespace nolens {

/// The parts that compute. They share buffers, so one step runs at a time: hold `mutex`.
struct Runtime {
  std::mutex mutex;
  ThreadPool pool;
  std::unique_ptr<Kernels> kernels;
  std::unique_ptr<Decoder> decoder;
  std::unique_ptr<TokenEmbedder> token_embedder;
  std::unique_ptr<ImageEmbedder> image_embedder;  ///< null if the model takes no pictures
  std::unique_ptr<AudioEmbedder> audio_embedder;  ///< null if the model takes no sound

  /// `cpus` as ThreadPool has them.
  Runtime(int num_threads, std::span<const int> cpus) : pool(num_threads, cpus) {}
};

struct Model::Impl {
  ModelConfig config;
  std::string format;  ///< of the files
  bool exact = false;
  ChatFamily chat_family = ChatFamily::kGemma4;
  Tokenizer tokenizer;
  TensorStore store;
  PackedWeights packed;
  DecoderWeights weights;
  ImageEmbedderWeights image_weights;
  std::vector<TokenId> stop_tokens;        ///< any of them ends an answer
  std::vector<TokenId> suppressed_tokens;  ///< never sampled
  std::vector<bool> hidden_tokens;         ///< [vocab_size] control tokens without text for people
  std::unique_ptr<Runtime> runtime;

  Impl(ModelConfig model_config, Tokenizer model_tokenizer, TensorStore tensor_store)
      : config(std::move(model_config)),
        tokenizer(std::move(model_tokenizer)),
        store(std::move(tensor_store)) {}

  /// \throws Error{kUsage} if an exact model is asked for less than float32.
  [[nodiscard]] KvType kv_type(KvCacheType wanted = KvCacheType::kAuto) const {
    return choose_kv_type(config, exact, wanted);
  }
};

}  // namespace nolens
