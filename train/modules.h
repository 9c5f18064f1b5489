// The gemma4_unified decoder as a differentiable function: patch embedder, layers, output head.
#pragma once

#include <cstdint>
#include <string>

#include <ATen/ATen.h>

#include "nolens/config.h"

#include "batch.h"
#include "functions.h"
#include "parameters.h"

namespace nolens::train {

/// Training-only parts beside the decoder.
struct HeadOptions {
  bool scaffold = false;     ///< shape, colour and centre from the mean picture row
  bool contrastive = false;  ///< projections, scale and bias
  std::int64_t contrastive_width = 64;
};

/// Parameters of the decoder and of the training-only parts, with the names that published
/// checkpoints use. \throws Error{kUsage} for parts of the configuration the trainer lacks.
std::vector<ParameterSpec> parameter_specs(const ModelConfig& config, const HeadOptions& heads);

class Decoder {
 public:
  /// Keeps references; both must outlive it. `bf16`: see linear().
  Decoder(const ModelConfig& config, const ParameterSet& parameters, bool bf16);

  struct Wanted {
    bool final_prefix = false;   ///< prefix rows after the last layer and final norm
    bool middle_prefix = false;  ///< prefix rows before the last layer
  };
  struct Output {
    at::Tensor answers;  ///< [B * K * S, hidden], after the final norm; undefined without branches
    at::Tensor final_prefix;   ///< [B * P, hidden]
    at::Tensor middle_prefix;  ///< [B * P, hidden]
  };
  [[nodiscard]] Output forward(const Batch& batch, const Wanted& wanted) const;

  /// Rows after the final norm [rows, hidden] -> logits [rows, vocabulary], soft-capped.
  [[nodiscard]] at::Tensor logits(const at::Tensor& rows) const;

 private:
  struct Stream;
  [[nodiscard]] const at::Tensor& weight(const std::string& name) const;
  [[nodiscard]] at::Tensor embed_tokens(const at::Tensor& ids) const;
  [[nodiscard]] at::Tensor embed_patches(const Batch& batch) const;
  void run_layer(std::int64_t index, const Batch& batch, bool prefix_continues, Stream& prefix,
                 Stream& branch) const;
  [[nodiscard]] at::Tensor finish_layer(const std::string& layer, const at::Tensor& x,
                                        const at::Tensor& attention) const;

  const ModelConfig& config_;
  const ParameterSet& parameters_;
  bool bf16_;
  RotaryTable sliding_table_;
  RotaryTable full_table_;
};

}  // namespace nolens::train
