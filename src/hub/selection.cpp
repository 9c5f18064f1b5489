#include "hub/selection.h"

#include <algorithm>
#include <array>
#include <functional>
#include <optional>

#include "nolens/error.h"

#include "core/escape.h"

namespace nolens::hub {
namespace {

constexpr std::size_t kMaxNamesShown = 12;

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& letter : result) {
    letter = letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  }
  return result;
}

std::string_view base_name(std::string_view name) {
  return name.substr(name.rfind('/') + 1);  // npos + 1 is 0
}

bool is_gguf(const RepoFile& file) {
  return lower(file.name).ends_with(".gguf");
}

bool is_mmproj(const RepoFile& file) {
  return is_gguf(file) && lower(base_name(file.name)).starts_with("mmproj");
}

bool is_main_gguf(const RepoFile& file) {
  return is_gguf(file) && !is_mmproj(file);
}

/// Safetensors that hold the same weights a second time, in the layout of the original authors.
bool is_consolidated(const RepoFile& file) {
  return file.name.starts_with("consolidated") && file.name.ends_with(".safetensors");
}

/// What a model folder needs, and the papers that belong to it.
bool belongs_to_model(const RepoFile& file) {
  static constexpr std::array<std::string_view, 5> kEndings = {".safetensors", ".json", ".jinja",
                                                               ".model", ".txt"};
  static constexpr std::array<std::string_view, 4> kPapers = {"readme", "license", "licence",
                                                              "notice"};
  const auto ends = [&file](std::string_view ending) { return file.name.ends_with(ending); };
  if (file.name.starts_with("additional_chat_templates/")) {
    return ends(".jinja");
  }
  if (file.name.find('/') != std::string::npos) {
    return false;
  }
  const std::string name = lower(file.name);
  return std::any_of(kEndings.begin(), kEndings.end(), ends) ||
         std::any_of(kPapers.begin(), kPapers.end(),
                     [&name](std::string_view paper) { return name.starts_with(paper); });
}

std::string list_of(const std::vector<RepoFile>& files, bool (*shown)(const RepoFile&)) {
  std::string text;
  std::size_t count = 0;
  for (const RepoFile& file : files) {
    if (shown(file) && count++ < kMaxNamesShown) {
      text += (text.empty() ? "" : ", ") + escape_for_message(file.name);
    }
  }
  return text + (count > kMaxNamesShown ? " and more" : "");
}

bool any_file(const RepoFile&) {
  return true;
}

/// "Q4_K_M" fits "gemma-Q4_K_M.gguf", not "gemma-IQ4_K_M.gguf".
bool has_tag(const RepoFile& file, const std::string& tag) {
  const std::string name = lower(base_name(file.name));
  const std::string ending = lower(tag) + ".gguf";
  if (!is_main_gguf(file) || !name.ends_with(ending)) {
    return false;
  }
  const std::size_t before = name.size() - ending.size();
  return before == 0 || std::string_view("-._").find(name[before - 1]) != std::string_view::npos;
}

std::function<bool(const RepoFile&)> choose_one(const std::vector<RepoFile>& files,
                                                const std::string& wanted,
                                                const std::string& repo) {
  std::vector<RepoFile> found;
  for (const RepoFile& file : files) {
    if (file.name == wanted) {
      return [wanted](const RepoFile& candidate) { return candidate.name == wanted; };
    }
    if (has_tag(file, wanted)) {
      found.push_back(file);
    }
  }
  if (found.size() == 1) {
    return [name = found[0].name](const RepoFile& candidate) { return candidate.name == name; };
  }
  const std::string shown = "'" + escape_for_message(wanted) + "'";
  if (found.size() > 1) {
    throw Error(ErrorCode::kInput, repo + ": the tag " + shown + " fits several files: " +
                                       list_of(found, any_file) + "; name one of them in full");
  }
  const bool has_gguf = std::any_of(files.begin(), files.end(), is_main_gguf);
  throw Error(ErrorCode::kInput, repo + " has no file " + shown + "; it holds " +
                                     list_of(files, has_gguf ? is_main_gguf : any_file));
}

