#include "serve/api/multipart.h"

#include <algorithm>
#include <cctype>

#include "serve/api/refusals.h"

namespace nolens::serve {
namespace {

constexpr std::size_t kMaxParts = 64;
constexpr std::size_t kMaxBoundary = 70;      // RFC 2046
constexpr std::size_t kMaxPartHead = 8 * 1024;

[[noreturn]] void fail(const std::string& what) {
  throw invalid_field("the form " + what, "", "invalid_form");
}

char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

bool equals(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
    text.remove_prefix(1);
  }
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
    text.remove_suffix(1);
  }
  return text;
}

/// The value of `name` in "kind; a=b; name=\"value\"". Quotes may hold anything but quotes: what is escaped in them is
/// not ours to know.
std::string parameter(std::string_view header, std::string_view name) {
  std::size_t at = header.find(';');
  while (at < header.size()) {
    const std::string_view rest = trimmed(header.substr(at + 1));
    const std::size_t equal = rest.find('=');
    if (equal == std::string_view::npos) {
      return "";
    }
    const bool is_quoted = equal + 1 < rest.size() && rest[equal + 1] == '"';
    const std::size_t begin = equal + (is_quoted ? 2 : 1);
    const std::size_t end = std::min(rest.find(is_quoted ? '"' : ';', begin), rest.size());
    if (equals(trimmed(rest.substr(0, equal)), name)) {
      return std::string(is_quoted ? rest.substr(begin, end - begin) : trimmed(rest.substr(begin, end - begin)));
    }
    const std::size_t next = rest.find(';', end);
    if (next == std::string_view::npos) {
      return "";
    }
    at = static_cast<std::size_t>(rest.data() - header.data()) + next;
  }
  return "";
}

/// Name of a part from its head.
std::string part_name(std::string_view head) {
  while (!head.empty()) {
    const std::size_t end = std::min(head.find("\r\n"), head.size());
    const std::string_view line = head.substr(0, end);
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos && equals(trimmed(line.substr(0, colon)), "content-disposition")) {
      return parameter(line.substr(colon + 1), "name");
    }
    head.remove_prefix(std::min(end + 2, head.size()));
  }
  return "";
}

}  // namespace

std::vector<FormPart> parse_form(std::string_view content_type, std::string_view body) {
  const std::string_view kind = trimmed(content_type.substr(0, content_type.find(';')));
  if (!equals(kind, "multipart/form-data")) {
    throw bad_request(415, "this endpoint takes a body of the type multipart/form-data", "unsupported_media_type");
  }
  const std::string boundary = parameter(content_type, "boundary");
  if (boundary.empty() || boundary.size() > kMaxBoundary) {
    fail("needs a boundary of 1 to " + std::to_string(kMaxBoundary) + " characters");
  }
  const std::string delimiter = "\r\n--" + boundary;
  if (!body.starts_with(std::string_view(delimiter).substr(2))) {
    fail("does not begin with its boundary");
  }
  std::vector<FormPart> parts;
  body.remove_prefix(delimiter.size() - 2);
  while (!body.starts_with("--")) {
    if (parts.size() == kMaxParts) {
      fail("has more than " + std::to_string(kMaxParts) + " parts");
    }
    const std::size_t head_end = body.substr(0, kMaxPartHead).find("\r\n\r\n");
    if (!body.starts_with("\r\n") || head_end == std::string_view::npos) {
      fail("has a part without a proper head");
    }
    const std::string_view head = head_end == 0 ? std::string_view() : body.substr(2, head_end - 2);
    body.remove_prefix(head_end + 4);
    const std::size_t end = body.find(delimiter);
    if (end == std::string_view::npos) {
      fail("ends within a part");
    }
    std::string name = part_name(head);
    if (name.empty()) {
      fail("has a part without a name");
    }
    parts.push_back({std::move(name), body.substr(0, end)});
    body.remove_prefix(end + delimiter.size());
  }
  return parts;
}

}  // namespace nolens::serve
