// What is in a folder.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace nolens {

/// Names in `folder`, in no order; `error` is 0 or an errno value, and the names are those found
/// until then. Unlike the directory_iterator of libstdc++, which ends the program, it throws
/// std::bad_alloc.
std::vector<std::string> list_folder(const std::filesystem::path& folder, int& error);

}  // namespace nolens
