// HubSettings::from_environment: huggingface_hub's constants.py and utils/_auth.py, rule by rule.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <pwd.h>
#include <unistd.h>

#include "nolens/error.h"
#include "nolens/hub.h"

#include "core/escape.h"
#include "hub/headers.h"
#include "hub/url.h"

namespace nolens {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kDefaultEndpoint = "https://huggingface.co";
constexpr std::size_t kMaxToken = 4096;
constexpr std::int64_t kMaxSeconds = 86'400;

std::optional<std::string> variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

bool is_true(const char* name) {
  std::string value = variable(name).value_or("");
  std::transform(value.begin(), value.end(), value.begin(), [](char letter) {
    return letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 'a' + 'A') : letter;
  });
  return value == "1" || value == "ON" || value == "YES" || value == "TRUE";
}

std::string home_of(const std::string& user) {
  if (user.empty()) {
    if (const auto home = variable("HOME")) {
      return *home;
    }
  }
  std::array<char, 16'384> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  const int error = user.empty()
                        ? getpwuid_r(getuid(), &entry, buffer.data(), buffer.size(), &found)
                        : getpwnam_r(user.c_str(), &entry, buffer.data(), buffer.size(), &found);
  return error == 0 && found != nullptr ? entry.pw_dir : std::string();
}

/// os.path.expanduser: "~" and "~user" at the beginning; unknown users stay as they are.
std::string expand_user(const std::string& path) {
  if (!path.starts_with('~')) {
    return path;
  }
  const std::size_t slash = std::min(path.find('/'), path.size());
  std::string home = home_of(path.substr(1, slash - 1));
  if (home.empty()) {
    return path;
  }
  while (home.size() > 1 && home.ends_with('/')) {
    home.pop_back();
  }
  return home + path.substr(slash);
}

bool is_name(char letter) {
  return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
         (letter >= '0' && letter <= '9') || letter == '_';
}

/// os.path.expandvars: $NAME and ${NAME}; unknown ones stay as they are.
std::string expand_variables(const std::string& path) {
  std::string result;
  for (std::size_t at = 0; at < path.size();) {
    const bool braces = path.compare(at, 2, "${") == 0;
    const std::size_t begin = at + (braces ? 2 : 1);
    std::size_t end = begin;
    if (path[at] == '$') {
      while (end < path.size() && (braces ? path[end] != '}' : is_name(path[end]))) {
        ++end;
      }
    }
    const bool closed = !braces || end < path.size();
    const auto value = path[at] == '$' && end > begin && closed
                           ? variable(path.substr(begin, end - begin).c_str())
                           : std::nullopt;
    if (value) {
      result += *value;
      at = end + (braces ? 1 : 0);
    } else {
      result += path[at++];
    }
  }
  return result;
}

fs::path expanded(const fs::path& path) {
  return expand_variables(expand_user(path.string()));
}

std::string clean_token(std::string token) {
  std::erase(token, '\r');
  std::erase(token, '\n');
  const std::size_t begin = token.find_first_not_of(" \t\v\f");
  return begin == std::string::npos
             ? std::string()
             : token.substr(begin, token.find_last_not_of(" \t\v\f") - begin + 1);
}

void read_token(const fs::path& home, HubSettings& settings) {
  // An empty HF_TOKEN counts as absent, also for the older name.
  for (const char* name : {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}) {
    const std::string value = variable(name).value_or("");
    if (!value.empty()) {
      settings.token = clean_token(value);
      settings.token_source = name;
      break;
    }
  }
  if (settings.token.empty()) {
    const auto named = variable("HF_TOKEN_PATH");
    const fs::path path = expanded(named ? fs::path(*named) : home / "token");
    std::ifstream file(path, std::ios::binary);
    std::string text(kMaxToken + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
    settings.token = clean_token(text);
    settings.token_source = path.string();
  }
  const bool is_word = std::all_of(settings.token.begin(), settings.token.end(),
                                   [](char letter) { return letter > 0x20 && letter < 0x7F; });
  if (!is_word || settings.token.size() > kMaxToken) {
    throw Error(ErrorCode::kUsage, "the access token from " +
                                       escape_for_message(settings.token_source) +
                                       " is no single word of printable characters; set it anew");
  }
  if (settings.token.empty() || is_true("HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
    settings.token.clear();
    settings.token_source.clear();
  }
}

int seconds(const char* name, int fallback) {
  const auto value = hub::parse_count(variable(name).value_or(""));
  return value && *value > 0 && *value <= kMaxSeconds ? static_cast<int>(*value) : fallback;
}

}  // namespace

HubSettings HubSettings::from_environment() {
  HubSettings settings;
  settings.endpoint = variable("HF_ENDPOINT").value_or(std::string(kDefaultEndpoint));
  while (settings.endpoint.ends_with('/')) {
    settings.endpoint.pop_back();
  }
  if (!hub::parse_url(settings.endpoint)) {
    throw Error(ErrorCode::kUsage, "HF_ENDPOINT is '" + escape_for_message(settings.endpoint) +
                                       "', expected an address such as https://huggingface.co");
  }
  const auto named_home = variable("HF_HOME");
  const fs::path caches = variable("XDG_CACHE_HOME").value_or(expand_user("~") + "/.cache");
  const fs::path home = expanded(named_home ? fs::path(*named_home) : caches / "huggingface");
  const auto named_cache = variable("HF_HUB_CACHE");
  settings.cache =
      expanded(named_cache ? *named_cache
                           : variable("HUGGINGFACE_HUB_CACHE").value_or((home / "hub").string()));
  settings.cache = fs::absolute(settings.cache).lexically_normal();
  settings.offline = is_true(
      variable("HF_HUB_OFFLINE").value_or("").empty() ? "TRANSFORMERS_OFFLINE" : "HF_HUB_OFFLINE");
  settings.symlinks = !is_true("HF_HUB_DISABLE_SYMLINKS");
  settings.stall_seconds = seconds("HF_HUB_DOWNLOAD_TIMEOUT", settings.stall_seconds);
  read_token(home, settings);
  return settings;
}

}  // namespace nolens
