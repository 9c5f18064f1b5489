// A WAV file without anything but its format and its samples.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace nolens::media_app {

/// What the demuxer gets to see in place of the file: `head`, then `samples`.
struct WavView {
  std::string head;  ///< RIFF, fmt and the start of data, with sizes that are true
  std::span<const std::byte> samples;
};

/// Finds the format and the samples (RIFF: Microsoft/IBM 1991; RF64: EBU Tech 3306). Other chunks
/// (texts, loops, covers) are stepped over, so nothing ever parses them. A size of 0 or 0xFFFFFFFF,
/// as programs leave it that write to a pipe, means "to the end of the file". \throws Failure{kCut}
/// if a chunk goes beyond the file, Failure{kCorrupt} without a format before samples
WavView view_wav(std::span<const std::byte> file);

}  // namespace nolens::media_app
