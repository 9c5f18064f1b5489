// Where things lie on the disk: huggingface_hub's cache and its local folders.
//
//   CACHE/models--ORG--NAME/blobs/ETAG                    the bytes
//   CACHE/models--ORG--NAME/blobs/ETAG.incomplete         what has arrived so far
//   CACHE/models--ORG--NAME/snapshots/COMMIT/FILE         -> ../../blobs/ETAG
//   CACHE/models--ORG--NAME/refs/REVISION                 COMMIT
//   CACHE/.locks/models--ORG--NAME/ETAG.lock
//
//   OUT/FILE                                              the bytes
//   OUT/.cache/huggingface/download/FILE.metadata         COMMIT, ETAG, time
//   OUT/.cache/huggingface/download/HASH.ETAG.incomplete  HASH of the metadata file's name
//   OUT/.cache/huggingface/download/FILE.lock
#pragma once

#include <filesystem>
#include <string>

#include "hub/tree.h"

namespace nolens::hub {

struct FilePlaces {
  std::filesystem::path complete;
  std::filesystem::path incomplete;
  std::filesystem::path lock;
  std::filesystem::path visible;  ///< the name a program opens; `complete` itself in a plain folder
};

/// How one pull stores its files.
class Storage {
 public:
  virtual ~Storage() = default;
  /// The folder in which the files have their names.
  [[nodiscard]] virtual std::filesystem::path folder() const = 0;
  [[nodiscard]] virtual FilePlaces places(const RepoFile& file, const std::string& blob) const = 0;
  /// The file is there and is the one with this content, as far as can be told without reading it.
  [[nodiscard]] virtual bool has(const RepoFile& file, const std::string& blob) const = 0;
  /// Something of unknown origin lies where the file is to go.
  [[nodiscard]] virtual bool is_occupied(const RepoFile& file) const = 0;
  /// Makes the complete file visible. \throws Error{kResource}
  virtual void publish(const RepoFile& file, const std::string& blob) const = 0;
  /// All files are there.
  virtual void finish() const = 0;
};

/// The shared cache.
class CacheStorage final : public Storage {
 public:
  CacheStorage(std::filesystem::path cache, const std::string& repo, std::string revision,
               std::string commit, bool symlinks);
  [[nodiscard]] std::filesystem::path folder() const override;
  [[nodiscard]] FilePlaces places(const RepoFile& file, const std::string& blob) const override;
  [[nodiscard]] bool has(const RepoFile& file, const std::string& blob) const override;
  [[nodiscard]] bool is_occupied(const RepoFile& file) const override;
  void publish(const RepoFile& file, const std::string& blob) const override;
  void finish() const override;

 private:
  std::filesystem::path cache_;
  std::string repo_folder_;
  std::string revision_;
  std::string commit_;
  bool symlinks_;
};

/// A plain folder (--out).
class FolderStorage final : public Storage {
 public:
  FolderStorage(std::filesystem::path folder, std::string commit);
  [[nodiscard]] std::filesystem::path folder() const override { return folder_; }
  [[nodiscard]] FilePlaces places(const RepoFile& file, const std::string& blob) const override;
  [[nodiscard]] bool has(const RepoFile& file, const std::string& blob) const override;
  [[nodiscard]] bool is_occupied(const RepoFile& file) const override;
  void publish(const RepoFile& file, const std::string& blob) const override;
  void finish() const override;

 private:
  [[nodiscard]] std::filesystem::path metadata_path(const RepoFile& file) const;
  /// The ETag noted for the file, "" if there is none or the file was changed since.
  [[nodiscard]] std::string noted_etag(const RepoFile& file) const;

  std::filesystem::path folder_;
  std::string commit_;
};

}  // namespace nolens::hub
