// Weights in and out of Hugging Face directories.
#pragma once

#include <filesystem>

#include <ATen/ATen.h>

#include "nolens/config.h"

#include "parameters.h"

namespace nolens::train {

/// The configuration of a model directory; with `from_scratch` it need not have weights.
/// \throws Error{kModel}
ModelConfig read_training_config(const std::filesystem::path& directory, bool from_scratch);

/// Copies the weights of `directory` into `parameters`. Training-only parameters keep their values.
/// \throws Error{kModel} if a tensor is missing or has another shape.
void load_weights(const std::filesystem::path& directory, ParameterSet& parameters);

/// Writes a complete model directory: the configuration, tokenizer and template files of `source`,
/// unchanged, and model.safetensors in float32 with `values`, a flat buffer of `parameters`'
/// layout. Training-only parameters are left out. Every file is complete or absent.
void export_model(const std::filesystem::path& source, const std::filesystem::path& directory,
                  const ParameterSet& parameters, const at::Tensor& values);

}  // namespace nolens::train
