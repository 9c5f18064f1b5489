// What a path given as a model is, and everything that is read from there.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "nolens/config.h"
#include "nolens/log.h"
#include "nolens/tokenizer.h"

#include "engine/chat_choice.h"
#include "formats/tensor_store.h"

namespace nolens {

/// The files a model consists of.
struct ModelFiles {
  std::filesystem::path directory;  ///< of a Hugging Face model; empty for the others
  std::filesystem::path nolens;     ///< the file that is all of it; empty for the others
  std::filesystem::path gguf;       ///< language model, or its first part
  std::filesystem::path mmproj;     ///< embedders of pictures and sound; empty = none
  bool mmproj_was_named = false;    ///< by the caller; otherwise it was found beside the model
};

/// `path` is a Hugging Face directory, a directory with one GGUF language model, a .gguf or a .nolens file. A
/// file beside it with "mmproj" in its name is taken too: the only one, or the one that also bears
/// the model's name. \param mmproj  the file to use instead, empty = look for one \throws
/// Error{kModel} saying what was found, Error{kUsage} for an mmproj that cannot apply
ModelFiles find_model_files(const std::filesystem::path& path,
                            const std::filesystem::path& mmproj = {});

/// A model before anything is computed. The tensors are not compared with the config yet.
struct ModelSource {
  ModelConfig config;
  TensorStore store;
  Tokenizer tokenizer;
  ChatTemplate chat_template;
  std::string format;  ///< for people: "safetensors", "GGUF v3, Q4_K_M"
  /// What the embedding was stored in before it was quantised, where the file says so.
  std::optional<SourceDtype> source_dtype{};
};

/// A projector file that was not named and does not fit is a warning.
/// \throws Error{kModel} naming the file and what is wrong
ModelSource open_model_source(const ModelFiles& files, const LogSink& log);

/// What the numbers of an embedding that is stored like this were before. Quantised ones were bfloat16, as
/// all releases are.
[[nodiscard]] SourceDtype source_dtype_of(const TensorView& embedding);

}  // namespace nolens
