#include "hub/headers.h"

#include <algorithm>
#include <charconv>

namespace nolens::hub {
namespace {

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) {
    return {};
  }
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

/// "HTTP/1.1 200 OK" or "HTTP/2 200"
std::optional<int> parse_status(std::string_view line) {
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos || line.size() < space + 4) {
    return std::nullopt;
  }
  const auto code = parse_count(line.substr(space + 1, 3));
  const bool ends = line.size() == space + 4 || line[space + 4] == ' ';
  if (!code || *code < 100 || *code > 599 || !ends) {
    return std::nullopt;
  }
  return static_cast<int>(*code);
}

/// Value of ";name=" in a list of parameters.
std::optional<std::int64_t> parameter(std::string_view text, std::string_view name) {
  for (std::size_t at = text.find(';'); at != std::string_view::npos; at = text.find(';', at + 1)) {
    const std::string_view rest = trimmed(text.substr(at + 1));
    if (rest.starts_with(name) && rest.size() > name.size() && rest[name.size()] == '=') {
      const std::string_view value = rest.substr(name.size() + 1);
      return parse_count(value.substr(0, value.find_first_of(";, ")));
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string_view> HttpHead::find(std::string_view name) const {
  const auto found = std::find_if(headers.begin(), headers.end(),
                                  [name](const auto& header) { return header.first == name; });
  return found == headers.end() ? std::nullopt : std::optional<std::string_view>(found->second);
}

std::string HttpHead::get(std::string_view name) const {
  return std::string(find(name).value_or(std::string_view()));
}

HeadParser::State HeadParser::feed(std::string_view line) {
  bytes_ += line.size();
  if (bytes_ > kMaxHeadBytes) {
    return State::kRefused;
  }
  while (line.ends_with('\n') || line.ends_with('\r')) {
    line.remove_suffix(1);
  }
  if (head_.status == 0) {
    const auto status = line.starts_with("HTTP/") ? parse_status(line) : std::nullopt;
    head_.status = status.value_or(0);
    return status ? State::kMore : State::kRefused;
  }
  if (line.empty()) {
    if (head_.status < 200) {
      head_ = HttpHead();
      return State::kMore;
    }
    return State::kComplete;
  }
  const std::size_t colon = line.find(':');
  if (head_.headers.size() == kMaxHeaders) {
    return State::kRefused;
  }
  // A line without a name says nothing we could use.
  if (colon != std::string_view::npos && colon > 0) {
    std::string name(line.substr(0, colon));
    for (char& letter : name) {
      letter = letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
    }
    head_.headers.emplace_back(std::move(name), trimmed(line.substr(colon + 1)));
  }
  return State::kMore;
}

std::optional<std::int64_t> parse_count(std::string_view text) {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || error != std::errc() || rest != end || text.front() == '-') {
    return std::nullopt;
  }
  return value;
}

std::optional<std::string> next_link(std::string_view link) {
  while (!link.empty()) {
    const std::size_t open = link.find('<');
    const std::size_t close = link.find('>', open == std::string_view::npos ? 0 : open);
    if (open == std::string_view::npos || close == std::string_view::npos) {
      return std::nullopt;
    }
    const std::size_t next = link.find('<', close);
    const std::string_view parameters =
        link.substr(close + 1, next == std::string_view::npos ? next : next - close - 1);
    if (parameters.find("rel=\"next\"") != std::string_view::npos ||
        parameters.find("rel=next") != std::string_view::npos) {
      return std::string(link.substr(open + 1, close - open - 1));
    }
    link = next == std::string_view::npos ? std::string_view() : link.substr(next);
  }
  return std::nullopt;
}

std::optional<ContentRange> parse_content_range(std::string_view text) {
  constexpr std::string_view kUnit = "bytes ";
  if (!text.starts_with(kUnit)) {
    return std::nullopt;
  }
  text = trimmed(text.substr(kUnit.size()));
  const std::size_t dash = text.find('-');
  const std::size_t slash = text.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || dash > slash) {
    return std::nullopt;
  }
  const auto first = parse_count(text.substr(0, dash));
  const auto last = parse_count(text.substr(dash + 1, slash - dash - 1));
  const std::string_view total_text = text.substr(slash + 1);
  const auto total = parse_count(total_text);
  if (!first || !last || *last < *first || (!total && total_text != "*") ||
      (total && *last >= *total)) {
    return std::nullopt;
  }
  return ContentRange{*first, *last, total};
}

std::optional<std::int64_t> retry_after_seconds(const HttpHead& head) {
  // IETF draft ratelimit headers, as the hub sends them: "api";r=0;t=55
  if (const auto limit = head.find("ratelimit"); limit && parameter(*limit, "r") == 0) {
    if (const auto seconds = parameter(*limit, "t")) {
      return seconds;
    }
  }
  const auto header = head.find("retry-after");
  return header ? parse_count(*header) : std::nullopt;
}

}  // namespace nolens::hub
