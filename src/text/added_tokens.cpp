// The trie is built from the sorted patterns, without recursion: their number and length come from
// a file.
#include "text/added_tokens.h"

#include <algorithm>
#include <utility>

#include "text/utf8.h"

namespace nolens {
namespace {

std::size_t before_white_space(std::string_view text, std::size_t end, std::size_t floor) {
  while (end > floor) {
    std::size_t start = end - 1;
    while (start > floor && (static_cast<unsigned char>(text[start]) & 0xC0U) == 0x80U) {
      --start;
    }
    if (!is_white_space(decode_char(text, start).code_point)) {
      break;
    }
    end = start;
  }
  return end;
}

std::size_t after_white_space(std::string_view text, std::size_t begin) {
  while (begin < text.size()) {
    const DecodedChar decoded = decode_char(text, begin);
    if (!is_white_space(decoded.code_point)) {
      break;
    }
    begin += decoded.length;
  }
  return begin;
}

}  // namespace

AddedTokens::AddedTokens(std::vector<Pattern> patterns) : patterns_(std::move(patterns)) {
  const auto by_text = [](const Pattern& a, const Pattern& b) { return a.text < b.text; };
  std::stable_sort(patterns_.begin(), patterns_.end(), by_text);
  const auto same_text = [](const Pattern& a, const Pattern& b) { return a.text == b.text; };
  patterns_.erase(std::unique(patterns_.begin(), patterns_.end(), same_text), patterns_.end());

  struct Range {
    std::uint32_t node;
    std::size_t begin, end, depth;
  };
  nodes_.emplace_back();
  std::vector<Range> todo{{0, 0, patterns_.size(), 0}};
  while (!todo.empty()) {
    auto [node, begin, end, depth] = todo.back();
    todo.pop_back();
    // Sorted: of the patterns with this prefix, the one that is the prefix comes first.
    if (begin < end && patterns_[begin].text.size() == depth) {
      nodes_[node].pattern = static_cast<std::int32_t>(begin);
      ++begin;
    }
    nodes_[node].first_child = static_cast<std::uint32_t>(nodes_.size());
    while (begin < end) {
      const char byte = patterns_[begin].text[depth];
      std::size_t next = begin;
      while (next < end && patterns_[next].text[depth] == byte) {
        ++next;
      }
      todo.push_back({static_cast<std::uint32_t>(nodes_.size()), begin, next, depth + 1});
      nodes_.push_back({0, 0, static_cast<std::uint8_t>(byte), -1});
      ++nodes_[node].child_count;
      begin = next;
    }
  }
  for (std::uint32_t i = 0; i < nodes_[0].child_count; ++i) {
    const std::uint32_t index = nodes_[0].first_child + i;
    roots_[nodes_[index].byte] = index;
  }
}

const AddedTokens::Node* AddedTokens::child(const Node& node, std::uint8_t byte) const noexcept {
  const Node* const first = nodes_.data() + node.first_child;
  const Node* const last = first + node.child_count;
  const Node* const found = std::lower_bound(
      first, last, byte, [](const Node& candidate, std::uint8_t b) { return candidate.byte < b; });
  return found != last && found->byte == byte ? found : nullptr;
}

std::int32_t AddedTokens::longest_at(std::string_view text, std::size_t begin) const noexcept {
  std::int32_t longest = -1;
  const Node* node = &nodes_[roots_[static_cast<unsigned char>(text[begin])]];
  for (std::size_t offset = begin + 1; node != nullptr; ++offset) {
    longest = node->pattern >= 0 ? node->pattern : longest;
    if (offset >= text.size()) {
      break;
    }
    node = child(*node, static_cast<unsigned char>(text[offset]));
  }
  return longest;
}

std::optional<AddedTokens::Match> AddedTokens::find(std::string_view text, std::size_t from,
                                                    ParseSpecial parse_special) const noexcept {
  for (std::size_t begin = from; begin < text.size();) {
    if (roots_[static_cast<unsigned char>(text[begin])] == 0) {
      ++begin;
      continue;
    }
    const std::int32_t index = longest_at(text, begin);
    if (index < 0) {
      ++begin;
      continue;
    }
    const Pattern& pattern = patterns_[static_cast<std::size_t>(index)];
    const std::size_t end = begin + pattern.text.size();
    if (pattern.special && parse_special == ParseSpecial::kNo) {
      begin = end;
      continue;
    }
    return Match{pattern.strip_left ? before_white_space(text, begin, from) : begin,
                 pattern.strip_right ? after_white_space(text, end) : end, pattern.id};
  }
  return std::nullopt;
}

}  // namespace nolens
