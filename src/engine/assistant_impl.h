// What an Assistant holds; private to the engine.
#pragma once

#include <memory>
#include <vector>

#include "nolens/assistant.h"

#include "decoder/decoder.h"
#include "decoder/decoder_weights.h"
#include "formats/assistant_config.h"
#include "formats/tensor_store.h"

namespace nolens {

struct Assistant::Impl {
  std::shared_ptr<const Model> target;
  AssistantConfig config;
  TensorStore store;
  DecoderWeights weights;
  WeightMatrix pre_projection;             ///< [D, 2 * target's hidden_size]
  WeightMatrix post_projection;            ///< [target's hidden_size, D]
  std::vector<std::size_t> target_layers;  ///< whose keys and values each layer reads
  std::unique_ptr<Decoder> decoder;  ///< one step at a time: hold the mutex of the target's runtime

  Impl(std::shared_ptr<const Model> target_model, AssistantConfig assistant_config,
       TensorStore tensor_store)
      : target(std::move(target_model)),
        config(std::move(assistant_config)),
        store(std::move(tensor_store)) {}
};

}  // namespace nolens
