#include "hub/url.h"

#include <algorithm>
#include <charconv>

namespace nolens::hub {
namespace {

constexpr std::size_t kMaxUrl = 8192;  // signed storage addresses have about 1500 bytes
constexpr std::size_t kMaxHost = 255;

bool is_plain(char letter) {
  const auto byte = static_cast<unsigned char>(letter);
  return byte > 0x20 && byte < 0x7F && letter != '\\' && letter != '<' && letter != '>' &&
         letter != '"' && letter != '^' && letter != '`' && letter != '{' && letter != '}';
}

bool is_digit(char letter) {
  return letter >= '0' && letter <= '9';
}

bool is_alphanumeric(char letter) {
  return is_digit(letter) || (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& letter : result) {
    letter = letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  }
  return result;
}

bool is_host(std::string_view host) {
  if (host.empty() || host.size() > kMaxHost) {
    return false;
  }
  if (host.front() == '[') {
    return host.size() > 2 && host.back() == ']' &&
           host.substr(1, host.size() - 2).find_first_not_of("0123456789abcdef:.") ==
               std::string_view::npos;
  }
  return std::all_of(host.begin(), host.end(), [](char letter) {
    return is_alphanumeric(letter) || letter == '-' || letter == '.' || letter == '_';
  });
}

/// Splits "host:port"; false if it is no such thing.
bool parse_authority(std::string_view authority, Url& url) {
  const std::size_t bracket = authority.rfind(']');
  const std::size_t colon = authority.rfind(':');
  const bool has_port =
      colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
  url.host = lower(has_port ? authority.substr(0, colon) : authority);
  url.port = url.scheme == "https" ? 443 : 80;
  if (has_port) {
    const std::string_view digits = authority.substr(colon + 1);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), url.port);
    if (error != std::errc() || end != digits.data() + digits.size() || !is_digit(digits[0]) ||
        url.port < 1 || url.port > 65535) {
      return false;
    }
  }
  return is_host(url.host);
}

}  // namespace

std::string Url::text() const {
  const bool usual = port == (scheme == "https" ? 443 : 80);
  return scheme + "://" + host + (usual ? "" : ":" + std::to_string(port)) + target;
}

bool Url::is_loopback() const {
  // 127.0.0.1.example.org is somebody's machine: only four numbers count.
  return host == "localhost" || host == "[::1]" ||
         (host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string::npos &&
          std::count(host.begin(), host.end(), '.') == 3);
}

std::optional<Url> parse_url(std::string_view text) {
  if (text.size() > kMaxUrl || !std::all_of(text.begin(), text.end(), is_plain)) {
    return std::nullopt;
  }
  const std::size_t mark = text.find("://");
  if (mark == std::string_view::npos) {
    return std::nullopt;
  }
  Url url;
  url.scheme = lower(text.substr(0, mark));
  if (url.scheme != "http" && url.scheme != "https") {
    return std::nullopt;
  }
  text = text.substr(mark + 3);
  text = text.substr(0, text.find('#'));
  const std::size_t end = std::min(text.find_first_of("/?"), text.size());
  if (!parse_authority(text.substr(0, end), url)) {
    return std::nullopt;
  }
  url.target = text.substr(end);
  if (!url.target.starts_with('/')) {
    url.target.insert(0, 1, '/');
  }
  return url;
}

std::optional<Url> resolve_reference(const Url& base, std::string_view reference) {
  const std::size_t colon = reference.find_first_of(":/?#");
  if (colon != std::string_view::npos && reference[colon] == ':') {
    return parse_url(reference);
  }
  if (reference.starts_with("//")) {
    return parse_url(base.scheme + ":" + std::string(reference));
  }
  Url origin = base;
  origin.target.clear();
  std::string target(reference);
  if (!reference.starts_with('/')) {
    const std::string path = base.target.substr(0, base.target.find('?'));
    target = (reference.starts_with('?') ? path : path.substr(0, path.rfind('/') + 1)) + target;
  }
  return parse_url(origin.text() + target);
}

std::string percent_encode(std::string_view text, bool keep_slash) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string result;
  for (const char letter : text) {
    if (is_alphanumeric(letter) || letter == '_' || letter == '.' || letter == '-' ||
        letter == '~' || (keep_slash && letter == '/')) {
      result += letter;
    } else {
      const auto byte = static_cast<unsigned char>(letter);
      result += '%';
      result += kHex[byte >> 4U];
      result += kHex[byte & 15U];
    }
  }
  return result;
}

}  // namespace nolens::hub
