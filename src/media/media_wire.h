// What nolens-media writes to its output: the one file that both sides of the pipe share.
//
// A stream of messages: u32 type, u32 size, then `size` bytes; all numbers in the machine's byte
// order (both ends run on it), which is little. Hello comes first, End or Problem last, then the
// stream ends.
#pragma once

#include <bit>
#include <cstdint>

namespace nolens::wire {

static_assert(std::endian::native == std::endian::little);

enum class Type : std::uint32_t {
  kHello = 1,    ///< Hello: the sandbox is closed, decoding begins
  kSamples = 2,  ///< float32 mono samples, at most kMaxSampleBytes
  kFrame = 3,    ///< FrameHead, then width * height * 3 bytes RGB
  kRestart = 4,  ///< forget the frames so far (their choice rested on a wrong count); once at most
  kEnd = 5,      ///< End
  kProblem = 6,  ///< Problem
};

struct Head {
  std::uint32_t type = 0;
  std::uint32_t size = 0;
};

inline constexpr std::uint32_t kMagic = 0x314D'4C4E;  ///< "NLM1"
inline constexpr std::uint32_t kMaxSampleBytes = 1U << 20;

/// Which protections are in force, as bits of Hello::protections.
inline constexpr std::uint32_t kSystemCallFilter = 1;  ///< seccomp; without it nothing is decoded
inline constexpr std::uint32_t kFileRules = 2;         ///< Landlock
inline constexpr std::uint32_t kNoNewPrivileges = 4;
inline constexpr std::uint32_t kLimits = 8;  ///< memory, processor time, descriptors, files
inline constexpr std::uint32_t kNoCapabilities = 16;

struct Hello {
  std::uint32_t magic = kMagic;
  std::uint32_t protections = 0;
};

struct FrameHead {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  std::uint64_t index = 0;  ///< among the frames of the clip, from 0
};

struct End {
  std::uint64_t count = 0;           ///< samples, or frames the clip has
  std::uint32_t rate_numerator = 0;  ///< frames per second; 0/0 = not known
  std::uint32_t rate_denominator = 0;
};

/// Why nothing comes back. `a`, `b` and `word` say more, as noted.
enum class Reason : std::uint32_t {
  kNoSandbox = 1,  ///< the system has no seccomp filters
  kCut,            ///< a: bytes promised, b: bytes there (0, 0: not known)
  kCorrupt,        ///< a: packet, from 0; -1: the headers
  kNoSound,        ///< a file without a sound track
  kNoPictures,     ///< a file without a picture track
  kCodec,          ///< word: a codec that is not decoded here
  kEmpty,          ///< no sample, no frame
  kNotFinite,      ///< a: the sample
  kTooLoud,        ///< a: the sample
  kSampleRate,     ///< a: the rate
  kRateChanges,    ///< a: before, b: after
  kTooLong,        ///< more samples than allowed
  kTooManyFrames,  ///< more frames than allowed
  kTooLarge,       ///< a: width, b: height
  kTooManyBytes,   ///< a: bytes that would come back
  kSizeChanges,    ///< a: width, b: height of the frame that differs
  kMemory,         ///< out of memory
  kLast = kMemory,
};

struct Problem {
  std::uint32_t reason = 0;
  std::uint32_t reserved = 0;
  std::int64_t a = 0;
  std::int64_t b = 0;
  char word[24] = {};  ///< a-z, 0-9, '_', '-'; zeros behind
};

}  // namespace nolens::wire
