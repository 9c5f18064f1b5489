// The directory a model is written into: whole, or as it was before.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "platform/folder_lock.h"

namespace nolens {

/// A new or empty directory, which no other process writes meanwhile. Removes what was written in
/// it unless keep() is called. The caller writes config.json last: a directory without it is no
/// model.
class OutputDirectory {
 public:
  /// Makes the directory if need be. One that holds nothing but the remains of a killed run counts
  /// as empty. \throws Error{kUsage, kResource}
  explicit OutputDirectory(std::filesystem::path path);
  ~OutputDirectory();
  OutputDirectory(const OutputDirectory&) = delete;
  OutputDirectory& operator=(const OutputDirectory&) = delete;

  /// Path of a file that is about to be written.
  std::filesystem::path add(const std::string& name);
  void keep() noexcept;
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  struct Unopened {};
  OutputDirectory(std::filesystem::path path, Unopened /*tag*/);
  void make();
  void take_over();

  std::filesystem::path path_;
  std::optional<FolderLock> lock_;
  std::vector<std::string> files_;
  bool is_new_ = false;
};

}  // namespace nolens
