// Which files of a repository a pull fetches.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "hub/tree.h"

namespace nolens::hub {

/// Python's fnmatch.fnmatchcase without character classes being special in names: '*' any run, also
/// across '/'; '?' one byte; [abc], [a-z], [!a] one of a set. Linear in each '*', never recursive.
[[nodiscard]] bool matches_glob(std::string_view glob, std::string_view name);

struct Selection {
  std::vector<RepoFile> chosen;
  std::vector<RepoFile> left_out;
  std::vector<std::string> mmproj_beside;  ///< filled when GGUF files are chosen
};

/// \param file     one file, or a tag that one GGUF file's name ends with; "" = the model
/// \param include  globs instead of the built-in choice; ignored with `file`
/// \throws Error{kInput} if nothing fits, or a tag fits several files
[[nodiscard]] Selection select_files(std::vector<RepoFile> files, const std::string& file,
                                     const std::vector<std::string>& include,
                                     const std::string& repo);

}  // namespace nolens::hub
