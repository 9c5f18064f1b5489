#include "serve/http/head_scanner.h"

#include "serve/http/text.h"

namespace nolens::serve {
namespace {

constexpr std::size_t kMaxMethodBytes = 32;
constexpr std::string_view kVersion = "HTTP/1.1";

bool is_field_char(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return c == '\t' || (byte >= 0x20 && byte != 0x7F);
}

}  // namespace

HeadScanner::State HeadScanner::scan(std::string_view all) {
  while (status_ == 0 && part_ != Part::kDone && position_ < all.size()) {
    if (position_ >= limits_.header_bytes) {
      refuse(431, "the head of the request is too large");
      break;
    }
    step(all[position_]);
    ++position_;
  }
  if (status_ != 0) {
    return State::kRefused;
  }
  return part_ == Part::kDone ? State::kComplete : State::kMore;
}

void HeadScanner::step(char c) {
  const auto enter = [this](Part part) {
    part_ = part;
    part_bytes_ = 0;
  };
  switch (part_) {
    case Part::kMethod:
      if (c == ' ' && part_bytes_ > 0) {
        return enter(Part::kTarget);
      }
      if (!is_token_char(c) || ++part_bytes_ > kMaxMethodBytes) {
        refuse(400, "this is no HTTP request");
      }
      return;
    case Part::kTarget:
      if (c == ' ' && part_bytes_ > 0) {
        return enter(Part::kVersion);
      }
      if (!is_visible(c)) {
        refuse(400, "the request line is malformed");
      } else if (++part_bytes_ > limits_.target_bytes) {
        refuse(414, "the address in the request line is too long");
      }
      return;
    case Part::kVersion: return step_version(c);
    case Part::kLineStart:
      if (c == '\r') {
        return enter(Part::kLastLineFeed);
      }
      if (++fields_ > limits_.header_fields) {
        return refuse(431, "the request has too many header fields");
      }
      enter(Part::kName);
      [[fallthrough]];
    case Part::kName:
      if (c == ':' && part_bytes_ > 0) {
        return enter(Part::kValue);
      }
      if (!is_token_char(c)) {  // also a folded line and a space before the colon
        return refuse(400, "a header field is malformed");
      }
      ++part_bytes_;
      return;
    case Part::kValue:
      if (c == '\r') {
        return enter(Part::kLineFeed);
      }
      if (!is_field_char(c)) {
        refuse(400, "a header field holds a control character");
      }
      return;
    case Part::kLineFeed:
      if (c == '\n') {
        return enter(Part::kLineStart);
      }
      return refuse(400, "a line of the head does not end with CR LF");
    case Part::kLastLineFeed:
      if (c == '\n') {
        return enter(Part::kDone);
      }
      return refuse(400, "a line of the head does not end with CR LF");
    case Part::kDone: return;
  }
}

void HeadScanner::step_version(char c) {
  if (part_bytes_ == kVersion.size()) {
    if (c != '\r') {
      return refuse(400, "the request line is malformed");
    }
    part_ = Part::kLineFeed;
    return;
  }
  if (c != kVersion[part_bytes_]) {
    const bool is_other_version = part_bytes_ >= kVersion.find('/') && is_digit(c);
    return is_other_version ? refuse(505, "this server speaks HTTP/1.1 only")
                            : refuse(400, "the request line is malformed");
  }
  ++part_bytes_;
}

void HeadScanner::refuse(int status, std::string_view reason) {
  status_ = status;
  reason_ = reason;
}

}  // namespace nolens::serve
