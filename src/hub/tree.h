// What the hub says about a repository: the commit of a revision and the list of its files.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace nolens::hub {

inline constexpr std::size_t kMaxFiles = 10'000;
inline constexpr std::size_t kMaxPageBytes = 16U << 20U;

struct RepoFile {
  std::string name;  ///< a safe relative path
  std::int64_t bytes = 0;
  std::string blob_id;  ///< git's SHA-1 of what git stores; "" if absent
  std::string sha256;   ///< of the content, for files in large-file storage; else ""
};

/// The commit from GET /api/models/REPO/revision/REV. \throws Error{kInput}
[[nodiscard]] std::string parse_commit(std::string_view json);

/// Collects the pages of GET /api/models/REPO/tree/REV?recursive=true.
class RepoTree {
 public:
  /// \throws Error{kInput} for JSON that is no such page, a name that is no safe path, more than
  /// 10,000
  ///         files, or sizes that cannot be added up.
  /// \return whether the page has entries
  bool add_page(std::string_view json);
  /// In order of names. \throws Error{kInput} for a name given twice, or a file that is also a
  /// folder.
  [[nodiscard]] std::vector<RepoFile> finish();

 private:
  std::vector<RepoFile> files_;
  std::size_t entries_ = 0;
  std::int64_t total_bytes_ = 0;
};

}  // namespace nolens::hub
