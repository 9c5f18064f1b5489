// Replacing fixed texts, the only kind of normalizer and decoder rule that is supported.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer_data.h"

namespace nolens {

/// Rules that own their texts. Applied in order, each to the whole result of the one before.
class Replacements {
 public:
  /// \throws Error{kModel} for an empty `from` or more than kMaxRules rules.
  Replacements(const std::vector<TokenizerData::Replacement>& rules, const std::string& name);

  [[nodiscard]] bool empty() const noexcept { return rules_.empty(); }
  /// The result: `text` itself or a view of `buffer`.
  /// \throws Error{kResource} before a result grows beyond `max_bytes`: rules from a file can
  /// multiply the length.
  std::string_view apply(std::string_view text, std::size_t max_bytes, std::string& buffer) const;

 private:
  struct Rule {
    std::string from, to;
  };
  static constexpr std::size_t kMaxRules = 16;

  std::vector<Rule> rules_;
};

}  // namespace nolens
