// Where the things that come with the program are.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace nolens::cli {

/// Folder of the running program.
std::filesystem::path program_folder();

/// A file or folder of the source tree, such as "models/nolens-tiny": beside the installed program
/// (../share/nolens), or in the tree the program was built from.
std::optional<std::filesystem::path> find_bundled(const std::string& relative);

/// The model to use: a path, or the name of one in the hub cache (ORG/NAME[:FILE]). Without
/// `given`, the bundled one, and one line on stderr says what it is. \throws Error{kModel} if there
/// is none.
std::filesystem::path choose_model(const std::string& given);

}  // namespace nolens::cli
