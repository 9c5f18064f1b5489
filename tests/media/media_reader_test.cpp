#include "media/media_reader.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nolens {
namespace {

using ::testing::HasSubstr;
using Bytes = std::vector<std::byte>;

template <typename T>
void append(Bytes& stream, const T& value) {
  const auto bytes = std::as_bytes(std::span(&value, 1));
  stream.insert(stream.end(), bytes.begin(), bytes.end());
}

/// Builds a stream message by message.
class Stream {
 public:
  Stream& hello(std::uint32_t magic = wire::kMagic) {
    return fixed(wire::Type::kHello, wire::Hello{magic, 31});
  }
  Stream& samples(const std::vector<float>& values) {
    head(wire::Type::kSamples, values.size() * sizeof(float));
    for (const float value : values) {
      append(bytes, value);
    }
    return *this;
  }
  Stream& frame(std::uint32_t width, std::uint32_t height, std::uint64_t index) {
    const std::size_t size = std::size_t{3} * width * height;
    head(wire::Type::kFrame, sizeof(wire::FrameHead) + size);
    append(bytes, wire::FrameHead{width, height, index});
    bytes.insert(bytes.end(), size, std::byte{static_cast<unsigned char>(index)});
    return *this;
  }
  Stream& restart() { return head(wire::Type::kRestart, 0); }
  Stream& end(std::uint64_t count) { return fixed(wire::Type::kEnd, wire::End{count, 25, 1}); }
  Stream& problem(const wire::Problem& problem) { return fixed(wire::Type::kProblem, problem); }
  Stream& head(wire::Type type, std::size_t size) {
    append(bytes, wire::Head{static_cast<std::uint32_t>(type), static_cast<std::uint32_t>(size)});
    return *this;
  }
  Bytes bytes;

 private:
  template <typename T>
  Stream& fixed(wire::Type type, const T& value) {
    head(type, sizeof(T));
    append(bytes, value);
    return *this;
  }
};

constexpr MediaReaderLimits kSound{.max_samples = 10, .max_bytes = 1000};
constexpr MediaReaderLimits kClip{
    .max_frames = 3, .max_side = 8, .max_pixels = 32, .max_bytes = 200};

std::string fault_of(const Stream& stream, const MediaReaderLimits& limits) {
  MediaReader reader(limits);
  EXPECT_FALSE(reader.feed(stream.bytes));
  EXPECT_FALSE(reader.complete());
  EXPECT_FALSE(reader.feed(Bytes(10))) << "it stays refused";
  EXPECT_TRUE(reader.take_samples().empty());
  EXPECT_TRUE(reader.take_frames().empty());
  return reader.fault();
}

TEST(MediaReader, TakesSamplesInPiecesOfAnySize) {
  const Stream stream = Stream().hello().samples({1, 2, 3}).samples({4}).end(4);
  for (std::size_t piece = 1; piece <= stream.bytes.size(); ++piece) {
    MediaReader reader(kSound);
    for (std::size_t at = 0; at < stream.bytes.size(); at += piece) {
      EXPECT_FALSE(reader.complete());
      ASSERT_TRUE(reader.feed(
          std::span(stream.bytes).subspan(at).first(std::min(piece, stream.bytes.size() - at))));
    }
    EXPECT_TRUE(reader.complete());
    EXPECT_THAT(reader.take_samples(), ::testing::ElementsAre(1, 2, 3, 4));
  }
}

TEST(MediaReader, TakesFramesAndForgetsThemOnRestart) {
  MediaReader reader(kClip);
  ASSERT_TRUE(reader.feed(Stream()
                              .hello()
                              .frame(4, 2, 0)
                              .frame(4, 2, 9)
                              .restart()
                              .frame(4, 2, 1)
                              .frame(4, 2, 5)
                              .end(7)
                              .bytes));
  ASSERT_TRUE(reader.complete());
  EXPECT_EQ(reader.end().count, 7U);
  EXPECT_EQ(reader.end().rate_numerator, 25U);
  const auto frames = reader.take_frames();
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[1].index, 5);
  EXPECT_EQ(frames[1].image.width(), 4);
  EXPECT_EQ(frames[1].image.height(), 2);
  EXPECT_EQ(frames[1].image.rgb()[23], 5);
}

/// Writes `text` and the zero behind it; the rest stays.
void set_word(wire::Problem& problem, std::string_view text) {
  problem.word[text.copy(problem.word, sizeof(problem.word) - 1)] = '\0';
}

TEST(MediaReader, GivesTheReasonOfAProblem) {
  MediaReader reader(kSound);
  wire::Problem problem;
  problem.reason = static_cast<std::uint32_t>(wire::Reason::kCodec);
  set_word(problem, "jpeg2000");
  ASSERT_TRUE(reader.feed(Stream().hello().samples({1}).problem(problem).bytes));
  ASSERT_TRUE(reader.complete());
  EXPECT_STREQ(reader.problem()->word, "jpeg2000");
  EXPECT_TRUE(reader.take_samples().empty());
}

TEST(MediaReader, IsIncompleteUntilTheLastMessage) {
  const Stream stream = Stream().hello().frame(4, 2, 0).end(1);
  for (std::size_t size = 0; size < stream.bytes.size(); ++size) {
    MediaReader reader(kClip);
    EXPECT_TRUE(reader.feed(std::span(stream.bytes).first(size)));
    EXPECT_FALSE(reader.complete()) << size;
  }
}

