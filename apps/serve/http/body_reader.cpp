#include "serve/http/body_reader.h"

#include <algorithm>

#include "serve/http/text.h"

namespace nolens::serve {
namespace {

/// A chunk's first line, or all fields behind the last chunk, longer than this are an attack.
constexpr std::size_t kMaxOverhead = 4096;

/// What extensions and trailers are made of.
bool is_text(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return c == '\t' || (byte >= 0x20 && byte != 0x7F);
}

}  // namespace

BodyReader::BodyReader(std::optional<std::uint64_t> length, std::size_t limit)
    : part_(length ? Part::kData : Part::kSize),
      is_chunked_(!length),
      limit_(limit),
      left_(length.value_or(0)) {
  if (length && *length == 0) {
    part_ = Part::kDone;
  }
}

BodyReader::State BodyReader::take(std::string& bytes) {
  std::size_t used = 0;
  while (state_ == State::kMore && part_ != Part::kDone && used < bytes.size()) {
    if (part_ != Part::kData) {
      step(bytes[used++]);
      continue;
    }
    const auto count =
        static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size() - used));
    body_.append(bytes, used, count);
    used += count;
    left_ -= count;
    if (left_ == 0) {
      part_ = is_chunked_ ? Part::kDataReturn : Part::kDone;
    }
  }
  bytes.erase(0, used);
  return state_ == State::kMore && part_ == Part::kDone ? State::kComplete : state_;
}

void BodyReader::step(char c) {
  if (++overhead_ > kMaxOverhead) {
    state_ = State::kMalformed;
    return;
  }
  switch (part_) {
    case Part::kSize: return step_size(c);
    case Part::kExtension:
      if (c == '\r') {
        part_ = Part::kSizeLineFeed;
      } else if (!is_text(c)) {
        state_ = State::kMalformed;
      }
      return;
    case Part::kSizeLineFeed:
      overhead_ = 0;
      return expect(c, '\n', left_ == 0 ? Part::kTrailerStart : Part::kData);
    case Part::kDataReturn: return expect(c, '\r', Part::kDataLineFeed);
    case Part::kDataLineFeed:
      overhead_ = 0;
      has_digit_ = false;
      return expect(c, '\n', Part::kSize);
    case Part::kTrailerStart:
    case Part::kTrailer:
      if (c == '\r') {
        part_ = part_ == Part::kTrailerStart ? Part::kLastLineFeed : Part::kTrailerLineFeed;
      } else if (is_text(c)) {
        part_ = Part::kTrailer;
      } else {
        state_ = State::kMalformed;
      }
      return;
    case Part::kTrailerLineFeed: return expect(c, '\n', Part::kTrailerStart);
    case Part::kLastLineFeed: return expect(c, '\n', Part::kDone);
    case Part::kData:
    case Part::kDone: return;
  }
}

void BodyReader::step_size(char c) {
  const int digit = hex_value(c);
  if (digit >= 0) {
    has_digit_ = true;
    // Checked at every digit, so that the size cannot run over.
    left_ = left_ * 16 + static_cast<std::uint64_t>(digit);
    if (left_ > limit_ - body_.size()) {
      state_ = State::kTooLarge;
    }
  } else if (has_digit_ && c == ';') {
    part_ = Part::kExtension;
  } else if (has_digit_ && c == '\r') {
    part_ = Part::kSizeLineFeed;
  } else {
    state_ = State::kMalformed;
  }
}

void BodyReader::expect(char c, char wanted, Part next) {
  if (c == wanted) {
    part_ = next;
  } else {
    state_ = State::kMalformed;
  }
}

}  // namespace nolens::serve
