// A model out of a .nolens file.
#pragma once

#include <filesystem>

#include "nolens/log.h"
#include "nolens/tokenizer.h"

#include "engine/model_source.h"
#include "formats/nolens_file.h"

namespace nolens {

/// Everything but the weights is read from the same documents as from the model it was made of.
/// \throws Error{kModel} naming the file and what is wrong
ModelSource open_nolens(const std::filesystem::path& path, const LogSink& log);

/// \throws Error{kModel}
Tokenizer nolens_tokenizer(const NolensFile& file);

/// Metadata of .nolens files -> SourceDtype and back. \throws Error{kModel} for an unknown name
[[nodiscard]] SourceDtype source_dtype_named(const std::string& name, const std::string& file);
[[nodiscard]] const char* source_dtype_name(SourceDtype dtype) noexcept;

}  // namespace nolens
