// Any bytes from nolens-media are results within the limits or refused: the decoder may have been
// taken over. The first byte chooses between sound and frames, the second the size of the pieces.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "media/media_reader.h"

namespace {

constexpr nolens::MediaReaderLimits kSound{.max_samples = 4096, .max_bytes = 16384};
constexpr nolens::MediaReaderLimits kFrames{
    .max_frames = 4, .max_side = 64, .max_pixels = 1024, .max_bytes = 8192};

void check(bool holds) {
  if (!holds) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) {
    return 0;
  }
  const bool sound = data[0] % 2 == 0;
  const std::size_t piece = data[1] + std::size_t{1};
  std::span<const std::byte> stream = std::as_bytes(std::span(data + 2, size - 2));
  nolens::MediaReader reader(sound ? kSound : kFrames);
  while (!stream.empty()) {
    const auto part = stream.first(std::min(piece, stream.size()));
    if (!reader.feed(part)) {
      check(!reader.fault().empty() && !reader.complete());
      break;
    }
    stream = stream.subspan(part.size());
  }
  if (!reader.complete() || reader.problem()) {
    return 0;
  }
  const auto samples = reader.take_samples();
  const auto frames = reader.take_frames();
  check(samples.empty() == !sound && frames.empty() == sound);
  check(std::ssize(samples) <= kSound.max_samples && std::ssize(frames) <= kFrames.max_frames);
  for (const float sample : samples) {
    check(std::isfinite(sample));
  }
  for (const auto& frame : frames) {
    check(frame.image.width() * frame.image.height() <= kFrames.max_pixels);
    check(frame.index >= 0 && static_cast<std::uint64_t>(frame.index) < reader.end().count);
  }
  return 0;
}
