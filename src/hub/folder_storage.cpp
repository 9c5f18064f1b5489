// FolderStorage: plain files with huggingface_hub's notes beside them (its _local_folder.py).
#include <array>
#include <chrono>
#include <fstream>

#include <sys/stat.h>

#include "hub/cache_layout.h"
#include "hub/digest.h"
#include "hub/disk.h"

namespace nolens::hub {
namespace {

namespace fs = std::filesystem;

/// base64.urlsafe_b64encode(sha1(name)): 20 bytes become 28 letters.
std::string short_hash(const std::string& name) {
  constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const auto digest = make_sha1();
  digest->update(std::as_bytes(std::span(name.data(), name.size())));
  const std::string hex = digest->finish();
  const auto value = [&hex](std::size_t i) -> unsigned {
    if (i >= hex.size()) {
      return 0;
    }
    return static_cast<unsigned>(hex[i] <= '9' ? hex[i] - '0' : hex[i] - 'a' + 10);
  };
  std::string text;
  for (std::size_t i = 0; i < hex.size(); i += 3) {  // three hexadecimal digits are two letters
    const unsigned bits = value(i) << 8U | value(i + 1) << 4U | value(i + 2);
    text += kAlphabet[bits >> 6U];
    text += kAlphabet[bits & 63U];
  }
  text.back() = '=';  // 160 bits fill 26.67 letters: the last of 28 is padding
  return text;
}

double seconds_of(const timespec& time) {
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

FolderStorage::FolderStorage(fs::path folder, std::string commit)
    : folder_(fs::absolute(folder).lexically_normal()), commit_(std::move(commit)) {}

fs::path FolderStorage::metadata_path(const RepoFile& file) const {
  return folder_ / ".cache" / "huggingface" / "download" / (file.name + ".metadata");
}

FilePlaces FolderStorage::places(const RepoFile& file, const std::string& blob) const {
  const fs::path metadata = metadata_path(file);
  fs::path lock = metadata;
  lock.replace_extension(".lock");
  const std::string name = short_hash(metadata.filename().string()) + "." + blob + ".incomplete";
  return {folder_ / file.name, metadata.parent_path() / name, lock, folder_ / file.name};
}

std::string FolderStorage::noted_etag(const RepoFile& file) const {
  std::ifstream notes(metadata_path(file));
  std::string commit;
  std::string etag;
  double time = 0.0;
  struct stat status = {};
  if (!(notes >> commit >> etag >> time) || ::stat((folder_ / file.name).c_str(), &status) != 0) {
    return {};
  }
  // One second of grace, as in huggingface_hub: the notes are written right after the file.
  return S_ISREG(status.st_mode) && seconds_of(status.st_mtim) - 1.0 <= time ? etag : "";
}

bool FolderStorage::has(const RepoFile& file, const std::string& blob) const {
  std::error_code error;
  return noted_etag(file) == blob &&
         fs::file_size(folder_ / file.name, error) == static_cast<std::uintmax_t>(file.bytes) &&
         !error;
}

bool FolderStorage::is_occupied(const RepoFile& file) const {
  std::error_code error;
  const auto type = fs::symlink_status(folder_ / file.name, error).type();
  return type != fs::file_type::not_found && noted_etag(file).empty();
}

void FolderStorage::publish(const RepoFile& file, const std::string& blob) const {
  replace_text_file(metadata_path(file),
                    commit_ + "\n" + blob + "\n" + std::to_string(now_seconds()) + "\n");
}

void FolderStorage::finish() const {
  const fs::path notes = folder_ / ".cache" / "huggingface";
  replace_text_file(notes / ".gitignore", "*");
  tag_as_cache(notes);
}

}  // namespace nolens::hub
