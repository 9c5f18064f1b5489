// config.json, generation_config.json and processor files -> ModelConfig, validated.
#pragma once

#include <filesystem>
#include <string>

#include "nolens/config.h"
#include "nolens/log.h"

#include "formats/json.h"

namespace nolens {

/// Reads a Hugging Face directory. Old and new spellings are accepted (docs/model.md). If
/// config.json names no dtype, source_dtype is that of the stored token embedding.
/// \throws Error{kModel} naming the file and the field.
ModelConfig read_model_config(const std::filesystem::path& directory, const LogSink& log = {});

/// The files a configuration is read from, as text; empty = there is none.
struct ConfigDocuments {
  std::string config;      ///< config.json
  std::string generation;  ///< generation_config.json
  std::string processor;   ///< processor_config.json or preprocessor_config.json
  std::string name;        ///< of the model, for people
  std::string licence;
};
/// \throws Error{kModel} if `directory` is none of a model, or a file is too large
ConfigDocuments read_config_documents(const std::filesystem::path& directory);
/// \param fallback  source_dtype if config.json names none
ModelConfig model_config_from_documents(const ConfigDocuments& documents, SourceDtype fallback,
                                        const LogSink& log = {});

/// The same from parsed documents; `generation` and `processor` may be null. `name` is for
/// messages.
///
/// Beyond the published fields, variants are described by fields of our own, all optional:
///   vision_config.patch_ln1, .patch_bias, .patch_ln2, .pos_norm, .embedding_projection: booleans,
///     true if absent; a step that is false does not exist in the model
///   vision_config.position_embedding: "learned" (if absent), "sinusoidal" or "none"
///   processor: "do_resize_to_fixed": true with "size": {"height": …, "width": …} makes every
///     picture that size, instead of scaling it to max_soft_tokens
/// If config names no dtype, source_dtype is kFloat32.
ModelConfig model_config_from_json(const Json& config, const Json& generation,
                                   const Json& processor, const std::string& name);

/// Checks every relation between fields. Afterwards no product of sizes that the engine forms, in
/// bytes and over all layers, exceeds 2^62. \throws Error{kModel} naming the field.
void validate(const ModelConfig& config, const std::string& name);

}  // namespace nolens
