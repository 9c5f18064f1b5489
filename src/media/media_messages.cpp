// The sentences for everything that can go wrong with nolens-media. Not a word in them comes from
// the process: it gives numbers, and names of codecs that MediaReader has checked.
#include <csignal>
#include <string>

#include "nolens/error.h"

#include "media/media_process.h"

namespace nolens {
namespace {

std::string_view noun(MediaTarget target) {
  switch (target) {
    case MediaTarget::kSound: return "sound";
    case MediaTarget::kClip: return "clip";
    case MediaTarget::kPicture: break;
  }
  return "picture";
}

std::string seconds(double value) {
  std::string text = std::to_string(value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') {
    text.pop_back();
  }
  return text + " s";
}

std::string size_text(std::int64_t width, std::int64_t height) {
  return std::to_string(width) + " x " + std::to_string(height) + " pixels";
}

struct Sentence {
  ErrorCode code = ErrorCode::kInput;
  std::string text;
};

Sentence cut(const std::string& format, const wire::Problem& problem) {
  if (problem.a <= 0) {
    return {ErrorCode::kInput,
            "the " + format + " data is cut before its end; copy the file again"};
  }
  return {ErrorCode::kInput, "the " + format + " data is cut: it should have " +
                                 std::to_string(problem.a) + " bytes, " +
                                 std::to_string(problem.b) + " are there; copy the file again"};
}

Sentence too_large(const MediaTask& task, const wire::Problem& problem) {
  const bool clip = task.target == MediaTarget::kClip;
  std::string limit = "no side may exceed " + std::to_string(clip ? task.options.clip.max_video_side
                                                                  : task.options.image.max_side);
  if (!clip) {
    limit += ", and there may be " + std::to_string(task.options.image.max_pixels) + " pixels";
  }
  return {ErrorCode::kResource, "a picture in the file has " + size_text(problem.a, problem.b) +
                                    ", too large: " + limit + "; scale it down first"};
}

Sentence codec(const MediaTask& task, const wire::Problem& problem) {
  const std::string found = problem.word[0] == '\0' ? "of an unknown kind" : problem.word;
  const bool sound = task.target == MediaTarget::kSound;
  return {ErrorCode::kInput,
          std::string("its ") + (sound ? "sound" : "picture") + " track is coded as " + found +
              "; " +
              (sound ? "PCM, ADPCM (IMA, MS), FLAC, MP3, Vorbis, Opus, AAC and ALAC are supported"
                     : "H.264, HEVC, VP8, VP9, AV1, MPEG-4 part 2 and Motion JPEG are supported") +
              ": convert it first"};
}

Sentence sentence_for(const MediaTask& task, const wire::Problem& problem) {
  const std::string format(display_name(task.format));
  const ClipLimits& clip = task.options.clip;
  switch (static_cast<wire::Reason>(problem.reason)) {
    case wire::Reason::kNoSandbox:
      return {
          ErrorCode::kResource,
          "nolens-media decodes only behind a system call filter (seccomp), which this kernel or "
          "container does not offer; allow it, or convert the file first"};
    case wire::Reason::kCut: return cut(format, problem);
    case wire::Reason::kCorrupt:
      return {ErrorCode::kInput,
              "the " + format + " data is corrupt" +
                  (problem.a < 0 ? std::string(" or incomplete: its headers make no sense")
                                 : " (packet " + std::to_string(problem.a) + ")")};
    case wire::Reason::kNoSound:
      return {ErrorCode::kInput, "the " + format + " file has no sound track"};
    case wire::Reason::kNoPictures:
      return {
          ErrorCode::kInput,
          "the " + format + " file has no moving pictures; if it holds sound, give it as a sound"};
    case wire::Reason::kCodec: return codec(task, problem);
    case wire::Reason::kEmpty:
      return {ErrorCode::kInput,
              "the " + format + " " + std::string(noun(task.target)) + " is empty: it holds " +
                  (task.target == MediaTarget::kSound ? "no sample" : "no frame")};
    case wire::Reason::kNotFinite:
      return {ErrorCode::kInput,
              "sample " + std::to_string(problem.a) + " of the sound is not a finite number"};
    case wire::Reason::kTooLoud:
      return {ErrorCode::kInput, "sample " + std::to_string(problem.a) +
                                     " of the sound is beyond a million times full scale (1.0)"};
    case wire::Reason::kSampleRate:
      return {ErrorCode::kInput, "a sample rate of " + std::to_string(problem.a) +
                                     " per second; 1000 to 768000 are supported"};
    case wire::Reason::kRateChanges:
      return {ErrorCode::kInput, "the sample rate changes from " + std::to_string(problem.a) +
                                     " to " + std::to_string(problem.b) +
                                     " in the middle; convert it to one rate first"};
    case wire::Reason::kTooLong: {
      const bool sound = task.target == MediaTarget::kSound;
      return {ErrorCode::kResource,
              "the " + std::string(noun(task.target)) + " is longer than the limit of " +
                  seconds(sound ? clip.max_audio_seconds : clip.max_video_seconds) +
                  "; cut it first"};
    }
    case wire::Reason::kTooManyFrames:
      return {ErrorCode::kResource, "the clip has more frames than the limit of " +
                                        std::to_string(clip.max_video_frames) + "; cut it first"};
    case wire::Reason::kTooLarge: return too_large(task, problem);
    case wire::Reason::kTooManyBytes:
      return {ErrorCode::kResource, "decoded it takes " + std::to_string(problem.a) +
                                        " bytes, more than the limit of " +
                                        std::to_string(clip.max_decoded_bytes) +
                                        "; take fewer frames or scale it down first"};
    case wire::Reason::kSizeChanges:
      return {ErrorCode::kInput, "the video size changes in the middle, to " +
                                     size_text(problem.a, problem.b) +
                                     "; convert it to one size first"};
    case wire::Reason::kMemory:
      return {ErrorCode::kResource, "decoding the " + format + " data takes more memory than the " +
                                        std::to_string(clip.memory_bytes) + " bytes allowed"};
  }
  return {ErrorCode::kInternal, "internal error: a reason without a sentence"};
}

/// The process ended without giving a reason.
Sentence sentence_for(const MediaTask& task, const MediaReader& reader,
                      const MediaFailure& failure) {
  const std::string format(display_name(task.format));
  if (failure.deadline || (failure.exit.how == ChildExit::How::kSignal &&
                           (failure.exit.value == SIGXCPU || failure.exit.value == SIGKILL) &&
                           reader.fault().empty())) {
    return {ErrorCode::kResource, "decoding the " + format +
                                      " data took longer than the limit of " +
                                      seconds(task.options.clip.decode_seconds)};
  }
  if (!reader.hello()) {
    return {ErrorCode::kResource,
            "nolens-media did not start properly" +
                (reader.fault().empty() ? std::string() : ": " + reader.fault()) +
                "; it must be of the same version as this program, with its libraries installed"};
  }
  if (failure.exit.how == ChildExit::How::kSignal && failure.exit.value == SIGSYS) {
    return {ErrorCode::kInput,
            "the decoder of the " + format +
                " data tried something that is not its business and was stopped"};
  }
  if (failure.exit.how == ChildExit::How::kSignal && reader.fault().empty()) {
    return {ErrorCode::kInput, "the decoder of the " + format + " data crashed (signal " +
                                   std::to_string(failure.exit.value) + "); the file is broken"};
  }
  return {ErrorCode::kInput, "the decoder of the " + format + " data went wrong" +
                                 (reader.fault().empty() ? "" : ": " + reader.fault())};
}

}  // namespace

std::string supported_kinds(MediaTarget target) {
  switch (target) {
    case MediaTarget::kSound:
      return "supported sounds are WAV, FLAC, MP3, OGG and M4A, and the sound of MP4, MKV and WebM";
    case MediaTarget::kClip: return "supported clips are MP4, MKV, WebM and GIF";
    case MediaTarget::kPicture: break;
  }
  return "supported pictures are JPEG, PNG, WebP, GIF and BMP";
}

void throw_media_failure(const MediaTask& task, const MediaReader& reader,
                         const MediaFailure& failure) {
  const Sentence sentence = !failure.deadline && reader.complete() && reader.problem()
                                ? sentence_for(task, *reader.problem())
                                : sentence_for(task, reader, failure);
  throw Error(sentence.code, task.name + ": " + sentence.text);
}

}  // namespace nolens
