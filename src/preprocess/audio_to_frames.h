// Samples -> rows that the audio embedder takes. There is no spectrogram: a token is a run of raw samples.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/matrix.h"

namespace nolens {

/// Rows of `frame_size` samples that `samples` samples fill, the last one perhaps in part.
[[nodiscard]] std::int64_t num_audio_frames(std::int64_t samples, std::int64_t frame_size) noexcept;

/// Frames first_frame … first_frame + frames.rows - 1 of the sound; beyond its end zeros.
/// frames [n, frame_size]
void audio_to_frames(std::span<const float> samples, std::int64_t first_frame, Matrix frames);

/// Ends of the pieces into which a long sound is cut, in samples; the last one is samples.size(). A piece
/// has at most `max_samples`, a multiple of frame_size. Cuts fall at the latest of the places where the
/// sound is quietest over 0.2 s (within 1 dB) in the second half of the room a piece has, on multiples of
/// `frame_size`, so that no token mixes two pieces.
[[nodiscard]] std::vector<std::int64_t> pause_cuts(std::span<const float> samples,
                                                   std::int64_t max_samples,
                                                   std::int64_t frame_size);

}  // namespace nolens
