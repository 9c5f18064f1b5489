// What people hand over as a "model" is often something else; the sentences here are for them.
#include "formats/model_directory.h"

#include <algorithm>
#include <array>
#include <system_error>
#include <vector>

#include "nolens/error.h"

#include "core/escape.h"
#include "platform/list_folder.h"
#include "platform/mapped_file.h"
#include "platform/quoted_path.h"

namespace nolens {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxListedNames = 8;
constexpr std::size_t kMaxFileNameBytes = 255;
constexpr std::size_t kMaxReadmeBytes = 4U << 20U;
constexpr std::size_t kMaxLicenceIdBytes = 64;

bool is_inside(const fs::path& file, const fs::path& folder) {
  const auto [folder_end, ignored] =
      std::mismatch(folder.begin(), folder.end(), file.begin(), file.end());
  return folder_end == folder.end();
}

/// Up to kMaxListedNames file names, sorted, for a message.
std::string list_files(const fs::path& directory) {
  int error = 0;  // what is not found is not listed: the sentence is about something else
  std::vector<std::string> names = list_folder(directory, error);
  if (names.empty()) {
    return "it is empty";
  }
  std::sort(names.begin(), names.end());
  std::string list = "it has ";
  for (std::size_t i = 0; i < std::min(names.size(), kMaxListedNames); ++i) {
    list += (i == 0 ? "" : ", ") + escape_for_message(names[i]);
  }
  if (names.size() > kMaxListedNames) {
    list += " and " + std::to_string(names.size() - kMaxListedNames) + " more";
  }
  return list;
}

bool has_extension(const fs::path& directory, std::string_view extension) {
  int error = 0;
  const std::vector<std::string> names = list_folder(directory, error);
  return std::any_of(names.begin(), names.end(),
                     [&](const fs::path& name) { return name.extension() == extension; });
}

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

void check_is_directory(const fs::path& directory) {
  if (directory.native().find('\0') != std::string::npos) {
    throw Error(ErrorCode::kModel, quoted_path(directory) + ": a path may not contain a NUL byte");
  }
  std::error_code error;
  const fs::file_status status = fs::status(directory, error);
  if (status.type() == fs::file_type::not_found) {
    throw Error(ErrorCode::kModel, "model " + quoted_path(directory) +
                                       " does not exist; name the folder that holds config.json "
                                       "and model.safetensors");
  }
  if (status.type() == fs::file_type::none) {
    throw Error(ErrorCode::kModel,
                "model " + quoted_path(directory) + " cannot be read: " + error.message());
  }
  if (status.type() != fs::file_type::directory) {
    throw Error(ErrorCode::kModel,
                "model " + quoted_path(directory) +
                    " is a file; name a .gguf file, or the folder that holds config.json and "
                    "model.safetensors");
  }
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\"'";
  const auto begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) {
    return {};
  }
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

/// `license:` of the YAML block between two "---" lines at the top of a model card.
std::string front_matter_licence(std::string_view readme) {
  constexpr std::string_view kKey = "license:";
  bool first = true;
  while (!readme.empty()) {
    const auto end = std::min(readme.find('\n'), readme.size());
    const std::string_view line = readme.substr(0, end);
    readme.remove_prefix(std::min(end + 1, readme.size()));
    const bool is_fence = trimmed(line) == "---";
    if (first != is_fence) {
      return {};  // no front matter, or its end
    }
    first = false;
    if (line.starts_with(kKey)) {
      return escape_for_message(trimmed(line.substr(kKey.size())), kMaxLicenceIdBytes);
    }
  }
  return {};
}

}  // namespace

std::filesystem::path model_file(const std::filesystem::path& directory, std::string_view name) {
  const auto refuse = [&](const std::string& reason) {
    throw Error(ErrorCode::kModel,
                quoted_path(directory) + ": file '" + escape_for_message(name) + "' " + reason);
  };
  constexpr std::string_view kForbidden("/\\\0", 3);
  if (name.empty() || name == "." || name == ".." || name.size() > kMaxFileNameBytes ||
      name.find_first_of(kForbidden) != std::string_view::npos) {
    refuse("is not a plain file name; files of a model must lie in its folder");
  }
  const fs::path file = directory / name;
  std::error_code error;
  if (!fs::is_symlink(file, error)) {
    return file;
  }
  const fs::path target = fs::canonical(file, error);
  if (error) {
    refuse("is a link that leads nowhere: " + error.message());
  }
  const fs::path folder = fs::canonical(directory, error);
  const bool is_cache_snapshot = folder.parent_path().filename() == "snapshots";
  if (!is_inside(target, folder) &&
      !(is_cache_snapshot && is_inside(target, folder.parent_path().parent_path() / "blobs"))) {
    refuse("is a link out of the model's folder; put the file itself there");
  }
  return file;
}

void check_model_directory(const std::filesystem::path& directory) {
  check_is_directory(directory);
  if (!is_there(directory / "config.json")) {
    throw Error(ErrorCode::kModel, "model folder " + quoted_path(directory) +
                                       " has no config.json; " + list_files(directory));
  }
  if (is_there(directory / "model.safetensors") ||
      is_there(directory / "model.safetensors.index.json")) {
    return;
  }
  if (has_extension(directory, ".bin") || has_extension(directory, ".pt") ||
      has_extension(directory, ".pth")) {
    throw Error(ErrorCode::kModel,
                "model folder " + quoted_path(directory) +
                    " has only PyTorch pickle weights (.bin, .pt); pickle can run code and is "
                    "never read; convert them to safetensors");
  }
  throw Error(ErrorCode::kModel, "model folder " + quoted_path(directory) +
                                     " has no model.safetensors and no "
                                     "model.safetensors.index.json; " +
                                     list_files(directory));
}

std::string read_licence(const std::filesystem::path& directory) {
  if (is_there(directory / "README.md")) {
    const std::string readme =
        read_file(model_file(directory, "README.md"), kMaxReadmeBytes, ErrorCode::kModel);
    if (std::string licence = front_matter_licence(readme); !licence.empty()) {
      return licence;
    }
  }
  constexpr std::array<const char*, 5> kNames{"LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE",
                                              "COPYING"};
  const auto found = std::find_if(kNames.begin(), kNames.end(),
                                  [&](const char* name) { return is_there(directory / name); });
  return found == kNames.end() ? "" : *found;
}

}  // namespace nolens
