// UTF-8 decoding over all code points and all kinds of broken bytes.
#include "text/utf8.h"

#include <string>

#include <gtest/gtest.h>

namespace nolens {
namespace {

std::string encode(char32_t code_point) {
  std::string text;
  const auto put = [&](char32_t bits) { text += static_cast<char>(bits); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xC0 | code_point >> 6);
    put(0x80 | (code_point & 0x3F));
  } else if (code_point < 0x10000) {
    put(0xE0 | code_point >> 12);
    put(0x80 | (code_point >> 6 & 0x3F));
    put(0x80 | (code_point & 0x3F));
  } else {
    put(0xF0 | code_point >> 18);
    put(0x80 | (code_point >> 12 & 0x3F));
    put(0x80 | (code_point >> 6 & 0x3F));
    put(0x80 | (code_point & 0x3F));
  }
  return text;
}

TEST(Utf8, EveryCodePointExceptSurrogatesIsDecodedToItself) {
  for (char32_t code_point = 0; code_point <= 0x110000; ++code_point) {
    const std::string text = encode(code_point);
    const DecodedChar decoded = decode_char(text, 0);
    const bool valid = code_point <= 0x10FFFF && (code_point < 0xD800 || code_point > 0xDFFF);
    ASSERT_EQ(decoded.code_point, valid ? code_point : kInvalidByte) << std::hex << +code_point;
    ASSERT_EQ(decoded.length, valid ? text.size() : 1) << std::hex << +code_point;
    ASSERT_EQ(is_valid_utf8(text), valid) << std::hex << +code_point;
  }
}

TEST(Utf8, OverlongFormsAreInvalid) {
  for (const char* text : {"\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xE0\x9F\xBF",
                           "\xF0\x80\x80\x80", "\xF0\x8F\xBF\xBF"}) {
    EXPECT_FALSE(is_valid_utf8(text));
    EXPECT_EQ(decode_char(text, 0).length, 1U);
  }
}

TEST(Utf8, ACharacterCutAnywhereIsInvalid) {
  for (const std::string whole : {"é", "中", "😀"}) {
    for (std::size_t size = 1; size < whole.size(); ++size) {
      EXPECT_FALSE(is_valid_utf8(whole.substr(0, size))) << whole << " cut to " << size;
      EXPECT_FALSE(is_valid_utf8(whole.substr(size))) << whole << " from " << size;
    }
  }
}

TEST(Utf8, BytesThatNeverOccurAreInvalid) {
  for (const unsigned byte : {0x80U, 0xBFU, 0xC0U, 0xC1U, 0xF5U, 0xF8U, 0xFEU, 0xFFU}) {
    const std::string text = {static_cast<char>(byte), '\x80', '\x80', '\x80'};
    EXPECT_EQ(decode_char(text, 0).code_point, kInvalidByte) << byte;
  }
}

TEST(Utf8, AByteRunIsTakenOrReplacedAsAWhole) {
  const auto run = [](std::string_view bytes) {
    std::string text = "x";
    append_byte_run(bytes, text);
    return text;
  };
  EXPECT_EQ(run(""), "x");
  EXPECT_EQ(run("a\xE4\xBD\xA0"), "xa你");
  EXPECT_EQ(run("\xE4\xBD\xA0\xFF"), "x����");
  EXPECT_EQ(run("\xE4\xBD"), "x��");
}

TEST(Utf8, WhiteSpaceIsUnicodes) {
  int count = 0;
  for (char32_t code_point = 0; code_point <= 0x10FFFF; ++code_point) {
    count += is_white_space(code_point) ? 1 : 0;
  }
  EXPECT_EQ(count, 25);  // PropList.txt, White_Space
  EXPECT_TRUE(is_white_space(U'\u00A0'));
  EXPECT_FALSE(is_white_space(U'\u200B'));
}

}  // namespace
}  // namespace nolens
