#include "hub/names.h"

#include <algorithm>

namespace nolens::hub {
namespace {

constexpr std::size_t kMaxRepoPart = 96;
constexpr std::size_t kMaxRevision = 200;
constexpr std::size_t kMaxFileName = 1024;
// Beside a file stand names with suffixes such as ".metadata", and file systems allow 255 bytes.
constexpr std::size_t kMaxFilePart = 240;
constexpr std::size_t kMaxEtag = 128;

bool is_letter(char letter) {
  return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
}

bool is_word(char letter) {
  return is_letter(letter) || (letter >= '0' && letter <= '9') || letter == '_';
}

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char letter) {
    return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'f');
  });
}

bool is_control(char letter) {
  const auto byte = static_cast<unsigned char>(letter);
  return byte < 0x20 || byte == 0x7F;
}

bool is_repo_part(std::string_view part) {
  return !part.empty() && part.size() <= kMaxRepoPart && is_word(part.front()) &&
         is_word(part.back()) && std::all_of(part.begin(), part.end(), [](char letter) {
           return is_word(letter) || letter == '-' || letter == '.';
         });
}

std::optional<std::string> part_problem(std::string_view part) {
  if (part.empty()) {
    return "has an empty part";
  }
  if (part == "." || part == "..") {
    return "has the part '" + std::string(part) + "'";
  }
  if (part.size() > kMaxFilePart) {
    return "has a part longer than " + std::to_string(kMaxFilePart) + " bytes";
  }
  if (part.size() >= 2 && is_letter(part[0]) && part[1] == ':') {
    return "names a drive";
  }
  return std::nullopt;
}

}  // namespace

bool is_repo_id(std::string_view text) {
  if (text.find("--") != std::string_view::npos || text.find("..") != std::string_view::npos ||
      text.ends_with(".git")) {
    return false;
  }
  const std::size_t slash = text.find('/');
  return slash == std::string_view::npos
             ? is_repo_part(text)
             : is_repo_part(text.substr(0, slash)) && is_repo_part(text.substr(slash + 1));
}

bool is_revision(std::string_view text) {
  return text.size() <= kMaxRevision && !file_name_problem(text) &&
         text.find_first_of(" ~^:?*[") == std::string_view::npos;
}

bool is_commit_hash(std::string_view text) {
  return text.size() == 40 && is_hex(text);
}

bool is_sha256(std::string_view text) {
  return text.size() == 64 && is_hex(text);
}

std::optional<std::string> file_name_problem(std::string_view name) {
  if (name.empty() || name.size() > kMaxFileName) {
    return "is empty or longer than " + std::to_string(kMaxFileName) + " bytes";
  }
  if (std::any_of(name.begin(), name.end(), is_control)) {
    return "has control characters";
  }
  if (name.find('\\') != std::string_view::npos) {
    return "has a backslash";
  }
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find('/', begin), name.size());
    if (auto problem = part_problem(name.substr(begin, end - begin))) {
      return problem;
    }
    begin = end + 1;
  }
  return std::nullopt;
}

std::string repo_folder_name(std::string_view repo) {
  std::string name = "models--";
  for (const char letter : repo) {
    name += letter == '/' ? std::string("--") : std::string(1, letter);
  }
  return name;
}

std::optional<std::string> blob_name_from_etag(std::string_view etag) {
  // As huggingface_hub's _normalize_etag: lstrip("W/"), strip('"').
  while (!etag.empty() && (etag.front() == 'W' || etag.front() == '/')) {
    etag.remove_prefix(1);
  }
  while (!etag.empty() && etag.front() == '"') {
    etag.remove_prefix(1);
  }
  while (!etag.empty() && etag.back() == '"') {
    etag.remove_suffix(1);
  }
  const bool fits = !etag.empty() && etag.size() <= kMaxEtag && etag.front() != '.' &&
                    std::all_of(etag.begin(), etag.end(), [](char letter) {
                      return is_word(letter) || letter == '-' || letter == '.';
                    });
  return fits ? std::optional<std::string>(etag) : std::nullopt;
}

}  // namespace nolens::hub
