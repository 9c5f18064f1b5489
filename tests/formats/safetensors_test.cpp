// Rows A of the list of hostile files: every departure from the format is refused with a reason.
#include "formats/safetensors.h"

#include <random>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/safetensors_bytes.h"
#include "formats/temporary_folder.h"

namespace nolens {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string refusal(const std::string& bytes) {
  return model_error_of([&] { parse_safetensors_header(as_byte_span(bytes), "m.safetensors"); });
}

std::string refusal_of_header(const std::string& header, std::size_t data_bytes = 0) {
  return refusal(safetensors_bytes(header, std::string(data_bytes, '\0')));
}

const std::string kValid = safetensors_bytes(
    R"({"__metadata__":{"format":"pt"},"b":)" + entry("F32", "[2,3]", 8, 32) + R"(,"a":)" +
        entry("BF16", "[4]", 0, 8) + R"(,"n":)" + entry("I64", "[1]", 32, 40) + R"(,"s":)" +
        entry("F16", "[]", 40, 42) + R"(,"z":)" + entry("F32", "[0,7]", 40, 40) + "}",
    std::string(42, '\x11'));

TEST(Safetensors, ReadsAValidHeader) {
  const SafetensorsHeader header = parse_safetensors_header(as_byte_span(kValid), "m");
  ASSERT_EQ(header.tensors.size(), 5U);
  const auto data_begin = static_cast<std::int64_t>(kValid.size()) - 42;
  EXPECT_EQ(header.tensors[0].name, "a");
  EXPECT_EQ(header.tensors[0].begin, data_begin);
  EXPECT_EQ(header.tensors[0].usable, DType::kBf16);
  EXPECT_EQ(header.tensors[1].name, "b");
  EXPECT_EQ(header.tensors[1].shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(header.tensors[1].end, data_begin + 32);
  EXPECT_EQ(header.tensors[2].dtype, "I64");
  EXPECT_FALSE(header.tensors[2].usable.has_value());
  EXPECT_EQ(header.tensors[3].name, "z");
  EXPECT_EQ(header.tensors[4].name, "s");
  EXPECT_EQ(header.metadata.at("format"), "pt");
}

TEST(Safetensors, AcceptsAHeaderPaddedWithSpacesAndNoTensors) {
  EXPECT_TRUE(parse_safetensors_header(as_byte_span(safetensors_bytes("{}      ", "")), "m")
                  .tensors.empty());
}

TEST(Safetensors, T1_RefusesFilesShorterThanTheLength) {
  for (std::size_t size = 0; size < 8; ++size) {
    EXPECT_THAT(refusal(std::string(size, '\0')),
                HasSubstr("has " + std::to_string(size) + " bytes, at least 8"));
  }
}

TEST(Safetensors, T2_RefusesImpossibleHeaderLengthsBeforeAllocating) {
  for (const std::uint64_t length :
       {~std::uint64_t{0}, std::uint64_t{1} << 63, std::uint64_t{100'000'001}}) {
    EXPECT_THAT(refusal(little_endian(length) + "{}"), HasSubstr("at most 100000000"));
  }
  EXPECT_THAT(refusal(little_endian(3) + "{}"), HasSubstr("needs 3 bytes, but only 2"));
  EXPECT_THAT(refusal(little_endian(100'000'000) + "{}"), HasSubstr("incomplete"));
  EXPECT_THAT(refusal(little_endian(0)), HasSubstr("must begin with '{'"));
}

TEST(Safetensors, T3_RefusesEveryTruncation) {
  for (std::size_t size = 0; size < kValid.size(); ++size) {
    EXPECT_THAT(refusal(kValid.substr(0, size)), StartsWith("m.safetensors")) << size;
  }
  EXPECT_THAT(refusal(kValid.substr(0, kValid.size() - 20)),
              AllOf(HasSubstr("'b'"), HasSubstr("8 to 32"), HasSubstr("has only 22")));
}

TEST(Safetensors, T4_RefusesBytesAfterTheLastTensor) {
  EXPECT_THAT(refusal(kValid + "PK\x03\x04"), HasSubstr("4 bytes follow the last tensor"));
}

TEST(Safetensors, T5_RefusesGapsOverlapsAndMalformedOffsets) {
  const auto two = [](std::int64_t begin) {
    return refusal_of_header("{\"a\":" + entry("F32", "[2]", 0, 8) +
                                 ",\"b\":" + entry("F32", "[2]", begin, begin + 8) + "}",
                             64);
  };
  EXPECT_THAT(two(12), AllOf(HasSubstr("'b'"), HasSubstr("'a'"), HasSubstr("gap")));
  EXPECT_THAT(two(4), AllOf(HasSubstr("'b'"), HasSubstr("'a'"), HasSubstr("overlap")));
  EXPECT_THAT(two(0), HasSubstr("overlap"));
  const auto with_offsets = [](const std::string& offsets) {
    return refusal_of_header(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":)" + offsets + "}}",
                             8);
  };
  EXPECT_THAT(with_offsets("[4,12]"), HasSubstr("gap"));
  EXPECT_THAT(with_offsets("[8,0]"), HasSubstr("need 8 bytes"));
  for (const char* offsets :
       {"[-8,0]", "[0,8.0]", "[0,8,8]", "[0]", "[]", "8", "\"0,8\"", "[0,\"8\"]", "[0,[8]]", "null",
        "{}", "[0,18446744073709551615]", "[0,1e3]", "[true,8]"}) {
    EXPECT_THAT(with_offsets(offsets), HasSubstr("'a'")) << offsets;
  }
}

TEST(Safetensors, T6_RefusesShapesThatDoNotMatchTheirBytes) {
  EXPECT_THAT(refusal_of_header("{\"a\":" + entry("F32", "[1000,1000]", 0, 4) + "}", 4),
              HasSubstr("need 4000000 bytes"));
  EXPECT_THAT(refusal_of_header("{\"a\":" + entry("F32", "[32,8]", 0, 65'536) + "}", 65'536),
              HasSubstr("need 1024 bytes"));
  EXPECT_THAT(refusal_of_header("{\"a\":" + entry("BF16", "[2]", 0, 8) + "}", 8),
              HasSubstr("need 4 bytes"));
}

TEST(Safetensors, T7_RefusesShapesThatOverflow) {
  EXPECT_THAT(refusal_of_header("{\"a\":" + entry("U8", "[4294967296,4294967296,2]", 0, 0) + "}"),
              HasSubstr("does not fit"));
  EXPECT_THAT(refusal_of_header("{\"a\":" + entry("F64", "[2305843009213693952]", 0, 0) + "}"),
              HasSubstr("does not fit"));
  EXPECT_THAT(refusal_of_header("{\"a\":" + entry("U8", "[0,9223372036854775808]", 0, 0) + "}"),
              HasSubstr("shape must be"));
  EXPECT_THAT(refusal_of_header("{\"a\":" + entry("U8", "[-1]", 0, 0) + "}"),
              HasSubstr("shape must be"));
  std::string ones = "[1";
  for (int i = 1; i < 1000; ++i) {
    ones += ",1";
  }
  EXPECT_THAT(refusal_of_header("{\"a\":" + entry("U8", ones + "]", 0, 1) + "}", 1),
              HasSubstr("more than 8 dimensions"));
}

TEST(Safetensors, T8_RefusesDuplicates) {
  const std::string a = "\"a\":" + entry("U8", "[1]", 0, 1);
  EXPECT_THAT(refusal_of_header("{" + a + "," + a + "}", 1), HasSubstr("duplicate tensor 'a'"));
  EXPECT_THAT(refusal_of_header(R"({"__metadata__":{},"__metadata__":{}})"),
              HasSubstr("duplicate key '__metadata__'"));
  EXPECT_THAT(refusal_of_header(R"({"__metadata__":{"k":"1","k":"2"}})"),
              HasSubstr("duplicate key 'k'"));
  EXPECT_THAT(
      refusal_of_header(R"({"a":{"dtype":"U8","dtype":"U8","shape":[],"data_offsets":[0,1]}})", 1),
      HasSubstr("'dtype' twice"));
}

TEST(Safetensors, T9_RefusesUnknownTypesWithTheListOfKnownOnes) {
  for (const char* dtype : {"FOO", "F4", "", "f32"}) {
    EXPECT_THAT(refusal_of_header("{\"a\":" + entry(dtype, "[1]", 0, 4) + "}", 4),
                AllOf(HasSubstr("unknown dtype"), HasSubstr("BF16, F64")));
  }
}

TEST(Safetensors, T10_BoundsTheNumberOfTensorsAndNames) {
  std::string header = "{";
  for (int i = 0; i <= 200'000; ++i) {
    header += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":" + entry("U8", "[0]", 0, 0);
  }
  EXPECT_THAT(refusal_of_header(header + "}"), HasSubstr("more than 200000 tensors"));
  EXPECT_THAT(refusal_of_header("{\"" + std::string(10'000'000, 'x') +
                                "\":" + entry("U8", "[0]", 0, 0) + "}"),
              HasSubstr("1 to 1024 bytes"));
  for (const char* name : {"", "a\\u0000b", "a\\nb", "\\u001b[2J", "\\u007f"}) {
    const std::string message =
        refusal_of_header("{\"" + std::string(name) + "\":" + entry("U8", "[0]", 0, 0) + "}");
    EXPECT_THAT(message, HasSubstr("no control characters")) << name;
    EXPECT_EQ(message.find('\x1b'), std::string::npos);
  }
}

TEST(Safetensors, T11_RefusesHeadersThatAreNoPlainObject) {
  EXPECT_THAT(refusal_of_header("{\"a\":" + std::string(100'000, '[')), HasSubstr("'a'"));
  EXPECT_THAT(refusal_of_header(std::string(100'000, '[')), HasSubstr("must begin with '{'"));
  EXPECT_THAT(refusal_of_header("{\"\xC3(\":1}"), HasSubstr("column"));
  EXPECT_THAT(refusal_of_header("[]"), HasSubstr("must begin with '{'"));
  EXPECT_THAT(refusal_of_header("{} {}"), HasSubstr("not valid JSON"));
  EXPECT_THAT(refusal_of_header("{\"a\":{}}"), HasSubstr("'a' must be"));
  EXPECT_THAT(refusal_of_header("{\"a\":[]}"), HasSubstr("'a' must be"));
  EXPECT_THAT(refusal_of_header("{\"a\":null}"), HasSubstr("'a' must be"));
  EXPECT_THAT(refusal_of_header(R"({"a":{"dtype":"U8","shape":{},"data_offsets":[0,0]}})"),
              HasSubstr("'a' must be"));
  EXPECT_THAT(refusal_of_header(R"({"a":{"dtype":["U8"],"shape":[0],"data_offsets":[0,0]}})"),
              HasSubstr("'a' must be"));
  EXPECT_THAT(refusal_of_header(R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":1}})"),
              HasSubstr("unknown field 'x'"));
  for (const char* metadata :
       {"1", "[]", "\"s\"", "{\"k\":1}", "{\"k\":{}}", "{\"k\":[\"s\"]}", "{\"k\":null}"}) {
    EXPECT_THAT(refusal_of_header("{\"__metadata__\":" + std::string(metadata) + "}"),
                HasSubstr("__metadata__"))
        << metadata;
  }
}

TEST(Safetensors, NamesFilesThatPeopleMistakeForSafetensors) {
  EXPECT_THAT(refusal("PK\x03\x04" + std::string(100, 'x')), HasSubstr("pickle is never read"));
  EXPECT_THAT(refusal("\x80\x02" + std::string(100, 'x')), HasSubstr("pickle is never read"));
  EXPECT_THAT(refusal("version https://git-lfs.example/spec/v1\n"), HasSubstr("git lfs pull"));
  EXPECT_THAT(refusal("GGUF" + std::string(100, '\0')), HasSubstr("GGUF"));
  EXPECT_THAT(refusal("<!DOCTYPE html><html>"), HasSubstr("web page"));
}

TEST(Safetensors, SurvivesRandomDamage) {
  std::minstd_rand random(7);
  int refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = kValid;
    for (auto changes = 1 + random() % 3; changes > 0; --changes) {
      bytes[random() % bytes.size()] = static_cast<char>(random() % 256);
    }
    try {
      for (const auto& tensor : parse_safetensors_header(as_byte_span(bytes), "m").tensors) {
        ASSERT_GE(tensor.begin, 8);
        ASSERT_LE(tensor.end, static_cast<std::int64_t>(bytes.size()));
      }
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), ErrorCode::kModel);
      ++refused;
    }
  }
  EXPECT_GT(refused, 10'000);
}

}  // namespace
}  // namespace nolens
