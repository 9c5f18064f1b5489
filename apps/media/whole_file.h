// Whether a file has been cut, as far as its container can tell.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace nolens::media_app {

/// Walks the outermost parts of OGG, MP4, Matroska and GIF files and compares the sizes they claim
/// with the bytes that are there. \throws Failure{kCut} if something is missing. Sizes that mean
/// "not known" (a WAV written to a pipe, a WebM recorded live) pass; so does what is no such file
/// at all.
void check_whole(std::string_view format, std::span<const std::byte> file);

}  // namespace nolens::media_app
