#include "prompt/base64.h"

#include <string>

#include <gtest/gtest.h>

#include "prompt/expect_error.h"

namespace nolens {
namespace {

std::string decoded(std::string_view text) {
  std::string result;
  for (const std::byte byte : decode_base64(text, "picture")) {
    result += static_cast<char>(byte);
  }
  return result;
}

void expect_refused(std::string_view text, const std::string& piece) {
  expect_error(ErrorCode::kInput, piece, [&] { decode_base64(text, "picture"); });
}

TEST(Base64, DecodesTheVectorsOfRfc4648) {
  EXPECT_EQ(decoded(""), "");
  EXPECT_EQ(decoded("Zg=="), "f");
  EXPECT_EQ(decoded("Zm8="), "fo");
  EXPECT_EQ(decoded("Zm9v"), "foo");
  EXPECT_EQ(decoded("Zm9vYg=="), "foob");
  EXPECT_EQ(decoded("Zm9vYmE="), "fooba");
  EXPECT_EQ(decoded("Zm9vYmFy"), "foobar");
}

TEST(Base64, DecodesEveryLetterOfTheAlphabet) {
  EXPECT_EQ(decoded("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/").size(),
            48U);
  EXPECT_EQ(decoded("+/8="), std::string("\xFB\xFF"));
}

TEST(Base64, RefusesEverythingElseWithItsPosition) {
  expect_refused("Zm9v Zm9v", "character 5: white space");
  expect_refused("Zm9v\nZm9v", "character 5: white space");
  expect_refused("Zm-v", "character 3: '-' belongs to the URL-safe alphabet");
  expect_refused("Zm_v", "character 3: '_' belongs to the URL-safe alphabet");
  expect_refused("Zm9*", "character 4: unexpected '*'");
  expect_refused("Zm9\xC3", "character 4: unexpected '\\xc3'");
  expect_refused("Zg==Zg==", "character 3: '=' may only stand at the end");
  expect_refused("Zg=", "multiple of four");
  expect_refused("Zg", "multiple of four");
  expect_refused("Z", "multiple of four");
  expect_refused("Z===", "'=' may only stand at the end");
  expect_refused("====", "'=' may only stand at the end");
  expect_refused("Zh==", "character 2: unused bits");
  expect_refused("Zm9=", "character 3: unused bits");
}

TEST(Base64, SaysWhichPictureItRead) {
  expect_refused("*", "picture: invalid base64");
}

TEST(DataUrl, TakesAnyTypeOfTheKindInAnyCase) {
  EXPECT_EQ(decode_data_url("data:image/png;base64,Zm9v", "image", "p").size(), 3U);
  EXPECT_EQ(decode_data_url("data:image/jpeg;base64,Zm9v", "image", "p").size(), 3U);
  EXPECT_EQ(decode_data_url("data:image/webp;base64,Zm9v", "image", "p").size(), 3U);
  EXPECT_EQ(decode_data_url("data:image/gif;base64,Zm9v", "image", "p").size(), 3U);
  EXPECT_EQ(decode_data_url("data:audio/wav;base64,Zm9v", "audio", "p").size(), 3U);
  EXPECT_EQ(decode_data_url("data:video/mp4;base64,Zm9v", "video", "p").size(), 3U);
  EXPECT_EQ(decode_data_url("DATA:Image/PNG;BASE64,Zm9v", "image", "p").size(), 3U);
}

TEST(DataUrl, RefusesOtherSchemesTypesAndEncodings) {
  for (const char* url : {"", "data:", "data:image/png;base64", "file:///etc/passwd", "x,y"}) {
    expect_error(ErrorCode::kInput, "expected a data URL",
                 [&] { decode_data_url(url, "image", "p"); });
  }
  expect_error(ErrorCode::kInput, "base64-encoded",
               [] { decode_data_url("data:image/png,Zm9v", "image", "p"); });
  for (const char* url :
       {"data:text/html;base64,Zm9v", "data:;base64,Zm9v", "data:audio/wav;base64,Zm9v",
        "data:imagepng;base64,Zm9v"}) {
    expect_error(ErrorCode::kInput, "expected a type that begins with image/",
                 [&] { decode_data_url(url, "image", "p"); });
  }
  expect_error(ErrorCode::kInput, "character 5",
               [] { decode_data_url("data:image/png;base64,Zm9v,Zm9v", "image", "p"); });
}

}  // namespace
}  // namespace nolens
