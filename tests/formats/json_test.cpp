#include "formats/json.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/temporary_folder.h"

namespace nolens {
namespace {

using ::testing::HasSubstr;

std::string refusal(std::string_view text, const JsonLimits& limits = {}) {
  return model_error_of([&] { parse_json(text, "f.json", ErrorCode::kModel, limits); });
}

TEST(Json, ReadsEveryKindOfValue) {
  const Json json = parse_json(
      R"( {"a": [1, -2, 2.5, true, null, "x"], "b": {"c": {}}, "d": [], "e": [[3], {"f": 4}]} )",
      "f.json", ErrorCode::kModel);
  EXPECT_EQ(json.dump(), R"({"a":[1,-2,2.5,true,null,"x"],"b":{"c":{}},"d":[],"e":[[3],{"f":4}]})");
  EXPECT_EQ(parse_json("7", "f", ErrorCode::kModel), Json(7));
}

TEST(Json, GivesLineAndColumnOfTheMistake) {
  EXPECT_THAT(refusal("{\n  \"a\": 1,\n  \"b\": ]\n}"), HasSubstr("line 3, column 8"));
  EXPECT_THAT(refusal("{\"a\" 1}"), HasSubstr("f.json: not valid JSON"));
  EXPECT_THAT(refusal("{\n\"a\": 1,\n\"a\": 2}"), HasSubstr("line 3, column 3"));
}

TEST(Json, RefusesWhatJsonDoesNotAllow) {
  for (const char* text :
       {"", "   ", "{} {}", "[1,]", "{\"a\":1,}", "// c\n1", "/* c */ 1", "NaN", "[Infinity]",
        "-Infinity", "[01]", "'a'", "{a:1}", "\"\t\"", "\"\\ud800\"", "[1", "{", "\"", "nul"}) {
    EXPECT_THAT(refusal(text), HasSubstr("line ")) << text;
  }
}

TEST(Json, RefusesAByteOrderMark) {
  EXPECT_THAT(refusal("\xEF\xBB\xBF{}"), HasSubstr("byte-order mark"));
}

TEST(Json, RefusesInvalidUtf8) {
  EXPECT_THAT(refusal("\"\xC3(\""), HasSubstr("column"));
  EXPECT_THAT(refusal("\"\xED\xA0\x80\""), HasSubstr("column"));
  EXPECT_THAT(refusal("\"\xF5\x80\x80\x80\""), HasSubstr("column"));
}

TEST(Json, RefusesDuplicateKeysAtAnyDepth) {
  EXPECT_THAT(refusal(R"({"a":1,"a":1})"), HasSubstr("duplicate key \"a\""));
  EXPECT_THAT(refusal(R"([{"x":{"a":1,"b":2,"a":1}}])"), HasSubstr("duplicate key \"a\""));
  EXPECT_THAT(refusal(R"({"a":1,"\u0061":1})"), HasSubstr("duplicate key \"a\""));
  EXPECT_NO_THROW(parse_json(R"([{"a":1},{"a":1}])", "f", ErrorCode::kModel));
}

TEST(Json, RefusesNumbersThatDoNotFit) {
  EXPECT_THAT(refusal("1e999"), HasSubstr("column"));
  EXPECT_THAT(refusal("[-1e999]"), HasSubstr("column"));
}

TEST(Json, BoundsDepthWithoutRecursion) {
  EXPECT_NO_THROW(parse_json(std::string(64, '[') + std::string(64, ']'), "f", ErrorCode::kModel));
  EXPECT_THAT(refusal(std::string(65, '[') + std::string(65, ']')),
              HasSubstr("nested deeper than 64 levels, line 1, column 65"));
  EXPECT_THAT(refusal(std::string(1'000'000, '[')), HasSubstr("nested deeper"));
  std::string objects;
  for (int i = 0; i < 100'000; ++i) {
    objects += "{\"a\":";
  }
  EXPECT_THAT(refusal(objects), HasSubstr("nested deeper"));
}

TEST(Json, BoundsBytesAndValues) {
  JsonLimits limits;
  limits.max_bytes = 4;
  EXPECT_THAT(refusal("[1,2]", limits), HasSubstr("at most 4 are accepted"));
  EXPECT_EQ(parse_json("[11]", "f", ErrorCode::kModel, limits).size(), 1U);
  limits = {};
  limits.max_values = 3;
  EXPECT_THAT(refusal("[1,2,3]", limits), HasSubstr("more than 3 JSON values"));
  EXPECT_EQ(parse_json("[1,2]", "f", ErrorCode::kModel, limits).size(), 2U);
}

TEST(Json, UsesTheCallersErrorCodeAndEscapesFileBytes) {
  EXPECT_THAT(
      error_of(ErrorCode::kInput,
               [] { parse_json("{\"\\u001b[2J\":1,\"\\u001b[2J\":2}", "f", ErrorCode::kInput); }),
      HasSubstr("duplicate key \"\\x1b[2J\""));
  EXPECT_EQ(refusal("[\x1b]").find('\x1b'), std::string::npos);
}

TEST(Json, HasTextIsThereAndAString) {
  const Json json = {{"type", "audio"}, {"count", 1}};
  EXPECT_TRUE(has_text(json, "type", "audio"));
  EXPECT_FALSE(has_text(json, "type", "audi"));
  EXPECT_FALSE(has_text(json, "typ", "audio"));
  EXPECT_FALSE(has_text(json, "count", "1"));
  EXPECT_FALSE(has_text(Json::array({"type", "audio"}), "type", "audio"));
  EXPECT_FALSE(has_text("type", "type", "type"));
  EXPECT_FALSE(has_text(Json(), "type", ""));
}

}  // namespace
}  // namespace nolens
