// Reading the files named on the command line.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "nolens/chat.h"
#include "nolens/media.h"

namespace nolens::cli {

/// A path as it may stand in a message: quoted, control characters escaped.
std::string quoted_path(const std::filesystem::path& path);

/// The whole of a regular file. \throws Error{kInput} naming the path if that is not possible.
std::string read_input_file(const std::filesystem::path& path, std::size_t max_bytes);

/// All of stdin. \throws Error{kInput} if it is longer.
std::string read_stdin(std::size_t max_bytes);

/// A picture for a message. \throws Error{kInput, kResource}
ImagePart read_picture(const std::string& path, const MediaOptions& options);
/// A sound for a message; of a clip, its sound. \throws Error{kInput, kResource}
AudioPart read_audio(const std::string& path, const MediaOptions& options);
/// A clip for a message. \throws Error{kInput, kResource}
VideoPart read_video(const std::string& path, const MediaOptions& options);
/// Whichever of the three the file's first bytes say. \throws Error{kInput, kResource}
ContentPart read_media(const std::string& path, const MediaOptions& options);

/// An OpenAI-style messages file; "-" is stdin. Media are found relative to the file.
std::vector<Message> read_messages_file(const std::string& path, const MediaOptions& options);

}  // namespace nolens::cli