TEST(MediaReader, RefusesMessagesOutOfOrder) {
  const std::string unexpected = "it wrote a message that is not expected here";
  EXPECT_EQ(fault_of(Stream().samples({1}), kSound), unexpected);
  EXPECT_EQ(fault_of(Stream().hello().hello(), kSound), unexpected);
  EXPECT_EQ(fault_of(Stream().end(0), kSound), unexpected);
  EXPECT_EQ(fault_of(Stream().hello().frame(4, 2, 0), kSound), unexpected);
  EXPECT_EQ(fault_of(Stream().hello().samples({1}), kClip), unexpected);
  EXPECT_EQ(fault_of(Stream().hello().restart(), kSound), unexpected);
  EXPECT_EQ(fault_of(Stream().hello().restart().restart(), kClip), unexpected);
  EXPECT_EQ(fault_of(Stream().hello().head(static_cast<wire::Type>(77), 0), kSound), unexpected);
  EXPECT_EQ(fault_of(Stream().hello(0x12345678), kSound), "it is of another version");
  EXPECT_EQ(fault_of(Stream().hello().samples({1}).end(1).end(1), kSound),
            "it wrote more after its last message");
}

TEST(MediaReader, RefusesWrongAndHugeSizesBeforeMemoryIsTaken) {
  EXPECT_THAT(fault_of(Stream().hello().head(wire::Type::kSamples, 3), kSound),
              HasSubstr("block of samples"));
  EXPECT_THAT(fault_of(Stream().hello().head(wire::Type::kSamples, 0), kSound),
              HasSubstr("block of samples"));
  EXPECT_THAT(fault_of(Stream().hello().head(wire::Type::kSamples, 0xFFFFFFFC), kSound),
              HasSubstr("block of samples"));
  EXPECT_THAT(fault_of(Stream().head(wire::Type::kHello, 9), kSound), HasSubstr("wrong size"));
  EXPECT_THAT(fault_of(Stream().hello().head(wire::Type::kEnd, 0xFFFFFFFF), kSound),
              HasSubstr("wrong size"));
  Stream frame = Stream().hello().head(wire::Type::kFrame, 16);
  append(frame.bytes, wire::FrameHead{4, 4, 0});
  EXPECT_THAT(fault_of(frame, kClip), HasSubstr("picture of a wrong size"));
  for (const auto& [width, height] :
       {std::pair{0U, 4U}, {9U, 1U}, {1U, 9U}, {8U, 5U}, {~0U, ~0U}}) {
    Stream large = Stream().hello().head(wire::Type::kFrame, 16 + 12);
    append(large.bytes, wire::FrameHead{width, height, 0});
    EXPECT_THAT(fault_of(large, kClip), HasSubstr("beyond the allowed size"));
  }
}

TEST(MediaReader, CountsWhatArrives) {
  EXPECT_THAT(fault_of(Stream().hello().samples(std::vector<float>(11)), kSound),
              HasSubstr("more samples"));
  EXPECT_THAT(
      fault_of(Stream().hello().samples(std::vector<float>(6)).samples(std::vector<float>(5)),
               kSound),
      HasSubstr("more samples"));
  EXPECT_THAT(
      fault_of(Stream().hello().frame(1, 1, 0).frame(1, 1, 1).frame(1, 1, 2).frame(1, 1, 3), kClip),
      HasSubstr("more pictures"));
  EXPECT_THAT(fault_of(Stream().hello().frame(8, 4, 0).frame(8, 4, 1).frame(8, 4, 2), kClip),
              HasSubstr("more pictures"));
}

TEST(MediaReader, RefusesResultsThatDoNotFitTogether) {
  const std::string count = "its count does not fit what it wrote";
  EXPECT_EQ(fault_of(Stream().hello().end(0), kSound), count);
  EXPECT_EQ(fault_of(Stream().hello().samples({1, 2}).end(3), kSound), count);
  EXPECT_EQ(fault_of(Stream().hello().end(5), kClip), count);
  EXPECT_EQ(fault_of(Stream().hello().frame(1, 1, 5).end(5), kClip), count);
  EXPECT_EQ(fault_of(Stream().hello().frame(1, 1, 0).end(~std::uint64_t{0}), kClip), count);
  EXPECT_THAT(fault_of(Stream().hello().frame(1, 1, 3).frame(1, 1, 3), kClip),
              HasSubstr("out of order"));
  EXPECT_THAT(fault_of(Stream().hello().frame(1, 1, ~std::uint64_t{0}), kClip),
              HasSubstr("out of order"));
  EXPECT_THAT(fault_of(Stream().hello().frame(1, 1, 0).frame(2, 1, 1), kClip),
              HasSubstr("different sizes"));
}

TEST(MediaReader, RefusesSamplesThatAreNotFinite) {
  for (const float value : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    EXPECT_EQ(fault_of(Stream().hello().samples({0, value}), kSound),
              "it wrote samples that are not finite");
  }
}

TEST(MediaReader, RefusesReasonsThatDoNotExistAndWordsThatAreNone) {
  wire::Problem problem;
  EXPECT_THAT(fault_of(Stream().hello().problem(problem), kSound),
              HasSubstr("a reason that does not exist"));
  problem.reason = static_cast<std::uint32_t>(wire::Reason::kLast) + 1;
  EXPECT_THAT(fault_of(Stream().hello().problem(problem), kSound), HasSubstr("a reason"));
  problem.reason = static_cast<std::uint32_t>(wire::Reason::kCodec);
  set_word(problem, "evil\x1B[2J");
  EXPECT_THAT(fault_of(Stream().hello().problem(problem), kSound), HasSubstr("a reason"));
  std::memset(problem.word, 'a', sizeof(problem.word));
  set_word(problem, "a");  // letters behind the end
  EXPECT_THAT(fault_of(Stream().hello().problem(problem), kSound), HasSubstr("a reason"));
}

}  // namespace
}  // namespace nolens
