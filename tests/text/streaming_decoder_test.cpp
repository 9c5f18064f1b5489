// Streaming against decoding the whole sequence.
#include "text/streaming_decoder.h"

#include <random>

#include <gtest/gtest.h>

#include "text/small_tokenizer.h"
#include "text/utf8.h"

namespace nolens {
namespace {

using testing::byte_id;

class StreamingDecoderTest : public ::testing::Test {
 protected:
  const Tokenizer tokenizer = testing::load(testing::small_tokenizer_json());
};

TEST_F(StreamingDecoderTest, PiecesJoinedEqualTheWholeDecodeAndEachIsUtf8) {
  std::mt19937 random(5);
  constexpr unsigned char kLikely[] = {0xF0, 0x9F, 0x98, 0x80, 0xC3, 0xA9, 'a', 0xE4, 0xBD, 0xA0};
  for (int round = 0; round < 3000; ++round) {
    std::vector<TokenId> ids;
    for (std::size_t i = random() % 30; i > 0; --i) {
      switch (random() % 3) {
        case 0: ids.push_back(static_cast<TokenId>(random() % 320) - 2); break;
        case 1: ids.push_back(byte_id(kLikely[random() % std::size(kLikely)])); break;
        default:
          for (const TokenId id : tokenizer.encode("😀é你ab")) {
            ids.push_back(id);
          }
      }
    }
    StreamingDecoder decoder(tokenizer);
    std::string joined;
    for (const TokenId id : ids) {
      const std::string piece = decoder.push(id);
      ASSERT_TRUE(is_valid_utf8(piece)) << "round " << round;
      joined += piece;
    }
    const std::string rest = decoder.finish();
    ASSERT_TRUE(is_valid_utf8(rest));
    ASSERT_EQ(joined + rest, tokenizer.decode(ids)) << "round " << round;
  }
}

TEST_F(StreamingDecoderTest, TextWithoutByteTokensIsNotHeldBack) {
  StreamingDecoder decoder(tokenizer);
  EXPECT_EQ(decoder.push(tokenizer.find("hello")), "hello");
  EXPECT_EQ(decoder.push(tokenizer.find("▁world")), " world");
  EXPECT_EQ(decoder.finish(), "");
}

TEST_F(StreamingDecoderTest, ARunIsShownWhenItEnds) {
  StreamingDecoder decoder(tokenizer);
  for (const char byte : std::string_view("😀")) {
    EXPECT_EQ(decoder.push(byte_id(static_cast<unsigned char>(byte))), "");
  }
  EXPECT_EQ(decoder.push(tokenizer.find("a")), "😀a");
  EXPECT_EQ(decoder.push(byte_id(0xF0)), "");
  EXPECT_EQ(decoder.finish(), "�");
  EXPECT_EQ(decoder.push(byte_id('a')), "") << "a new answer";
  EXPECT_EQ(decoder.finish(), "a");
}

}  // namespace
}  // namespace nolens
