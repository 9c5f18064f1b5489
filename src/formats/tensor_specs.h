// Which tensors a model of a configuration has, and under which names they may be stored.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "nolens/config.h"
#include "nolens/log.h"

#include "formats/tensor_store.h"

namespace nolens {

struct NamedShape {
  std::string name;  ///< as stored in the published checkpoint
  std::vector<std::int64_t> shape;
};

/// Whose keys and values the layers of a decoder read.
enum class KeySource : std::uint8_t {
  kOwn,
  kBorrowed,  ///< those in the cache of another decoder: there are no projections for them
};

/// Every tensor of a model with this (validated) configuration: embedding, layers in order, final
/// norm, lm_head if not tied, vision, audio.
std::vector<NamedShape> tensor_specs(const ModelConfig& config, KeySource keys = KeySource::kOwn);

/// Sum of the elements of all tensors.
std::int64_t count_parameters(const std::vector<NamedShape>& tensors);

/// Stored name of a tensor that another tool named differently: Hugging Face's in-memory names
/// (model.embed_vision.patch_dense…), and text models saved alone (model.layers…) or with the parts
/// of the prefix swapped (language_model.model.layers…). Unknown names are returned unchanged.
std::string canonical_tensor_name(std::string_view name);

/// The tensor with this canonical name under any of its namings, nullptr if there is none.
const TensorView* find_tensor(const TensorStore& store, std::string_view canonical_name);

/// Compares a checkpoint with tensor_specs(config): names and shapes. Extra tensors are one
/// warning. \throws Error{kModel} listing what is missing, or the first mismatches (name, expected,
/// found).
void check_tensors(const ModelConfig& config, const TensorStore& store, const LogSink& log);
/// The same of other models; `name` is for messages.
void check_tensors(const std::vector<NamedShape>& specs, const std::string& name,
                   const TensorStore& store, const LogSink& log);

}  // namespace nolens