std::function<bool(const RepoFile&)> choose_model_files(const std::vector<RepoFile>& files,
                                                        const std::string& repo) {
  const auto is_weights = [](const RepoFile& file) {
    return belongs_to_model(file) && file.name.ends_with(".safetensors") && !is_consolidated(file);
  };
  if (std::any_of(files.begin(), files.end(), is_weights)) {
    return [](const RepoFile& file) { return belongs_to_model(file) && !is_consolidated(file); };
  }
  if (std::any_of(files.begin(), files.end(), is_consolidated)) {
    return belongs_to_model;
  }
  const auto count = std::count_if(files.begin(), files.end(), is_main_gguf);
  if (count == 1) {
    return [](const RepoFile& file) { return is_main_gguf(file) || belongs_to_model(file); };
  }
  if (count > 1) {
    throw Error(ErrorCode::kInput, repo +
                                       " holds several GGUF files; name one, such as nolens pull " +
                                       repo + ":FILE: " + list_of(files, is_main_gguf));
  }
  throw Error(ErrorCode::kInput,
              repo +
                  " holds no safetensors or GGUF files, the formats nolens reads; --include GLOB "
                  "fetches other files. It holds " +
                  list_of(files, any_file));
}

std::function<bool(const RepoFile&)> choose_by_globs(const std::vector<std::string>& globs) {
  return [globs](const RepoFile& file) {
    return std::any_of(globs.begin(), globs.end(), [&file](const std::string& glob) {
      return matches_glob(glob.ends_with('/') ? glob + "*" : glob, file.name);
    });
  };
}

/// [abc] at the beginning of `glob`: whether it holds `letter`, and where it ends.
struct SetMatch {
  bool holds = false;
  std::size_t end = 0;
};
std::optional<SetMatch> match_set(std::string_view glob, char letter) {
  const bool negated = glob.size() > 1 && glob[1] == '!';
  const std::size_t begin = negated ? 2 : 1;
  // A bracket right behind the opening one is a member.
  const std::size_t end = glob.find(']', begin + 1);
  if (end == std::string_view::npos) {
    return std::nullopt;
  }
  bool holds = false;
  for (std::size_t at = begin; at < end; ++at) {
    if (at + 2 < end && glob[at + 1] == '-') {
      holds = holds || (glob[at] <= letter && letter <= glob[at + 2]);
      at += 2;
    } else {
      holds = holds || glob[at] == letter;
    }
  }
  return SetMatch{holds != negated, end + 1};
}

}  // namespace

bool matches_glob(std::string_view glob, std::string_view name) {
  std::size_t g = 0;
  std::size_t n = 0;
  std::size_t star = std::string_view::npos;  // where to come back to in glob …
  std::size_t resume = 0;                     // … and in name
  while (n < name.size()) {
    std::size_t step = 0;
    if (g < glob.size() && glob[g] == '*') {
      star = ++g;
      resume = n;
      continue;
    }
    if (g < glob.size()) {
      const auto set = glob[g] == '[' ? match_set(glob.substr(g), name[n]) : std::nullopt;
      if (set) {
        step = set->holds ? set->end : 0;
      } else {
        step = glob[g] == '?' || glob[g] == name[n] ? 1 : 0;
      }
    }
    if (step > 0) {
      g += step;
      ++n;
    } else if (star != std::string_view::npos) {
      g = star;
      n = ++resume;
    } else {
      return false;
    }
  }
  return glob.find_first_not_of('*', g) == std::string_view::npos;
}

Selection select_files(std::vector<RepoFile> files, const std::string& file,
                       const std::vector<std::string>& include, const std::string& repo) {
  const auto wanted = !file.empty()      ? choose_one(files, file, repo)
                      : !include.empty() ? choose_by_globs(include)
                                         : choose_model_files(files, repo);
  Selection selection;
  for (RepoFile& candidate : files) {
    (wanted(candidate) ? selection.chosen : selection.left_out).push_back(std::move(candidate));
  }
  if (selection.chosen.empty()) {
    throw Error(ErrorCode::kInput, repo + ": no file fits --include; it holds " +
                                       list_of(selection.left_out, any_file));
  }
  if (std::any_of(selection.chosen.begin(), selection.chosen.end(), is_main_gguf)) {
    for (const RepoFile& other : selection.left_out) {
      if (is_mmproj(other)) {
        selection.mmproj_beside.push_back(other.name);
      }
    }
  }
  return selection;
}

}  // namespace nolens::hub
