// What a decoder that has been taken over can do: nothing but end with one sentence.
#include <csignal>
#include <fcntl.h>
#include <thread>

#include "media/media_process.h"
#include "media_files.h"

namespace nolens {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

MediaOptions probe_options() {
  MediaOptions options;
  options.program = NOLENS_MEDIA_PROBE;
  options.clip.decode_seconds = 20.0;
  options.clip.memory_bytes = std::int64_t{256} << 20;
  return options;
}

/// What decode_audio() says when the decoder does this.
std::string outcome(const std::string& action, ErrorCode code = ErrorCode::kInput,
                    const MediaOptions& options = probe_options()) {
  return media_error(code, [&] { sound("RIFF____WAVE" + action, options); });
}

constexpr char kStopped[] =
    "sound: the decoder of the WAV data tried something that is not its business and was stopped";

TEST(Sandbox, LetsAWellBehavedDecoderThrough) {
  EXPECT_EQ(sound("RIFF____WAVEnothing", probe_options()).samples, std::vector<float>{1.0F});
}

TEST(Sandbox, AllWallsStandOnThisMachine) {
  const std::string file = sine(16'000, 440, 100).bytes();
  const MediaOptions options = media_options();
  const MediaReader reader = run_media_process({.file = std::as_bytes(std::span(file)),
                                                .name = "x",
                                                .format = MediaFormat::kWav,
                                                .options = options});
  const std::uint32_t walls = reader.hello()->protections;
  EXPECT_TRUE(walls & wire::kSystemCallFilter);
  EXPECT_TRUE(walls & wire::kNoNewPrivileges);
  EXPECT_TRUE(walls & wire::kLimits);
  EXPECT_TRUE(walls & wire::kNoCapabilities);
  if ((walls & wire::kFileRules) == 0) {
    GTEST_SKIP() << "this kernel has no Landlock; the other walls stand";
  }
}

TEST(Sandbox, StopsEveryCallThatReachesOut) {
  for (const char* action :
       {"open-absolute", "open-relative", "open-proc", "open-folder", "mkdir", "socket", "connect",
        "exec", "fork", "ptrace", "kill-parent", "executable-memory", "make-executable",
        "write-elsewhere", "io-uring", "loosen", "descriptors", "privileges", "abort"}) {
    EXPECT_EQ(outcome(action), kStopped) << action;
  }
  EXPECT_EQ(sound("RIFF____WAVEnothing", probe_options()).samples.size(), 1U)
      << "and the next one works";
}

/// The number in the sentence about a sample, in which the probe reports.
std::string reported(std::int64_t number) {
  return "sound: sample " + std::to_string(number) +
         " of the sound is beyond a million times full scale (1.0)";
}

TEST(Sandbox, OtherWallsStandWithoutTheFilter) {
  EXPECT_EQ(outcome("open:open-relative"), reported(EMFILE)) << "no descriptor may be opened";
  EXPECT_EQ(outcome("open:socket"), reported(EMFILE));
  EXPECT_EQ(outcome("open:descriptors"), reported(1)) << "only the pipe to the parent is open";
  EXPECT_EQ(outcome("open:privileges"), reported(EPERM)) << "also as root";
  EXPECT_EQ(outcome("open:ptrace"), reported(EPERM));
}

TEST(Sandbox, FileRulesStandAlone) {
  const std::string file = sine(16'000, 440, 100).bytes();
  const MediaOptions options = media_options();
  const MediaReader reader = run_media_process({.file = std::as_bytes(std::span(file)),
                                                .name = "x",
                                                .format = MediaFormat::kWav,
                                                .options = options});
  if ((reader.hello()->protections & wire::kFileRules) == 0) {
    GTEST_SKIP() << "this kernel has no Landlock";
  }
  EXPECT_EQ(outcome("open:mkdir"), reported(EACCES));
  EXPECT_EQ(outcome("open:exec"), reported(EACCES));
}

TEST(Sandbox, InheritsNothingButTheFileAndThePipe) {
  const Descriptor leaked(::open("/etc/passwd", O_RDONLY));  // without close-on-exec
  ASSERT_GE(leaked.number(), 0);
  EXPECT_EQ(outcome("before:"), reported(3)) << "0: the file, 1: the pipe, 2: /dev/null";
}

TEST(Sandbox, BoundsMemory) {
  const std::string message = outcome("memory");
  EXPECT_THAT(message, MatchesRegex("sound: sample (1[6-9][0-9]|2[0-5][0-9]) of the sound.*"))
      << "in MiB";
}

TEST(Sandbox, BoundsProcessorTimeAndTheClock) {
  MediaOptions options = probe_options();
  options.clip.decode_seconds = 1.0;
  const std::string late = "sound: decoding the WAV data took longer than the limit of 1 s";
  EXPECT_EQ(outcome("spin", ErrorCode::kResource, options), late);
  options.clip.decode_seconds =
      0.2;  // the processor's limit counts whole seconds: here the clock rules
  EXPECT_EQ(outcome("spin", ErrorCode::kResource, options),
            "sound: decoding the WAV data took longer than the limit of 0.2 s");
}

TEST(Sandbox, DoesNotWaitForADecoderThatClosedItsPipe) {
  EXPECT_THAT(outcome("silent-spin"), HasSubstr("not its business"));  // close() is not allowed
  EXPECT_THAT(outcome("open:silent-spin", ErrorCode::kResource), HasSubstr("took longer"));
}

TEST(Sandbox, RefusesGarbageAndFloods) {
  EXPECT_EQ(outcome("flood"),
            "sound: the decoder of the WAV data went wrong: it wrote a message that is not "
            "expected here");
  EXPECT_THAT(outcome("flood-samples"), HasSubstr("it wrote more samples than were allowed"));
  EXPECT_THAT(outcome("more"), HasSubstr("it wrote more after its last message"));
  EXPECT_THAT(outcome("half"), HasSubstr("the decoder of the WAV data went wrong"));
  EXPECT_THAT(outcome("garbage-hello", ErrorCode::kResource),
              HasSubstr("nolens-media did not start properly"));
}

TEST(Sandbox, ReportsCrashesAndGoesOn) {
  EXPECT_EQ(outcome("crash"),
            "sound: the decoder of the WAV data crashed (signal 11); the file is broken");
  EXPECT_THAT(outcome("exit"), HasSubstr("went wrong"));
  EXPECT_EQ(sound("RIFF____WAVEnothing", probe_options()).samples.size(), 1U);
}

TEST(Sandbox, SaysWhatIsWrongWithAProgramThatIsNoDecoder) {
  MediaOptions options = probe_options();
  options.program = "/bin/true";
  EXPECT_THAT(outcome("x", ErrorCode::kResource, options), HasSubstr("did not start properly"));
  options.program = "/bin/sh";
  EXPECT_THAT(outcome("x", ErrorCode::kResource, options), HasSubstr("did not start properly"));
  options.program = "/etc/passwd";
  EXPECT_THAT(outcome("x", ErrorCode::kResource, options), HasSubstr("is not at '/etc/passwd'"));
}

TEST(Sandbox, RefusesSenselessLimits) {
  MediaOptions options = probe_options();
  options.clip.decode_seconds = std::nan("");
  EXPECT_THAT(outcome("nothing", ErrorCode::kUsage, options),
              HasSubstr("must be positive and finite"));
  options = probe_options();
  options.clip.memory_bytes = 0;
  EXPECT_THAT(outcome("nothing", ErrorCode::kUsage, options), HasSubstr("must be positive"));
}

TEST(Sandbox, ManyThreadsDecodeAtOnce) {
  const std::string flac = media_file("tone.flac");
  const std::string mp4 = media_file("seven.mp4");
  std::vector<std::thread> threads;
  std::vector<int> good(4, 0);
  for (std::size_t i = 0; i < good.size(); ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 3; ++round) {
        if (i == 3) {
          outcome("crash");
          ++good[i];
        } else {
          good[i] +=
              i % 2 == 0 ? sound(flac).samples.size() == 8000 : clip(mp4, 7).frames.size() == 7;
        }
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_THAT(good, ::testing::Each(3));
}

}  // namespace
}  // namespace nolens
