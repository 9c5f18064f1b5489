#include "hub/cache_layout.h"

#include <sys/stat.h>

#include "nolens/hub.h"

#include "hub/disk.h"
#include "hub/names.h"
#include "platform/list_folder.h"

namespace nolens::hub {
namespace {

namespace fs = std::filesystem;

bool is_file_of_size(const fs::path& path, std::int64_t bytes) {
  struct stat status = {};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && status.st_size == bytes;
}

bool ends_in_gguf(const fs::path& path) {
  return path.extension() == ".gguf" && !path.filename().native().starts_with("mmproj");
}

/// The one GGUF file directly in a folder; the folder itself if there are none or several.
fs::path only_gguf_in(const fs::path& folder) {
  fs::path found;
  int error = 0;  // a folder that cannot be read is refused by whoever opens it
  for (const fs::path name : list_folder(folder, error)) {
    if (ends_in_gguf(name)) {
      if (!found.empty()) {
        return folder;
      }
      found = folder / name;
    }
  }
  return found.empty() ? folder : found;
}

}  // namespace

CacheStorage::CacheStorage(fs::path cache, const std::string& repo, std::string revision,
                           std::string commit, bool symlinks)
    : cache_(std::move(cache)),
      repo_folder_(repo_folder_name(repo)),
      revision_(std::move(revision)),
      commit_(std::move(commit)),
      symlinks_(symlinks) {}

fs::path CacheStorage::folder() const {
  return cache_ / repo_folder_ / "snapshots" / commit_;
}

FilePlaces CacheStorage::places(const RepoFile& file, const std::string& blob) const {
  const fs::path blobs = cache_ / repo_folder_ / "blobs";
  return {blobs / blob, blobs / (blob + ".incomplete"),
          cache_ / ".locks" / repo_folder_ / (blob + ".lock"), folder() / file.name};
}

bool CacheStorage::has(const RepoFile& file, const std::string& blob) const {
  const FilePlaces where = places(file, blob);
  return is_file_of_size(where.complete, file.bytes) || is_file_of_size(where.visible, file.bytes);
}

bool CacheStorage::is_occupied(const RepoFile&) const {
  return false;  // names in the cache are the hub's
}

void CacheStorage::publish(const RepoFile& file, const std::string& blob) const {
  const FilePlaces where = places(file, blob);
  if (!is_file_of_size(where.complete, file.bytes)) {
    return;  // the snapshot holds the bytes themselves: a cache without links
  }
  make_folders(where.visible.parent_path());
  const fs::path target = where.complete.lexically_relative(where.visible.parent_path());
  if (symlinks_ && replace_link(where.visible, target)) {
    return;
  }
  std::error_code error;
  fs::rename(where.complete, where.visible, error);
  if (error) {
    throw_disk_error("writing", where.visible, error.value());
  }
}

void CacheStorage::finish() const {
  tag_as_cache(cache_);
  if (revision_ != commit_) {
    replace_text_file(cache_ / repo_folder_ / "refs" / revision_, commit_);
  }
}

}  // namespace nolens::hub

namespace nolens {

std::optional<HubName> parse_hub_name(std::string_view text) {
  const std::size_t colon = text.find(':');
  HubName name{std::string(text.substr(0, colon)), {}};
  if (colon != std::string_view::npos) {
    name.file = text.substr(colon + 1);
    if (hub::file_name_problem(name.file)) {
      return std::nullopt;
    }
  }
  return hub::is_repo_id(name.repo) ? std::optional<HubName>(std::move(name)) : std::nullopt;
}

std::optional<std::filesystem::path> find_in_hub_cache(const HubSettings& settings,
                                                       const HubName& name,
                                                       std::string_view revision) {
  namespace fs = std::filesystem;
  if (!hub::is_repo_id(name.repo) || !hub::is_revision(revision) ||
      (!name.file.empty() && hub::file_name_problem(name.file))) {
    return std::nullopt;
  }
  const fs::path repo = settings.cache / hub::repo_folder_name(name.repo);
  const std::string commit = hub::is_commit_hash(revision)
                                 ? std::string(revision)
                                 : hub::first_line(repo / "refs" / fs::path(revision));
  const fs::path snapshot = repo / "snapshots" / commit;
  std::error_code error;
  if (!hub::is_commit_hash(commit) || !fs::is_directory(snapshot, error)) {
    return std::nullopt;
  }
  if (!name.file.empty()) {
    const fs::path file = snapshot / name.file;
    return fs::is_regular_file(file, error) ? std::optional<fs::path>(file) : std::nullopt;
  }
  return fs::exists(snapshot / "config.json", error) ? snapshot : hub::only_gguf_in(snapshot);
}

}  // namespace nolens
