// nolens-media: decodes the sound or the pictures of one file, behind walls. Started by the engine
// (src/media/media_process.cpp); the file is descriptor 0, results go to descriptor 1 as
// src/media/media_wire.h describes.
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <new>
#include <optional>
#include <unistd.h>
#include <vector>

#include <sys/mman.h>
#include <sys/stat.h>

#include "codecs.h"
#include "job.h"
#include "sandbox.h"

namespace nolens::media_app {
namespace {

constexpr int kInput = 0;
constexpr int kOutput = 1;

/// Writes messages to the parent. If that has gone, there is nobody left to work for.
class PipeSink final : public Sink {
 public:
  void samples(std::span<const float> samples) override {
    while (!samples.empty()) {
      const auto part = samples.first(std::min(samples.size(), kSamplesAtOnce));
      message(wire::Type::kSamples, std::as_bytes(part));
      samples = samples.subspan(part.size());
    }
  }
  void frame(const wire::FrameHead& head, std::span<const std::uint8_t> rgb) override {
    const wire::Head first{static_cast<std::uint32_t>(wire::Type::kFrame),
                           static_cast<std::uint32_t>(sizeof(head) + rgb.size())};
    write(bytes_of(first));
    write(bytes_of(head));
    write(std::as_bytes(rgb));
  }
  void restart() override { message(wire::Type::kRestart, {}); }
  void end(const wire::End& end) override { message(wire::Type::kEnd, bytes_of(end)); }
  void hello(std::uint32_t protections) {
    message(wire::Type::kHello, bytes_of(wire::Hello{wire::kMagic, protections}));
  }
  void problem(const Failure& failure) {
    wire::Problem problem;
    problem.reason = static_cast<std::uint32_t>(failure.reason);
    problem.a = failure.a;
    problem.b = failure.b;
    failure.word.copy(problem.word, sizeof(problem.word) - 1);
    message(wire::Type::kProblem, bytes_of(problem));
  }

 private:
  static constexpr std::size_t kSamplesAtOnce = wire::kMaxSampleBytes / sizeof(float);

  template <typename T>
  static std::span<const std::byte> bytes_of(const T& value) {
    return std::as_bytes(std::span(&value, 1));
  }
  static void message(wire::Type type, std::span<const std::byte> payload) {
    write(bytes_of(
        wire::Head{static_cast<std::uint32_t>(type), static_cast<std::uint32_t>(payload.size())}));
    write(payload);
  }
  static void write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(kOutput, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) {
        continue;
      }
      if (written <= 0) {
        ::_exit(1);
      }
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
  }
};

struct CommandLine {
  std::string_view mode;
  Job job;
  SandboxOptions sandbox;
};

bool set_number(CommandLine& line, std::string_view key, std::int64_t value) {
  Limits& limits = line.job.limits;
  struct Entry {
    std::string_view key;
    std::int64_t* target;
  };
  const Entry entries[] = {{"memory", &line.sandbox.memory_bytes},
                           {"cpu", &line.sandbox.cpu_seconds},
                           {"samples", &limits.samples},
                           {"keep", &limits.keep},
                           {"frames", &limits.frames},
                           {"milliseconds", &limits.milliseconds},
                           {"side", &limits.side},
                           {"pixels", &limits.pixels},
                           {"bytes", &limits.bytes}};
  for (const Entry& entry : entries) {
    if (entry.key == key) {
      *entry.target = value;
      return true;
    }
  }
  if (key == "parent") {
    line.sandbox.parent = static_cast<pid_t>(value);
    return true;
  }
  line.job.white = value != 0;
  return key == "white";
}

std::optional<CommandLine> parse(std::span<char*> words) {
  if (words.size() < 3) {
    return std::nullopt;
  }
  CommandLine line;
  line.sandbox.output = kOutput;
  line.mode = words[1];
  line.job.format = words[2];
  for (const std::string_view word : words.subspan(3)) {
    const std::size_t equal = word.find('=');
    std::int64_t value = 0;
    if (equal == std::string_view::npos) {
      return std::nullopt;
    }
    const char* end = word.data() + word.size();
    const auto result = std::from_chars(word.data() + equal + 1, end, value);
    if (result.ec != std::errc() || result.ptr != end || value < 0 ||
        !set_number(line, word.substr(0, equal), value)) {
      return std::nullopt;
    }
  }
  line.job.limits.frames = std::min(line.job.limits.frames, kMostFrames);
  const bool known = line.mode == "audio" || line.mode == "video" || line.mode == "picture";
  return known ? std::optional(line) : std::nullopt;
}

std::optional<std::span<const std::byte>> map_input() {
  struct stat status = {};
  if (::fstat(kInput, &status) != 0 || status.st_size <= 0) {
    return std::nullopt;
  }
  const auto size = static_cast<std::size_t>(status.st_size);
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, kInput, 0);
  if (address == MAP_FAILED) {  // NOLINT: the macro is a C-style cast
    return std::nullopt;
  }
  return std::span(static_cast<const std::byte*>(address), size);
}

void decode(const CommandLine& line, PipeSink& sink) {
  try {
    if (line.mode == "audio") {
      decode_sound(line.job, sink);
    } else if (line.mode == "video") {
      decode_clip(line.job, sink);
    } else {
      decode_picture(line.job, sink);
    }
  } catch (const Failure& failure) {
    sink.problem(failure);
  } catch (const std::bad_alloc&) {
    sink.problem({.reason = wire::Reason::kMemory});
  }
}

int run(std::span<char*> words) {
  std::optional<CommandLine> line = parse(words);
  const auto file = map_input();
  if (!line || !file) {
    std::fputs("nolens-media is started by nolens; docs/media.md describes it\n", stderr);
    return 2;
  }
  line->job.file = *file;
  ::tzset();  // reads files, which times in a clip's headers would otherwise do later
  quiet_libraries();
  const std::uint32_t protections = enter_sandbox(line->sandbox);
  PipeSink sink;
  sink.hello(protections);
  if ((protections & wire::kSystemCallFilter) == 0) {
    sink.problem({.reason = wire::Reason::kNoSandbox});
  } else {
    decode(*line, sink);
  }
  return 0;
}

}  // namespace
}  // namespace nolens::media_app

int main(int argc, char** argv) {
  const int code = nolens::media_app::run({argv, static_cast<std::size_t>(argc)});
  // Without the libraries' clean-up: it is of no use here and may want more than the filter lets
  // it.
  ::_exit(code);
}
