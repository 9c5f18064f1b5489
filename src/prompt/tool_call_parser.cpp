#include "prompt/tool_call_parser.h"

#include <charconv>
#include <cstddef>
#include <set>
#include <system_error>
#include <vector>

#include "formats/json.h"

namespace nolens {
namespace {

constexpr std::string_view kQuote = "<|\"|>";
constexpr std::size_t kMaxDepth = 64;

bool is_blank(char letter) noexcept {
  return letter == ' ' || letter == '\n' || letter == '\r' || letter == '\t';
}

bool is_digit(char letter) noexcept {
  return letter >= '0' && letter <= '9';
}

std::string json_string(std::string_view text) {
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Bytes of the JSON number `text` begins with, 0 if none.
std::size_t number_length(std::string_view text) noexcept {
  std::size_t i = 0;
  const auto digits = [&text, &i] {
    const std::size_t begin = i;
    while (i < text.size() && is_digit(text[i])) {
      ++i;
    }
    return i > begin;
  };
  if (i < text.size() && text[i] == '-') {
    ++i;
  }
  const std::size_t integer = i;
  if (!digits() || (text[integer] == '0' && i > integer + 1)) {
    return 0;
  }
  if (i < text.size() && text[i] == '.') {
    ++i;
    if (!digits()) {
      return 0;
    }
  }
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    ++i;
    if (i < text.size() && (text[i] == '+' || text[i] == '-')) {
      ++i;
    }
    if (!digits()) {
      return 0;
    }
  }
  // A number too large for a double would be refused when the call is read back.
  double value = 0.0;
  return std::from_chars(text.data(), text.data() + i, value).ec == std::errc() ? i : 0;
}

/// Translates the arguments to JSON with an explicit stack of open containers.
class ArgumentReader {
 public:
  explicit ArgumentReader(std::string_view text) : rest_(text) {}

  /// The JSON of the map that is all of the text, or nothing.
  std::optional<std::string> read() {
    if (!take("{") || !open('{')) {
      return std::nullopt;
    }
    while (!open_.empty()) {
      skip_blanks();
      if (!(expects_value_ ? read_value() : read_after_value())) {
        return std::nullopt;
      }
    }
    skip_blanks();
    return rest_.empty() ? std::optional(std::move(json_)) : std::nullopt;
  }

 private:
  struct Container {
    char kind = '{';
    std::set<std::string, std::less<>> keys;  // of a map, to refuse duplicates
  };

  void skip_blanks() {
    while (!rest_.empty() && is_blank(rest_.front())) {
      rest_.remove_prefix(1);
    }
  }

  bool take(std::string_view mark) {
    if (!rest_.starts_with(mark)) {
      return false;
    }
    rest_.remove_prefix(mark.size());
    return true;
  }

  std::optional<std::string_view> take_quoted() {
    const std::size_t end = rest_.find(kQuote, kQuote.size());
    if (!rest_.starts_with(kQuote) || end == std::string_view::npos) {
      return std::nullopt;
    }
    const std::string_view text = rest_.substr(kQuote.size(), end - kQuote.size());
    rest_.remove_prefix(end + kQuote.size());
    return text;
  }

  /// Enters a container; an empty one is left at once.
  bool open(char kind) {
    if (open_.size() == kMaxDepth) {
      return false;
    }
    open_.push_back({kind, {}});
    json_ += kind;
    skip_blanks();
    if (take(kind == '{' ? "}" : "]")) {
      close();
      return true;
    }
    expects_value_ = true;
    return kind == '[' || read_key();
  }

  void close() {
    json_ += open_.back().kind == '{' ? '}' : ']';
    open_.pop_back();
    expects_value_ = false;
  }

  bool read_key() {
    skip_blanks();
    std::string_view key;
    if (rest_.starts_with(kQuote)) {
      const auto quoted = take_quoted();
      if (!quoted) {
        return false;
      }
      key = *quoted;
      skip_blanks();
    } else {
      key = rest_.substr(0, rest_.find_first_of(":,{}[]<\""));
      rest_.remove_prefix(key.size());
      while (!key.empty() && is_blank(key.back())) {
        key.remove_suffix(1);
      }
    }
    if (key.empty() || !take(":") || !open_.back().keys.emplace(key).second) {
      return false;
    }
    json_ += json_string(key) + ":";
    return true;
  }

  bool read_value() {
    expects_value_ = false;
    if (rest_.starts_with(kQuote)) {
      const auto text = take_quoted();
      json_ += text ? json_string(*text) : "";
      return text.has_value();
    }
    if (take("{")) {
      return open('{');
    }
    if (take("[")) {
      return open('[');
    }
    for (const std::string_view word : {"true", "false", "null"}) {
      if (take(word)) {
        json_ += word;
        return true;
      }
    }
    const std::size_t length = number_length(rest_);
    json_ += rest_.substr(0, length);
    rest_.remove_prefix(length);
    return length > 0;
  }

  /// A comma and what it announces, or the end of the container.
  bool read_after_value() {
    const bool is_map = open_.back().kind == '{';
    if (take(is_map ? "}" : "]")) {
      close();
      return true;
    }
    if (!take(",")) {
      return false;
    }
    json_ += ',';
    expects_value_ = true;
    return !is_map || read_key();
  }

  std::string_view rest_;
  std::string json_;
  std::vector<Container> open_;
  bool expects_value_ = false;
};

bool is_name(std::string_view name) noexcept {
  for (const char letter : name) {
    const bool allowed = is_digit(letter) || (letter >= 'a' && letter <= 'z') ||
                         (letter >= 'A' && letter <= 'Z') || letter == '_' || letter == '-' ||
                         letter == '.' || static_cast<unsigned char>(letter) >= 0x80;
    if (!allowed) {
      return false;
    }
  }
  return !name.empty();
}

}  // namespace

std::optional<ToolCall> parse_tool_call(std::string_view text) {
  constexpr std::string_view kCall = "call:";
  while (!text.empty() && is_blank(text.front())) {
    text.remove_prefix(1);
  }
  const std::size_t brace = text.find('{');
  if (!text.starts_with(kCall) || brace == std::string_view::npos) {
    return std::nullopt;
  }
  ToolCall call;
  call.name = text.substr(kCall.size(), brace - kCall.size());
  const std::optional<std::string> arguments = ArgumentReader(text.substr(brace)).read();
  if (!is_name(call.name) || !arguments) {
    return std::nullopt;
  }
  call.arguments = *arguments;
  return call;
}

}  // namespace nolens
