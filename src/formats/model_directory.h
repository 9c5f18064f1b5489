// A model directory on disk: what is in it, and which of its files may be opened.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace nolens {

/// Path of the file `name` of a model directory. The name must be plain (no separator, no ".."),
/// and the file, links followed, must lie in the directory; the Hugging Face cache layout, where
/// snapshots/<revision>/ links into blobs/ of the same repository, is accepted too. A file that
/// does not exist is no error here. \throws Error{kModel} naming the directory and the file.
std::filesystem::path model_file(const std::filesystem::path& directory, std::string_view name);

/// Checks that `directory` is one a model can be loaded from: it exists, is a directory and has a
/// config.json and safetensors weights.
/// \throws Error{kModel} saying what was found instead and what to do.
void check_model_directory(const std::filesystem::path& directory);

/// SPDX id from the front matter of README.md, else the name of a licence file, else "".
std::string read_licence(const std::filesystem::path& directory);

}  // namespace nolens
