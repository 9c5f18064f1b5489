#include "hub/tree.h"

#include <algorithm>
#include <optional>

#include "nolens/error.h"

#include "core/checked_math.h"
#include "core/escape.h"
#include "formats/json.h"
#include "hub/names.h"

namespace nolens::hub {
namespace {

constexpr JsonLimits kLimits{.max_bytes = kMaxPageBytes, .max_depth = 32, .max_values = 1U << 20U};
// Folders are listed too.
constexpr std::size_t kMaxEntries = 2 * kMaxFiles;

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorCode::kInput, "the hub's file list " + what + "; nothing was written");
}

std::string text_or_empty(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::optional<std::int64_t> count_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number_integer()) {
    return std::nullopt;
  }
  // Numbers above the signed range are stored unsigned and come out negative.
  const auto value = found->get<std::int64_t>();
  return value < 0 ? std::nullopt : std::optional<std::int64_t>(value);
}

RepoFile parse_file(const Json& entry) {
  RepoFile file;
  file.name = text_or_empty(entry, "path");
  if (const auto problem = file_name_problem(file.name)) {
    refuse("names '" + escape_for_message(file.name) + "', which " + *problem);
  }
  const auto lfs = entry.find("lfs");
  const bool is_large = lfs != entry.end() && lfs->is_object();
  const auto bytes = count_of(is_large ? *lfs : entry, "size");
  if (!bytes) {
    refuse("gives no size for '" + escape_for_message(file.name) + "'");
  }
  file.bytes = *bytes;
  file.blob_id = text_or_empty(entry, "oid");
  if (!is_commit_hash(file.blob_id)) {
    file.blob_id.clear();
  }
  if (is_large) {
    file.sha256 = text_or_empty(*lfs, "oid");
    if (!is_sha256(file.sha256)) {
      refuse("gives no SHA-256 for '" + escape_for_message(file.name) + "'");
    }
  }
  return file;
}

}  // namespace

std::string parse_commit(std::string_view json) {
  const Json document = parse_json(json, "the hub's answer", ErrorCode::kInput, kLimits);
  std::string commit = document.is_object() ? text_or_empty(document, "sha") : std::string();
  if (!is_commit_hash(commit)) {
    throw Error(
        ErrorCode::kInput,
        "the hub's answer names no commit of 40 hexadecimal digits in 'sha'; is HF_ENDPOINT "
        "the address of a hub?");
  }
  return commit;
}

bool RepoTree::add_page(std::string_view json) {
  const Json page = parse_json(json, "the hub's file list", ErrorCode::kInput, kLimits);
  if (!page.is_array()) {
    refuse("is no JSON array");
  }
  entries_ += page.size();
  if (entries_ > kMaxEntries) {
    refuse("has more than " + std::to_string(kMaxEntries) + " entries");
  }
  for (const Json& entry : page) {
    if (!entry.is_object()) {
      refuse("has an entry that is no object");
    }
    if (text_or_empty(entry, "type") != "file") {
      continue;
    }
    RepoFile file = parse_file(entry);
    const auto total = checked_add(total_bytes_, file.bytes);
    if (!total || files_.size() == kMaxFiles) {
      refuse(total ? "has more than " + std::to_string(kMaxFiles) + " files"
                   : "has sizes that cannot be added up");
    }
    total_bytes_ = *total;
    files_.push_back(std::move(file));
  }
  return !page.empty();
}

std::vector<RepoFile> RepoTree::finish() {
  std::vector<std::string> names;
  for (const RepoFile& file : files_) {
    names.push_back(file.name);
  }
  std::sort(names.begin(), names.end());
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0 && names[i] == names[i - 1]) {
      refuse("names '" + escape_for_message(names[i]) + "' twice");
    }
    // Between "a" and "a/b" may stand "a.txt", so the neighbour alone does not tell.
    const auto inside = std::lower_bound(names.begin(), names.end(), names[i] + "/");
    if (inside != names.end() && inside->starts_with(names[i] + "/")) {
      refuse("names '" + escape_for_message(names[i]) + "' as a file and as a folder");
    }
  }
  std::sort(files_.begin(), files_.end(),
            [](const RepoFile& a, const RepoFile& b) { return a.name < b.name; });
  return std::move(files_);
}

}  // namespace nolens::hub
