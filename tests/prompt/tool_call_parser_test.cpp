#include "prompt/tool_call_parser.h"

#include <string>

#include <gtest/gtest.h>

namespace nolens {
namespace {

/// « and » stand for the quote token.
std::string with_quotes(std::string text) {
  for (const char* mark : {"«", "»"}) {
    for (std::size_t i = text.find(mark); i != std::string::npos; i = text.find(mark)) {
      text.replace(i, 2, "<|\"|>");
    }
  }
  return text;
}

std::string arguments(const std::string& braces) {
  const auto call = parse_tool_call(with_quotes("call:f" + braces));
  return call ? call->arguments : "refused";
}

TEST(ToolCallParser, ReadsNameAndArguments) {
  const auto call = parse_tool_call(with_quotes("call:get_weather{city:«Bangkok»,days:3}"));
  ASSERT_TRUE(call);
  EXPECT_EQ(call->name, "get_weather");
  EXPECT_EQ(call->arguments, R"({"city":"Bangkok","days":3})");
  EXPECT_EQ(call->id, "");
}

TEST(ToolCallParser, ReadsEveryKindOfValue) {
  EXPECT_EQ(arguments("{}"), "{}");
  EXPECT_EQ(arguments("{a:-3,b:2.5,c:1e3,d:0,e:-0.5E-7}"),
            R"({"a":-3,"b":2.5,"c":1e3,"d":0,"e":-0.5E-7})");
  EXPECT_EQ(arguments("{a:true,b:false,c:null}"), R"({"a":true,"b":false,"c":null})");
  EXPECT_EQ(arguments("{a:[],b:{},c:[1,[2,{x:«y»}]]}"), R"({"a":[],"b":{},"c":[1,[2,{"x":"y"}]]})");
  EXPECT_EQ(arguments("{«a b»:1}"), R"({"a b":1})");
}

TEST(ToolCallParser, TakesAnythingInsideStrings) {
  EXPECT_EQ(arguments("{a:«x,y}]:{\"q\"\n\\»}"), R"({"a":"x,y}]:{\"q\"\n\\"})");
  EXPECT_EQ(arguments("{a:«»}"), R"({"a":""})");
  EXPECT_EQ(arguments("{a:«日本 \xFF»}"), "{\"a\":\"日本 \xEF\xBF\xBD\"}");
}

TEST(ToolCallParser, AllowsWhiteSpaceBetweenTheParts) {
  EXPECT_EQ(arguments("{ a : 1 , b : [ 2 , 3 ] , c : { } }"), R"({"a":1,"b":[2,3],"c":{}})");
}

TEST(ToolCallParser, RefusesWhatIsNoCall) {
  for (const char* text : {"", "call:", "call:f", "call:{}", "call:f g{}", "f{}", "call:f{}x",
                           "call:f{", "call:f{}}"}) {
    EXPECT_FALSE(parse_tool_call(text)) << text;
  }
}

TEST(ToolCallParser, RefusesBareWordsAndBrokenValues) {
  for (const char* braces :
       {"{a:word}", "{a:trueish}", "{a:None}", "{a:\"x\"}", "{a:01}",    "{a:.5}",
        "{a:1.}",   "{a:+1}",      "{a:1e}",   "{a:-}",     "{a:1e400}", "{a:}",
        "{a}",      "{:1}",        "{a:1,}",   "{,a:1}",    "{a:[1,]}",  "{a:[1}",
        "{a:1]",    "{a:«x}",      "{a:1 2}",  "{a:1,a:2}", "{«a:1}"}) {
    EXPECT_EQ(arguments(braces), "refused") << braces;
  }
}

TEST(ToolCallParser, StopsAtSixtyFourLevels) {
  const auto nested = [](std::size_t lists) {
    return "{a:" + std::string(lists, '[') + std::string(lists, ']') + "}";
  };
  EXPECT_NE(arguments(nested(63)), "refused");
  EXPECT_EQ(arguments(nested(64)), "refused");
  EXPECT_EQ(arguments(nested(1'000'000)), "refused");
}

}  // namespace
}  // namespace nolens
