// The container: what is read, and every way to refuse a file.
#include "formats/gguf/gguf_file.h"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/gguf_bytes.h"
#include "formats/temporary_folder.h"

namespace nolens {
namespace {

using namespace testing;  // NOLINT: the builders of gguf_bytes.h
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::uint32_t kF32 = 0, kQ4_0 = 2, kQ4_K = 12;

/// Two tensors and a key of each kind.
GgufBytes small_file() {
  GgufBytes file;
  file.keys["general.architecture"] = value_text("gemma4");
  file.keys["a.count"] = value_u32(7);
  file.keys["a.real"] = value_f32(0.5F);
  file.keys["a.flag"] = value_bool(1);
  file.keys["a.list"] = value_numbers<std::int32_t>(GgufType::kI32, {3, -4});
  file.keys["a.words"] = value_texts({"one", "", "three"});
  file.add_tensor("first", {8, 2}, kF32, 0);
  file.add_tensor("second", {32, 1, 2}, kQ4_0, 64);
  file.data = std::string(64 + 36, 'x');
  return file;
}

GgufFile parse(const std::string& bytes) {
  return GgufFile::parse(byte_span(bytes), "m.gguf");
}

/// The sentence with which a file is refused, "" if it is not. The copy ends exactly where the file
/// ends, so that the address sanitizer sees a read beyond it.
std::string refusal(const std::string& bytes) {
  const std::vector<char> exact(bytes.begin(), bytes.end());
  const std::span span(exact.data(), exact.size());
  const std::string message =
      model_error_of([&] { static_cast<void>(GgufFile::parse(std::as_bytes(span), "m.gguf")); });
  return message == "(no error)" ? "" : message;
}

TEST(GgufFile, ReadsMetadataOfEveryKind) {
  const std::string bytes = small_file().str();
  const GgufFile file = parse(bytes);
  EXPECT_EQ(file.version(), 3U);
  EXPECT_EQ(file.find("general.architecture")->text(), "gemma4");
  EXPECT_EQ(file.find("a.count")->integer(), 7);
  EXPECT_EQ(file.find("a.count")->real(), 7.0);
  EXPECT_EQ(file.find("a.real")->real(), 0.5);
  EXPECT_EQ(file.find("a.flag")->boolean(), true);
  EXPECT_THAT(*file.find("a.list")->integers(), ElementsAre(3, -4));
  EXPECT_THAT(*file.find("a.words")->texts(), ElementsAre("one", "", "three"));
  EXPECT_EQ(file.find("a.words")->describe(), "array of 3 string");
  EXPECT_EQ(file.find("absent"), nullptr);
}

TEST(GgufFile, AValueOfAnotherKindIsNothing) {
  const std::string bytes = small_file().str();
  const GgufFile file = parse(bytes);
  EXPECT_EQ(file.find("a.real")->integer(), std::nullopt);
  EXPECT_EQ(file.find("a.count")->boolean(), std::nullopt);
  EXPECT_EQ(file.find("a.list")->integer(), std::nullopt);
  EXPECT_EQ(file.find("a.list")->texts(), std::nullopt);
  EXPECT_EQ(file.find("a.words")->integers(), std::nullopt);
  EXPECT_EQ(file.find("a.count")->text(), std::nullopt);
}

TEST(GgufFile, ShapesAreSlowestFirstAndPlacesCountFromTheStart) {
  const std::string bytes = small_file().str();
  const GgufFile file = parse(bytes);
  ASSERT_EQ(file.tensors().size(), 2U);
  const GgufTensor* second = file.find_tensor("second");
  ASSERT_NE(second, nullptr);
  EXPECT_THAT(second->shape, ElementsAre(2, 1, 32));
  EXPECT_EQ(second->bytes, 36);
  EXPECT_EQ(second->begin + second->bytes, static_cast<std::int64_t>(bytes.size()));
  EXPECT_EQ(second->type->dtype, DType::kQ4_0);
  EXPECT_EQ(file.find_tensor("third"), nullptr);
}

TEST(GgufFile, VersionTwoIsReadToo) {
  GgufBytes file = small_file();
  file.version = 2;
  EXPECT_EQ(parse(file.str()).version(), 2U);
}

TEST(GgufFile, OtherFilesAreNamed) {  // T14
  EXPECT_THAT(refusal("GGML" + std::string(40, '\0')), HasSubstr("expected 'GGUF'"));
  EXPECT_THAT(refusal("FUGG" + std::string(40, '\0')), HasSubstr("byte-swapped"));
  EXPECT_THAT(refusal("PK\x03\x04" + std::string(40, '\0')), HasSubstr("pickle is never read"));
  EXPECT_THAT(refusal("\x80\x02" + std::string(40, '\0')), HasSubstr("pickle is never read"));
  EXPECT_THAT(refusal("version https://git-lfs"), HasSubstr("Git LFS"));
  EXPECT_THAT(refusal(""), HasSubstr("no GGUF file"));
  GgufBytes file = small_file();
  for (const std::uint32_t version : {0U, 4U, 99U}) {
    file.version = version;
    EXPECT_THAT(refusal(file.str()), HasSubstr("version " + std::to_string(version)));
  }
  file.version = 1;
  EXPECT_THAT(refusal(file.str()), HasSubstr("version 1 is not supported"));
  file.version = 3U << 24U;
  EXPECT_THAT(refusal(file.str()), HasSubstr("big-endian"));
}

TEST(GgufFile, CountsMustFitTheFile) {  // T15
  for (const std::uint64_t count : {~std::uint64_t{0}, std::uint64_t{1} << 63U,
                                    std::uint64_t{1'000'000'000}, std::uint64_t{60}}) {
    GgufBytes tensors = small_file();
    tensors.tensor_count = count;
    EXPECT_NE(refusal(tensors.str()), "") << count;
    GgufBytes keys = small_file();
    keys.key_count = count;
    EXPECT_NE(refusal(keys.str()), "") << count;
  }
  GgufBytes file = small_file();
  file.tensor_count = std::uint64_t{1} << 63U;
  EXPECT_THAT(refusal(file.str()),
              AllOf(HasSubstr("9223372036854775808 tensors"), HasSubstr("m.gguf")));
}

TEST(GgufFile, LengthsMustFitTheFile) {  // T16
  for (const std::uint64_t length :
       {~std::uint64_t{0}, std::uint64_t{1} << 30U, std::uint64_t{2000}}) {
    GgufBytes key;
    key.key_count = 1;
    key.more_keys = raw(length) + std::string(1000, 'k');
    EXPECT_NE(refusal(key.str()), "") << length;
    GgufBytes value;
    value.keys["k"] = raw(GgufType::kString) + raw(length) + std::string(1000, 'v');
    EXPECT_NE(refusal(value.str()), "") << length;
  }
}

TEST(GgufFile, ArraysMustBeFlatAndFitTheFile) {  // T17
  GgufBytes file;
  file.keys["k"] = value_array(GgufType::kU32, std::uint64_t{1} << 62U, std::string(100, '\0'));
  EXPECT_THAT(refusal(file.str()), HasSubstr("4611686018427387904 items"));
  file.keys["k"] = value_array(GgufType::kString, std::uint64_t{1} << 62U, std::string(100, '\0'));
  EXPECT_THAT(refusal(file.str()), HasSubstr("items"));
  std::string nested;
  for (int i = 0; i < 10'000; ++i) {
    nested += raw(GgufType::kArray) + raw<std::uint64_t>(1);
  }
  file.keys["k"] = raw(GgufType::kArray) + nested;
  EXPECT_THAT(refusal(file.str()), HasSubstr("array of arrays"));
  file.keys["k"] = raw(GgufType::kArray) + raw<std::uint32_t>(255) + raw<std::uint64_t>(1);
  EXPECT_THAT(refusal(file.str() + "xxxx"), HasSubstr("255"));
  file.keys["k"] = raw<std::uint32_t>(13) + std::string(20, '\0');
  EXPECT_THAT(refusal(file.str()), HasSubstr("13"));
}

TEST(GgufFile, ABoolIsZeroOrOne) {  // T17
  GgufBytes file;
  file.keys["k"] = value_bool(7);
  EXPECT_THAT(refusal(file.str()), HasSubstr("bool 7"));
  file.keys["k"] = value_numbers<std::uint8_t>(GgufType::kBool, {1, 0, 2});
  EXPECT_THAT(refusal(file.str()), HasSubstr("bool 2"));
}

TEST(GgufFile, ShapesAreChecked) {  // T18
  const auto refuse = [](const std::vector<std::uint64_t>& ne) {
    GgufBytes file;
    file.add_tensor("t", ne, kF32, 0);
    file.data = std::string(4096, '\0');
    return refusal(file.str());
  };
  EXPECT_THAT(refuse({}), HasSubstr("0 dimensions"));
  EXPECT_THAT(refuse({1, 1, 1, 1, 1}), HasSubstr("5 dimensions"));
  EXPECT_THAT(refuse({4, 0}), HasSubstr("dimension 1 is 0"));
  EXPECT_THAT(refuse({~std::uint64_t{0}}), HasSubstr("dimension 0 is -1"));
  const std::uint64_t wraps = (std::uint64_t{1} << 42U) + 1;
  EXPECT_THAT(refuse({std::uint64_t{1} << 22U, wraps}), HasSubstr("63 bits"));
  EXPECT_THAT(refuse({std::uint64_t{1} << 62U}), HasSubstr("63 bits"));
  GgufBytes file;
  file.tensors.push_back(raw_text("t") + raw<std::uint32_t>(~0U) + std::string(60, '\1'));
  EXPECT_THAT(refusal(file.str()), HasSubstr("4294967295 dimensions"));
}

TEST(GgufFile, TypesAreChecked) {  // T19
  const auto refuse = [](std::uint32_t type, std::uint64_t columns) {
    GgufBytes file;
    file.add_tensor("blk.0.attn_q.weight", {columns, 2}, type, 0);
    file.data = std::string(4096, '\0');
    return refusal(file.str());
  };
  for (const std::uint32_t type : {9999U, ~0U, 4U, 5U, 31U, 33U, 36U}) {
    EXPECT_THAT(refuse(type, 256), AllOf(HasSubstr("blk.0.attn_q.weight"),
                                         HasSubstr(std::to_string(type)), HasSubstr("Q4_0")));
  }
  EXPECT_THAT(refuse(kQ4_0, 48), AllOf(HasSubstr("48 values"), HasSubstr("Q4_0")));
  EXPECT_THAT(refuse(kQ4_K, 128), AllOf(HasSubstr("128 values"), HasSubstr("Q4_K")));
  EXPECT_EQ(refuse(kQ4_K, 256), "");
}

TEST(GgufFile, PlacesAreChecked) {  // T20, T21
  const auto refuse = [](std::uint64_t first, std::uint64_t second, std::size_t data) {
    GgufBytes file;
    file.add_tensor("first", {8, 2}, kF32, first);
    file.add_tensor("second", {8, 2}, kF32, second);
    file.data = std::string(data, '\0');
    return refusal(file.str());
  };
  EXPECT_EQ(refuse(0, 64, 128), "");
  EXPECT_EQ(refuse(64, 0, 128), "");
  EXPECT_EQ(refuse(0, 128, 192), "") << "a gap does no harm";
  EXPECT_THAT(refuse(0, 64, 127), HasSubstr("the file ends at"));
  EXPECT_THAT(refuse(0, 1U << 20U, 128), HasSubstr("the file ends at"));
  EXPECT_THAT(refuse(0, ~std::uint64_t{31}, 128), HasSubstr("multiple of 32"));
  EXPECT_THAT(refuse(0, (std::uint64_t{1} << 63U) - 32, 128), HasSubstr("the file ends at"));
  EXPECT_THAT(refuse(0, 65, 256), HasSubstr("multiple of 32"));
  EXPECT_THAT(refuse(0, 0, 128), HasSubstr("overlaps"));
  EXPECT_THAT(refuse(0, 32, 128),
              AllOf(HasSubstr("'second' overlaps tensor 'first'"), HasSubstr("64 bytes")));
}

TEST(GgufFile, TheAlignmentIsChecked) {  // T22
  const auto refuse = [](const std::string& value) {
    GgufBytes file;
    file.keys["general.alignment"] = value;
    return refusal(file.str());
  };
  for (const std::uint32_t alignment : {0U, 3U, 4U, 1U << 31U, 131'072U}) {
    EXPECT_THAT(refuse(value_u32(alignment)), HasSubstr("general.alignment")) << alignment;
  }
  EXPECT_THAT(refuse(value_i32(32)), HasSubstr("a u32"));
  EXPECT_THAT(refuse(value_text("32")), HasSubstr("a u32"));
  EXPECT_EQ(refuse(value_u32(65'536)), "");
  GgufBytes file;
  file.keys["general.alignment"] = value_u32(128);
  file.alignment = 128;
  file.add_tensor("t", {8, 2}, kF32, 0);
  file.data = std::string(64, '\0');
  EXPECT_EQ(parse(file.str()).tensors().front().begin % 128, 0);
}

TEST(GgufFile, NamesAreChecked) {  // T23
  GgufBytes twice = small_file();
  twice.key_count = twice.keys.size() + 1;
  twice.more_keys = raw_text("a.count") + value_u32(8);
  EXPECT_THAT(refusal(twice.str()), HasSubstr("'a.count' stands there twice"));
  GgufBytes tensors = small_file();
  tensors.add_tensor("first", {8}, kF32, 128);
  tensors.data.resize(160);
  EXPECT_THAT(refusal(tensors.str()), HasSubstr("'first' stands there twice"));
  for (const std::string& name : {std::string(), std::string("a\0b", 3), std::string("a/b"),
                                  std::string("\x1B[31m"), std::string(10'000'000, 'n')}) {
    GgufBytes tensor;
    tensor.add_tensor(name, {8}, kF32, 0);
    tensor.data = std::string(32, '\0');
    const std::string message = refusal(tensor.str());
    EXPECT_NE(message, "") << name.size();
    EXPECT_EQ(message.find('\x1B'), std::string::npos);
    EXPECT_LT(message.size(), 1000U);
    if (name != "a/b") {
      GgufBytes key;
      key.keys[name] = value_u32(1);
      EXPECT_NE(refusal(key.str()), "") << name.size();
    }
  }
}

TEST(GgufFile, ACutFileIsRefusedWhereverItWasCut) {  // T24
  const std::string bytes = small_file().str();
  std::mt19937 random(7);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_NE(refusal(bytes.substr(0, size)), "") << size;
  }
  for (int i = 0; i < 2000; ++i) {  // and one byte changed: refused or read, never more
    std::string changed = bytes;
    changed[random() % changed.size()] = static_cast<char>(random());
    static_cast<void>(refusal(changed));
  }
}

}  // namespace
}  // namespace nolens
