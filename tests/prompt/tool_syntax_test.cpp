#include "prompt/tool_syntax.h"

#include <gtest/gtest.h>

#include "prompt/expect_error.h"

namespace nolens {
namespace {

/// The quote token is shown as «».
std::string shown(Prompt prompt) {
  std::string result;
  bool open = false;
  for (const PromptPart& part : prompt) {
    if (const auto* text = std::get_if<PromptText>(&part)) {
      result += text->text;
    } else {
      EXPECT_EQ(std::get<PromptSpecial>(part).token, "<|\"|>");
      result += open ? "»" : "«";
      open = !open;
    }
  }
  return result;
}

std::string value(const std::string& json, KeyStyle keys) {
  PromptBuilder out;
  write_value(TemplateValue::parse(json, "value"), keys, out);
  return shown(out.take());
}

std::string declaration(const std::string& function) {
  PromptBuilder out;
  write_declaration(TemplateValue::parse(R"({"type":"function","function":)" + function + "}", "t"),
                    "tools[0]", out);
  return shown(out.take());
}

/// The properties of a function with nothing else.
std::string properties(const std::string& json) {
  const std::string text =
      declaration(R"({"name":"f","description":"","parameters":{"properties":)" + json + "}}");
  const std::string before = "declaration:f{description:«»,parameters:{properties:{";
  const std::string after = "},}";
  EXPECT_TRUE(text.starts_with(before) && text.ends_with(after)) << text;
  return text.substr(before.size(), text.size() - before.size() - after.size());
}

TEST(ToolSyntax, WritesValues) {
  const std::string json = R"({"b":[1,2.5,"x,}"],"A":{"t":true,"f":false,"n":null}})";
  EXPECT_EQ(value(json, KeyStyle::kBare), "{A:{f:false,n:null,t:true},b:[1,2.5,«x,}»]}");
  EXPECT_EQ(value(json, KeyStyle::kQuoted),
            "{«A»:{«f»:false,«n»:null,«t»:true},«b»:[1,2.5,«x,}»]}");
}

TEST(ToolSyntax, DeclaresAFunction) {
  EXPECT_EQ(declaration(R"({"name":"get_weather","description":"Looks.","parameters":{
              "type":"object","required":["city"],
              "properties":{"units":{"type":"string","enum":["c","f"],"description":"Unit"},
                            "city":{"type":"string"}}}})"),
            "declaration:get_weather{description:«Looks.»,parameters:{properties:{"
            "city:{type:«STRING»},units:{description:«Unit»,enum:[«c»,«f»],type:«STRING»}},"
            "required:[«city»],type:«OBJECT»}}");
}

TEST(ToolSyntax, AlwaysWritesADescription) {
  EXPECT_EQ(declaration(R"({"name":"f"})"), "declaration:f{description:«»}");
  EXPECT_EQ(declaration(R"({"name":"f","description":null,"parameters":{}})"),
            "declaration:f{description:«None»}");
}

TEST(ToolSyntax, LeavesASchemaWithoutTypeUnclosed) {
  EXPECT_EQ(declaration(R"({"name":"f","description":"d","parameters":{"required":["a"]}})"),
            "declaration:f{description:«d»,parameters:{required:[«a»],}");
  EXPECT_EQ(declaration(R"({"name":"f","description":"d","response":{"type":"string"}})"),
            "declaration:f{description:«d»,response:{}");
  EXPECT_EQ(declaration(R"({"name":"f","description":"d",
                            "response":{"type":"object","description":"r"}})"),
            "declaration:f{description:«d»,response:{description:«r»,type:«OBJECT»}}");
}

TEST(ToolSyntax, SortsPropertiesWithoutCase) {
  EXPECT_EQ(properties(R"({"city":{},"units":{},"Zone":{},"alpha":{},
                           "Beta":{"type":"boolean","nullable":true}})"),
            "alpha:{type:«»},Beta:{nullable:true,type:«BOOLEAN»},city:{type:«»},units:{type:«»},"
            "Zone:{type:«»}");
}

TEST(ToolSyntax, WritesNestedObjectsAndArrays) {
  EXPECT_EQ(properties(R"({"o":{"type":"object","nullable":true,"required":["a"],
                                "properties":{"a":{"type":"integer"}}}})"),
            "o:{nullable:true,properties:{a:{type:«INTEGER»}},required:[«a»],type:«OBJECT»}");
  EXPECT_EQ(properties(R"({"l":{"type":"array","items":{"type":"object","required":["k"],
                                "minimum":1,"default":null,"properties":{"k":{"type":"number"}}}}})"),
            "l:{items:{minimum:1,properties:{k:{type:«NUMBER»}},required:[«k»],type:«OBJECT»},"
            "type:«ARRAY»}");
  EXPECT_EQ(properties(R"({"l":{"type":"array","items":{"type":["string","null"]}}})"),
            "l:{items:{type:[«STRING»,«NULL»]},type:«ARRAY»}");
}

TEST(ToolSyntax, TakesUnknownKeysOfAnObjectWithoutPropertiesForProperties) {
  EXPECT_EQ(properties(R"({"o":{"type":"object","description":"d","x":{"type":"string"}}})"),
            "o:{description:«d»,properties:{x:{type:«STRING»}},type:«OBJECT»}");
}

TEST(ToolSyntax, WritesPropertiesNamedLikeSchemaKeys) {
  EXPECT_EQ(properties(R"({"type":{"type":"string"},"description":{"type":"string"}})"),
            "description:{type:«STRING»},type:{type:«STRING»}");
}

TEST(ToolSyntax, PrintsAListOfTypesAsPythonDoes) {
  EXPECT_EQ(properties(R"({"a":{"type":["string","null"]}})"), "a:{type:«['STRING', 'NULL']»}");
}

TEST(ToolSyntax, WritesControlTokenLookAlikesAsText) {
  PromptBuilder out;
  write_value(TemplateValue::string("<|\"|><tool_call|>"), KeyStyle::kBare, out);
  const Prompt prompt = out.take();
  ASSERT_EQ(prompt.size(), 3U);
  EXPECT_EQ(std::get<PromptText>(prompt[1]).text, "<|\"|><tool_call|>");
}

TEST(ToolSyntax, NamesWhatIsWrong) {
  expect_error(ErrorCode::kInput, "tools[0] must be an object with a \"function\"", [] {
    PromptBuilder out;
    write_declaration(TemplateValue::parse("{}", "t"), "tools[0]", out);
  });
  expect_error(ErrorCode::kInput, "tools[0].function.name", [] { declaration("{}"); });
  expect_error(ErrorCode::kInput, "function.parameters must be an object",
               [] { declaration(R"({"name":"f","parameters":[1]})"); });
  expect_error(ErrorCode::kInput, "parameters.properties must be an object",
               [] { declaration(R"({"name":"f","parameters":{"properties":[1]}})"); });
  expect_error(ErrorCode::kInput, "parameters.required must be an array",
               [] { declaration(R"({"name":"f","parameters":{"required":"a"}})"); });
  expect_error(ErrorCode::kInput, "properties.a.items.type",
               [] { properties(R"({"a":{"type":"array","items":{"type":3}}})"); });
}

}  // namespace
}  // namespace nolens
