// Takes the bytes that nolens-media writes, which count as hostile: a decoder may have been taken
// over.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "nolens/media.h"

#include "media/media_wire.h"

namespace nolens {

/// What may arrive at most. The reader holds no more than `max_bytes` of payload.
struct MediaReaderLimits {
  std::int64_t max_samples = 0;  ///< 0: frames are expected, else samples
  std::int64_t max_frames = 0;   ///< that come back
  std::int64_t max_side = 0;
  std::int64_t max_pixels = 0;  ///< of one frame
  std::int64_t max_bytes = 0;   ///< of all frames, or of all samples
};

/// Parses a stream of messages (media_wire.h) that arrives in pieces of any size.
class MediaReader {
 public:
  struct Frame {
    Image image;
    std::int64_t index = 0;
  };

  explicit MediaReader(const MediaReaderLimits& limits) : limits_(limits) {}

  /// False once the stream broke a rule or a limit; `fault()` says which, for a message. Later
  /// bytes are ignored then. May throw std::bad_alloc.
  bool feed(std::span<const std::byte> bytes);

  /// Whether the stream is complete: a hello, then End or Problem, then nothing.
  [[nodiscard]] bool complete() const noexcept { return fault_.empty() && finished_; }
  [[nodiscard]] const std::string& fault() const noexcept { return fault_; }
  [[nodiscard]] const std::optional<wire::Hello>& hello() const noexcept { return hello_; }
  [[nodiscard]] const std::optional<wire::Problem>& problem() const noexcept { return problem_; }
  [[nodiscard]] const wire::End& end() const noexcept { return end_; }

  std::vector<float> take_samples() noexcept { return std::move(samples_); }
  std::vector<Frame> take_frames() noexcept { return std::move(frames_); }

 private:
  bool fail(const char* what);
  bool take_head();
  bool check_order(wire::Type type);
  bool take_fixed();
  bool take_frame_head();
  std::size_t take_payload(std::span<const std::byte> bytes);
  bool finish_payload();
  bool take_end();
  bool take_problem();

  MediaReaderLimits limits_;
  std::string fault_;
  std::vector<std::byte> small_;  // a head or a message of fixed size, until it is whole
  std::size_t small_wanted_ = sizeof(wire::Head);
  bool in_head_ = true;
  wire::Head head_;
  std::vector<std::byte> payload_;  // samples or pixels of the message that is arriving
  std::size_t payload_wanted_ = 0;
  wire::FrameHead frame_;
  std::optional<wire::Hello> hello_;
  std::optional<wire::Problem> problem_;
  wire::End end_;
  bool finished_ = false;
  bool restarted_ = false;
  std::int64_t bytes_ = 0;
  std::vector<float> samples_;
  std::vector<Frame> frames_;
};

}  // namespace nolens
