// Counts first: the result is then allocated once, and refused before it is too large.
#include "text/replace.h"

#include "nolens/error.h"

namespace nolens {

Replacements::Replacements(const std::vector<TokenizerData::Replacement>& rules,
                           const std::string& name) {
  if (rules.size() > kMaxRules) {
    throw Error(ErrorCode::kModel, name + ": expected at most " + std::to_string(kMaxRules) +
                                       " Replace rules in a row, found " +
                                       std::to_string(rules.size()));
  }
  for (const auto& [from, to] : rules) {
    if (from.empty()) {
      throw Error(ErrorCode::kModel, name + ": a Replace rule with an empty pattern");
    }
    rules_.push_back({std::string(from), std::string(to)});
  }
}

std::string_view Replacements::apply(std::string_view text, std::size_t max_bytes,
                                     std::string& buffer) const {
  std::string_view current = text;
  std::string result;
  for (const auto& [from, to] : rules_) {
    std::size_t count = 0;
    for (std::size_t at = current.find(from); at != std::string_view::npos;
         at = current.find(from, at + from.size())) {
      ++count;
    }
    if (count == 0) {
      continue;
    }
    const std::size_t size = current.size() - count * from.size() + count * to.size();
    if (size > max_bytes) {
      throw Error(ErrorCode::kResource,
                  "the tokenizer's Replace rules make a text of " + std::to_string(text.size()) +
                      " bytes longer than the limit of " + std::to_string(max_bytes) + " bytes");
    }
    result.clear();
    result.reserve(size);
    std::size_t begin = 0;
    for (std::size_t at = current.find(from); at != std::string_view::npos;
         at = current.find(from, begin)) {
      result.append(current, begin, at - begin);
      result += to;
      begin = at + from.size();
    }
    result.append(current, begin, current.size() - begin);
    buffer.swap(result);
    current = buffer;
  }
  return current;
}

}  // namespace nolens
