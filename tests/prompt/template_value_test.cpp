#include "prompt/template_value.h"

#include <limits>

#include <gtest/gtest.h>

#include "prompt/expect_error.h"

namespace nolens {
namespace {

std::string printed(const std::string& json) {
  return TemplateValue::parse(json, "value").printed();
}

// Expected texts are what Python 3.11 prints for json.loads(text).
TEST(TemplateValue, PrintsNumbersAsPythonDoes) {
  EXPECT_EQ(printed("2.5"), "2.5");
  EXPECT_EQ(printed("1e3"), "1000.0");
  EXPECT_EQ(printed("1E-4"), "0.0001");
  EXPECT_EQ(printed("0.00001"), "1e-05");
  EXPECT_EQ(printed("1e15"), "1000000000000000.0");
  EXPECT_EQ(printed("1e16"), "1e+16");
  EXPECT_EQ(printed("123456789012345680.0"), "1.2345678901234568e+17");
  EXPECT_EQ(printed("1.7976931348623157e308"), "1.7976931348623157e+308");
  EXPECT_EQ(printed("5e-324"), "5e-324");
  EXPECT_EQ(printed("-0.0"), "-0.0");
  EXPECT_EQ(printed("-0"), "0");
  EXPECT_EQ(printed("0.1"), "0.1");
  EXPECT_EQ(printed("-12.75e1"), "-127.5");
}

TEST(TemplateValue, KeepsIntegersOfAnyLength) {
  EXPECT_EQ(printed("-9223372036854775808"), "-9223372036854775808");
  EXPECT_EQ(printed("18446744073709551615"), "18446744073709551615");
  EXPECT_EQ(printed("100000000000000000000000000000000000001"),
            "100000000000000000000000000000000000001");
}

TEST(TemplateValue, PrintsNonFiniteNumbers) {
  EXPECT_EQ(python_float(std::numeric_limits<double>::infinity()), "inf");
  EXPECT_EQ(python_float(-std::numeric_limits<double>::infinity()), "-inf");
  EXPECT_EQ(python_float(std::numeric_limits<double>::quiet_NaN()), "nan");
}

TEST(TemplateValue, PrintsContainersAsPythonDoes) {
  EXPECT_EQ(printed(R"([1, "a", null, true, {"k": "it's"}])"),
            R"([1, 'a', None, True, {'k': "it's"}])");
  EXPECT_EQ(printed(R"(["both ' and \"", "\n\t\\\u0001é"])"),
            R"(['both \' and "', '\n\t\\\x01é'])");
  EXPECT_EQ(printed(R"("it's")"), "it's");
}

TEST(TemplateValue, SortsKeysWithoutCaseAndKeepsTheOrderOfEqualOnes) {
  const TemplateValue map =
      TemplateValue::parse(R"({"city":1,"Zone":2,"b":3,"alpha":4,"B":5,"Beta":6})", "map");
  std::string keys;
  for (const TemplateValue::Entry* entry : map.sorted_entries()) {
    keys += entry->first + " ";
  }
  EXPECT_EQ(keys, "alpha b B Beta city Zone ");
}

TEST(TemplateValue, KnowsWhatPythonCallsTrue) {
  for (const char* json : {"null", "false", "0", "0.0", "-0.0", "\"\"", "[]", "{}"}) {
    EXPECT_FALSE(TemplateValue::parse(json, "value").truthy()) << json;
  }
  for (const char* json : {"true", "1", "0.5", "\"0\"", "[0]", "{\"a\":null}"}) {
    EXPECT_TRUE(TemplateValue::parse(json, "value").truthy()) << json;
  }
}

TEST(TemplateValue, RefusesBrokenAndDeepDocuments) {
  expect_error(ErrorCode::kInput, "value", [] { TemplateValue::parse("{\"a\":", "value"); });
  expect_error(ErrorCode::kInput, "value", [] { TemplateValue::parse("", "value"); });
  expect_error(ErrorCode::kInput, "duplicate",
               [] { TemplateValue::parse(R"({"a":1,"a":2})", "value"); });
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  expect_error(ErrorCode::kInput, "nested", [&] { TemplateValue::parse(deep, "value"); });
}

}  // namespace
}  // namespace nolens
