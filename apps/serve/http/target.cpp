#include "serve/http/target.h"

#include "serve/http/text.h"

namespace nolens::serve {
namespace {

/// Undoes one percent-encoding in front of `text`. \return '\0' if it is none that may appear
char decode(std::string_view text) {
  if (text.size() < 3 || hex_value(text[1]) < 0 || hex_value(text[2]) < 0) {
    return '\0';
  }
  const char c = static_cast<char>(hex_value(text[1]) * 16 + hex_value(text[2]));
  const bool is_refused =
      c == '/' || c == '\\' || c == '%' || c == '.' || !(is_visible(c) || c == ' ');
  return is_refused ? '\0' : c;
}

bool is_dot_segment(std::string_view segment) {
  return segment == "." || segment == "..";
}

}  // namespace

std::optional<Target> normalise_target(std::string_view target) {
  Target result;
  const std::size_t question = target.find('?');
  if (question != std::string_view::npos) {
    result.query = target.substr(question + 1);
    target = target.substr(0, question);
  }
  if (target.empty() || target.front() != '/') {
    return std::nullopt;
  }
  std::size_t segment_begin = 1;
  for (std::size_t i = 0; i < target.size(); ++i) {
    char c = target[i];
    if (c == '%') {
      c = decode(target.substr(i));
      i += 2;
    } else if (!is_visible(c) || c == '\\' || c == '#') {
      c = '\0';
    }
    if (c == '\0') {
      return std::nullopt;
    }
    if (c == '/' && !result.path.empty()) {
      const std::string_view segment = std::string_view(result.path).substr(segment_begin);
      if (segment.empty() || is_dot_segment(segment)) {
        return std::nullopt;
      }
      segment_begin = result.path.size() + 1;
    }
    result.path += c;
  }
  if (is_dot_segment(std::string_view(result.path).substr(segment_begin))) {
    return std::nullopt;
  }
  return result;
}

}  // namespace nolens::serve
