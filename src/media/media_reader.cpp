// The state machine of MediaReader.
#include "media/media_reader.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

namespace nolens {
namespace {

template <typename T>
T from_bytes(std::span<const std::byte> bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

/// Size of the fixed part of a message; nothing for a type that does not exist.
std::optional<std::size_t> fixed_size(wire::Type type) {
  switch (type) {
    case wire::Type::kHello: return sizeof(wire::Hello);
    case wire::Type::kSamples:
    case wire::Type::kRestart: return 0;
    case wire::Type::kFrame: return sizeof(wire::FrameHead);
    case wire::Type::kEnd: return sizeof(wire::End);
    case wire::Type::kProblem: return sizeof(wire::Problem);
  }
  return std::nullopt;
}

bool is_plain_word(const char (&word)[24]) {
  const char* end = std::find(std::begin(word), std::end(word), '\0');
  const bool plain = std::all_of(std::begin(word), end, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
  return plain && std::all_of(end, std::end(word), [](char c) { return c == '\0'; });
}

}  // namespace

bool MediaReader::fail(const char* what) {
  fault_ = what;
  samples_ = {};
  frames_ = {};
  payload_ = {};
  return false;
}

bool MediaReader::feed(std::span<const std::byte> bytes) {
  while (fault_.empty() && !bytes.empty()) {
    if (finished_) {
      return fail("it wrote more after its last message");
    }
    if (payload_wanted_ > 0) {
      bytes = bytes.subspan(take_payload(bytes));
      if (payload_.size() == payload_wanted_ && !finish_payload()) {
        return false;
      }
      continue;
    }
    const std::size_t taken = std::min(bytes.size(), small_wanted_ - small_.size());
    small_.insert(small_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(taken));
    bytes = bytes.subspan(taken);
    if (small_.size() == small_wanted_ && !(in_head_ ? take_head() : take_fixed())) {
      return false;
    }
  }
  return fault_.empty();
}

/// A message's head is there: what follows it?
bool MediaReader::take_head() {
  head_ = from_bytes<wire::Head>(small_);
  small_.clear();
  const auto type = static_cast<wire::Type>(head_.type);
  const auto fixed = fixed_size(type);
  if (!fixed || !check_order(type)) {
    return fail("it wrote a message that is not expected here");
  }
  if (type == wire::Type::kSamples) {
    if (head_.size == 0 || head_.size > wire::kMaxSampleBytes || head_.size % sizeof(float) != 0) {
      return fail("it wrote a block of samples of a wrong size");
    }
    bytes_ += head_.size;
    if (bytes_ > limits_.max_bytes ||
        bytes_ / static_cast<std::int64_t>(sizeof(float)) > limits_.max_samples) {
      return fail("it wrote more samples than were allowed");
    }
    payload_wanted_ = head_.size;
    payload_.reserve(payload_wanted_);
    return true;
  }
  if (type != wire::Type::kFrame && head_.size != *fixed) {
    return fail("it wrote a message of a wrong size");
  }
  if (type == wire::Type::kRestart) {
    restarted_ = true;
    frames_.clear();
    bytes_ = 0;
    return true;
  }
  in_head_ = false;
  small_wanted_ = *fixed;
  return true;
}

bool MediaReader::check_order(wire::Type type) {
  switch (type) {
    case wire::Type::kHello: return !hello_;
    case wire::Type::kSamples: return hello_.has_value() && limits_.max_samples > 0;
    case wire::Type::kFrame: return hello_.has_value() && limits_.max_samples == 0;
    case wire::Type::kRestart: return hello_.has_value() && limits_.max_samples == 0 && !restarted_;
    case wire::Type::kEnd:
    case wire::Type::kProblem: return hello_.has_value();
  }
  return false;
}

bool MediaReader::take_fixed() {
  const std::vector<std::byte> bytes = std::exchange(small_, {});
  in_head_ = true;
  small_wanted_ = sizeof(wire::Head);
  switch (static_cast<wire::Type>(head_.type)) {
    case wire::Type::kHello:
      hello_ = from_bytes<wire::Hello>(bytes);
      return hello_->magic == wire::kMagic || fail("it is of another version");
    case wire::Type::kFrame: frame_ = from_bytes<wire::FrameHead>(bytes); return take_frame_head();
    case wire::Type::kEnd: end_ = from_bytes<wire::End>(bytes); return take_end();
    case wire::Type::kProblem: problem_ = from_bytes<wire::Problem>(bytes); return take_problem();
    case wire::Type::kSamples:
    case wire::Type::kRestart: break;
  }
  return fail("it wrote a message that is not expected here");
}

bool MediaReader::take_frame_head() {
  const std::int64_t width = frame_.width;
  const std::int64_t height = frame_.height;
  // 32-bit factors: no product below overflows.
  if (width == 0 || height == 0 || width > limits_.max_side || height > limits_.max_side ||
      width * height > limits_.max_pixels) {
    return fail("it wrote a picture beyond the allowed size");
  }
  const std::int64_t size = width * height * 3;
  if (head_.size != size + static_cast<std::int64_t>(sizeof(wire::FrameHead))) {
    return fail("it wrote a picture of a wrong size");
  }
  bytes_ += size;
  if (std::ssize(frames_) >= limits_.max_frames || bytes_ > limits_.max_bytes) {
    return fail("it wrote more pictures than were allowed");
  }
  const auto index = static_cast<std::int64_t>(frame_.index);
  if (index < 0 || (!frames_.empty() && index <= frames_.back().index)) {
    return fail("it wrote pictures out of order");
  }
  if (!frames_.empty() &&
      (frames_[0].image.width() != width || frames_[0].image.height() != height)) {
    return fail("it wrote pictures of different sizes");
  }
  payload_wanted_ = static_cast<std::size_t>(size);
  payload_.reserve(payload_wanted_);
  return true;
}

std::size_t MediaReader::take_payload(std::span<const std::byte> bytes) {
  const std::size_t taken = std::min(bytes.size(), payload_wanted_ - payload_.size());
  payload_.insert(payload_.end(), bytes.begin(),
                  bytes.begin() + static_cast<std::ptrdiff_t>(taken));
  return taken;
}

bool MediaReader::finish_payload() {
  payload_wanted_ = 0;
  if (static_cast<wire::Type>(head_.type) == wire::Type::kFrame) {
    std::vector<std::uint8_t> rgb(payload_.size());
    std::memcpy(rgb.data(), payload_.data(), rgb.size());
    payload_.clear();
    frames_.push_back({Image::from_rgb8(frame_.width, frame_.height, std::move(rgb)),
                       static_cast<std::int64_t>(frame_.index)});
    return true;
  }
  const std::size_t before = samples_.size();
  samples_.resize(before + payload_.size() / sizeof(float));
  std::memcpy(samples_.data() + before, payload_.data(), payload_.size());
  payload_.clear();
  const bool finite = std::all_of(samples_.begin() + static_cast<std::ptrdiff_t>(before),
                                  samples_.end(), [](float x) { return std::isfinite(x); });
  return finite || fail("it wrote samples that are not finite");
}

bool MediaReader::take_end() {
  finished_ = true;
  const std::uint64_t received = limits_.max_samples > 0 ? samples_.size() : frames_.size();
  const bool all_there =
      limits_.max_samples > 0 ? end_.count == received : end_.count >= received && received > 0;
  const bool in_range =
      frames_.empty() || static_cast<std::uint64_t>(frames_.back().index) < end_.count;
  if (received == 0 || !all_there || !in_range || end_.count > std::uint64_t{1} << 62) {
    return fail("its count does not fit what it wrote");
  }
  return true;
}

bool MediaReader::take_problem() {
  finished_ = true;
  samples_ = {};
  frames_ = {};
  if (problem_->reason == 0 || problem_->reason > static_cast<std::uint32_t>(wire::Reason::kLast) ||
      !is_plain_word(problem_->word)) {
    problem_.reset();
    return fail("it gave a reason that does not exist");
  }
  return true;
}

}  // namespace nolens
