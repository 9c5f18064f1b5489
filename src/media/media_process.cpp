// The life of one nolens-media process, seen from its parent.
#include "media/media_process.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <unistd.h>
#include <vector>

#include "nolens/error.h"

#include "platform/quoted_path.h"

namespace nolens {
namespace {

constexpr char kProgram[] = "nolens-media";
constexpr std::size_t kReadBytes = std::size_t{256} << 10;
/// After its last word the program has this long to end by itself.
constexpr std::chrono::seconds kGrace{2};

void check_options(const ClipLimits& clip, const ImageLimits& image) {
  const auto positive = [](double x) { return std::isfinite(x) && x > 0.0 && x <= 1e9; };
  if (!positive(clip.max_audio_seconds) || !positive(clip.max_video_seconds) ||
      !positive(clip.decode_seconds) || clip.max_video_frames < 1 || clip.max_video_side < 1 ||
      clip.max_decoded_bytes < 1 || clip.memory_bytes < 1 || image.max_pixels < 1 ||
      image.max_side < 1) {
    throw Error(ErrorCode::kUsage, "every limit of MediaOptions must be positive and finite");
  }
}

MediaReaderLimits reader_limits(const MediaTask& task) {
  const ClipLimits& clip = task.options.clip;
  const ImageLimits& image = task.options.image;
  MediaReaderLimits limits;
  limits.max_bytes = clip.max_decoded_bytes;
  switch (task.target) {
    case MediaTarget::kSound:
      limits.max_samples = static_cast<std::int64_t>(
          std::ceil(clip.max_audio_seconds * static_cast<double>(kAudioSampleRate)));
      break;
    case MediaTarget::kClip:
      limits.max_frames = task.max_frames;
      limits.max_side = clip.max_video_side;
      limits.max_pixels = std::numeric_limits<std::int64_t>::max();
      break;
    case MediaTarget::kPicture:
      limits.max_frames = 1;
      limits.max_side = image.max_side;
      limits.max_pixels = image.max_pixels;
      break;
  }
  // What the wire format can say at all.
  constexpr std::int64_t kWireSide = 65'535;
  constexpr std::int64_t kWirePixels = std::int64_t{1} << 30;
  limits.max_side = std::min(limits.max_side, kWireSide);
  limits.max_pixels = std::min(limits.max_pixels, kWirePixels);
  return limits;
}

std::vector<std::string> arguments(const MediaTask& task, const MediaReaderLimits& limits) {
  const ClipLimits& clip = task.options.clip;
  const auto number = [](const char* key, std::int64_t value) {
    return std::string(key) + "=" + std::to_string(value);
  };
  const char* mode = task.target == MediaTarget::kSound  ? "audio"
                     : task.target == MediaTarget::kClip ? "video"
                                                         : "picture";
  return {mode,
          std::string(decoder_word(task.format)),
          number("parent", ::getpid()),
          number("memory", clip.memory_bytes),
          number("cpu", static_cast<std::int64_t>(std::ceil(clip.decode_seconds))),
          number("samples", limits.max_samples),
          number("keep", limits.max_frames),
          number("frames", clip.max_video_frames),
          number("milliseconds", static_cast<std::int64_t>(clip.max_video_seconds * 1000.0)),
          number("side", limits.max_side),
          number("pixels", limits.max_pixels),
          number("bytes", limits.max_bytes),
          number("white", task.options.alpha == AlphaMode::kWhite ? 1 : 0)};
}

/// Only where to find shared libraries: whatever else is in the environment is not the decoder's
/// business.
std::vector<std::string> environment() {
  const char* libraries = std::getenv("LD_LIBRARY_PATH");
  return libraries == nullptr
             ? std::vector<std::string>{}
             : std::vector<std::string>{std::string("LD_LIBRARY_PATH=") + libraries};
}

bool is_program(const std::filesystem::path& path) {
  return ::access(path.c_str(), X_OK) == 0 && !std::filesystem::is_directory(path);
}

std::filesystem::path own_folder() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? std::filesystem::path() : self.parent_path();
}

/// Reads until the stream ends, breaks a rule or the time is up.
MediaFailure collect(int descriptor, ChildProcess& child, MediaReader& reader, Deadline deadline) {
  std::vector<std::byte> buffer(kReadBytes);
  while (true) {
    const ReadResult result = read_until(descriptor, buffer, deadline);
    if (result.outcome == ReadOutcome::kDeadline) {
      return {child.kill(), true};
    }
    if (result.outcome == ReadOutcome::kEnd) {
      break;
    }
    if (!reader.feed({buffer.data(), result.bytes})) {
      return {child.kill(), false};
    }
  }
  const auto exit = child.wait(std::chrono::steady_clock::now() + kGrace);
  return {exit ? *exit : child.kill(), false};
}

}  // namespace

std::filesystem::path find_media_program(const MediaTask& task) {
  std::vector<std::filesystem::path> places;
  const char* variable = std::getenv("NOLENS_MEDIA");
  if (!task.options.program.empty()) {
    places = {task.options.program};
  } else if (variable != nullptr && *variable != '\0') {
    places = {variable};
  } else {
    const auto folder = own_folder();
    places = {folder / kProgram, folder.parent_path() / "libexec" / "nolens" / kProgram};
  }
  std::string tried;
  for (const auto& place : places) {
    if (is_program(place)) {
      return place;
    }
    tried += (tried.empty() ? "" : " and ") + quoted_path(place);
  }
  throw Error(ErrorCode::kResource,
              task.name + ": " + std::string(display_name(task.format)) +
                  " is decoded by the program nolens-media, which is not at " + tried +
                  "; build it with FFmpeg's development packages installed (docs/media.md), or set "
                  "NOLENS_MEDIA to where it is");
}

MediaReader run_media_process(const MediaTask& task) {
  check_options(task.options.clip, task.options.image);
  const MediaReaderLimits limits = reader_limits(task);
  MediaReader reader(limits);

  ChildCommand command;
  command.program = find_media_program(task);
  command.arguments = arguments(task, limits);
  command.environment = environment();
  const Descriptor input = sealed_memory(task.file);
  Pipe output = make_pipe();
  command.descriptors = {{input.number(), 0}, {output.write_end.number(), 1}};

  const auto wall = std::chrono::duration<double>(2.0 * task.options.clip.decode_seconds);
  const auto deadline = std::chrono::steady_clock::now() +
                        std::chrono::duration_cast<std::chrono::steady_clock::duration>(wall);
  ChildProcess child(command);
  output.write_end.reset();  // else the stream would not end with the child
  const MediaFailure end = collect(output.read_end.number(), child, reader, deadline);
  if (!end.deadline && reader.complete() && !reader.problem()) {
    return reader;
  }
  throw_media_failure(task, reader, end);
}

}  // namespace nolens
