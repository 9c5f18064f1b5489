#include "formats/nolens_file.h"

#include <algorithm>
#include <cstring>
#include <span>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/aligned_buffer.h"
#include "formats/nolens_bytes.h"
#include "formats/temporary_folder.h"

namespace nolens {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// Bytes at an address that files are mapped to.
class Placed {
 public:
  explicit Placed(const std::string& bytes) : buffer_(static_cast<std::int64_t>(bytes.size())) {
    const auto source = std::as_bytes(std::span(bytes));
    std::copy(source.begin(), source.end(), buffer_.data());
  }
  [[nodiscard]] std::shared_ptr<const NolensFile> parse() const {
    return NolensFile::parse({buffer_.data(), static_cast<std::size_t>(buffer_.size())},
                             "m.nolens");
  }

 private:
  AlignedBuffer<std::byte> buffer_;
};

std::string refusal(const std::string& bytes) {
  return model_error_of([&] { static_cast<void>(Placed(bytes).parse()); });
}

constexpr const char* kQ4 = R"({"w":{"dtype":"Q4_0","shape":[16,32],"layout":"panels"}})";
constexpr const char* kNf4 =
    R"({"w":{"dtype":"NF4","shape":[16,64],"layout":"panels","codebook":0,"block_size":64,"value_dtype":"BF16",)"
    R"("nested_codebook":0,"nested_block_size":256}})";

NolensPart part(const std::string& name, const std::string& dtype, std::int64_t bytes) {
  return {name,
          dtype,
          {dtype == "F32" ? bytes / 4 : bytes},
          std::string(static_cast<std::size_t>(bytes), '\0')};
}

std::vector<NolensPart> nf4_parts() {
  return {part("w", "U8", 576), part("_nolens.codebooks", "F32", 64),
          part("_nolens.nested_codebooks", "F32", 1024), part("w.nested_absmax", "F32", 8)};
}

/// A file with one tensor in panels and one that safetensors has a type for.
std::string good_file() {
  return nolens_bytes(nolens_metadata(kQ4), {part("w", "U8", 320), part("norm", "F32", 64),
                                             part("_nolens.tokenizer.json", "U8", 5)});
}

TEST(NolensFile, GivesTensorsAndDocuments) {
  const Placed placed(good_file());
  const auto file = placed.parse();
  ASSERT_EQ(file->tensors().size(), 2U);
  EXPECT_EQ(file->tensors()[0].name, "norm");
  EXPECT_EQ(file->tensors()[0].dtype, DType::kF32);
  EXPECT_EQ(file->tensors()[0].layout, WeightLayout::kRows);
  EXPECT_EQ(file->tensors()[1].name, "w");
  EXPECT_EQ(file->tensors()[1].dtype, DType::kQ4_0);
  EXPECT_EQ(file->tensors()[1].layout, WeightLayout::kPanels);
  EXPECT_EQ(file->tensors()[1].shape, (std::vector<std::int64_t>{16, 32}));
  EXPECT_EQ(file->document(kNolensTokenizer).size(), 5U);
  EXPECT_TRUE(file->document(kNolensGguf).empty());
  EXPECT_EQ(file->text("layout"), "panels16x256");
  EXPECT_EQ(file->text("licence"), "");
  file->verify({});
}

TEST(NolensFile, ReadsNestedScales) {
  auto parts = nf4_parts();
  const float offset = 0.5F;
  std::memcpy(parts[3].bytes.data() + 4, &offset, 4);
  const Placed placed(nolens_bytes(nolens_metadata(kNf4), parts));
  const auto file = placed.parse();
  const WeightScales& scales = *file->tensors().at(0).scales;
  EXPECT_TRUE(scales.nested);
  EXPECT_EQ(scales.nested_offset, 0.5F);
  EXPECT_EQ(scales.absmax, nullptr);
  EXPECT_NE(scales.nested_absmax, nullptr);
  EXPECT_EQ(scales.value_dtype, DType::kBf16);
}

TEST(NolensFile, RefusesWhatIsNoNolensFile) {
  EXPECT_THAT(refusal(""), HasSubstr("0 bytes"));
  EXPECT_THAT(refusal("GGUF" + std::string(100, '\0')), HasSubstr("GGUF"));
  EXPECT_THAT(refusal(nolens_bytes({}, {part("w", "F32", 4)})), HasSubstr("no .nolens file"));
}

TEST(NolensFile, RefusesAnotherVersionOrLayout) {
  auto metadata = nolens_metadata();
  metadata["nolens.version"] = "2";
  EXPECT_THAT(refusal(nolens_bytes(metadata, {})),
              AllOf(HasSubstr("version is '2'"), HasSubstr("again")));
  metadata = nolens_metadata();
  metadata["nolens.layout"] = "panels32";
  EXPECT_THAT(refusal(nolens_bytes(metadata, {})), HasSubstr("layout is 'panels32'"));
}

TEST(NolensFile, RefusesEveryCutFile) {
  const std::string whole = good_file();
  for (std::size_t size = 0; size < whole.size(); size += size < 4096 ? 61 : 7) {
    EXPECT_THAT(refusal(whole.substr(0, size)), HasSubstr("m.nolens: ")) << size;
  }
}

TEST(NolensFile, NoticesEveryFlippedByte) {
  const std::string whole = good_file();
  for (std::size_t at = 0; at < whole.size(); at += at < 1024 || at > 4096 ? 1 : 97) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 0x10);
    const std::string message = model_error_of([&] {
      const Placed placed(changed);
      placed.parse()->verify({});
    });
    EXPECT_THAT(message, HasSubstr("m.nolens")) << "byte " << at;
  }
}

TEST(NolensFile, NamesTheTensorThatWasChanged) {
  std::string changed = good_file();
  changed[4096 + 320 + 3] = 'x';
  const Placed placed(changed);
  const auto file = placed.parse();  // loading looks at sizes, not at data
  EXPECT_THAT(model_error_of([&] { file->verify({}); }),
              AllOf(HasSubstr("'norm'"), HasSubstr("checksum")));
}

TEST(NolensFile, RefusesSizesThatContradictTheDescription) {
  for (const std::int64_t bytes : {0, 319, 321, 640}) {
    EXPECT_THAT(refusal(nolens_bytes(nolens_metadata(kQ4), {part("w", "U8", bytes)})),
                AllOf(HasSubstr("'w'"), HasSubstr("320 bytes")))
        << bytes;
  }
  EXPECT_THAT(refusal(nolens_bytes(nolens_metadata(kQ4), {part("w", "F32", 320)})),
              HasSubstr("must be U8"));
  EXPECT_THAT(refusal(nolens_bytes(nolens_metadata(kQ4), {})), HasSubstr("is missing"));
}

TEST(NolensFile, RefusesPanelsAtAnOddPlace) {
  EXPECT_THAT(
      refusal(nolens_bytes(nolens_metadata(kQ4), {part("a", "U8", 32), part("w", "U8", 320)})),
      HasSubstr("multiple of 64"));
}

TEST(NolensFile, RefusesMissingOrShortScales) {
  for (std::size_t left_out = 1; left_out < 4; ++left_out) {
    auto parts = nf4_parts();
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(left_out));
    EXPECT_THAT(refusal(nolens_bytes(nolens_metadata(kNf4), parts)), HasSubstr("tensor '"))
        << left_out;
    parts = nf4_parts();
    parts[left_out] = part(parts[left_out].name, "F32", 4);
    EXPECT_THAT(refusal(nolens_bytes(nolens_metadata(kNf4), parts)), HasSubstr("tensor '"))
        << left_out;
  }
}

TEST(NolensFile, RefusesScalesThatAreNotFinite) {
  const std::uint32_t infinity = 0x7F80'0000U;
  for (const auto& [index, at] : {std::pair{1, 4}, std::pair{2, 1020}, std::pair{3, 4}}) {
    auto parts = nf4_parts();
    std::memcpy(parts[static_cast<std::size_t>(index)].bytes.data() + at, &infinity, 4);
    EXPECT_THAT(refusal(nolens_bytes(nolens_metadata(kNf4), parts)), HasSubstr("not finite"))
        << index;
  }
}

TEST(NolensFile, RefusesDescriptionsThatMakeNoSense) {
  const auto described = [](const std::string& json) {
    return refusal(nolens_bytes(nolens_metadata(json), {part("w", "U8", 320)}));
  };
  for (
      const char* json :
      {"",
       "[]",
       R"({"w":1})",
       R"({"w":{}})",
       R"({"w":{"dtype":"Q9","shape":[16,32],"layout":"panels"}})",
       R"({"w":{"dtype":"F32","shape":[16,32],"layout":"panels"}})",
       R"({"w":{"dtype":"Q4_0","shape":[16],"layout":"panels"}})",
       R"({"w":{"dtype":"Q4_0","shape":[-16,32],"layout":"panels"}})",
       R"({"w":{"dtype":"Q4_0","shape":[0,32],"layout":"panels"}})",
       R"({"w":{"dtype":"Q4_0","shape":[16,33],"layout":"panels"}})",
       R"({"w":{"dtype":"Q4_0","shape":[4294967296,4294967296],"layout":"panels"}})",
       R"({"w":{"dtype":"Q4_0","shape":[16,32],"layout":"columns"}})",
       R"({"w":{"dtype":"NF4","shape":[16,64],"layout":"panels"}})",
       R"({"w":{"dtype":"INT8","shape":[16,64],"layout":"panels"}})",
       R"({"w":{"dtype":"NF4","shape":[16,32],"layout":"panels","codebook":0,"block_size":64,"value_dtype":"F32"}})",
       R"({"w":{"dtype":"NF4","shape":[16,64],"layout":"panels","codebook":0,"block_size":63,"value_dtype":"F32"}})",
       R"({"w":{"dtype":"NF4","shape":[16,64],"layout":"panels","codebook":0,"block_size":128,"value_dtype":"F32"}})",
       R"({"w":{"dtype":"NF4","shape":[16,64],"layout":"panels","codebook":-1,"block_size":64,"value_dtype":"F32"}})",
       R"({"w":{"dtype":"NF4","shape":[16,64],"layout":"panels","codebook":0,"block_size":64,"value_dtype":"NF4"}})",
       R"({"_nolens.x":{"dtype":"Q4_0","shape":[16,32],"layout":"panels"}})"}) {
    EXPECT_THAT(described(json), HasSubstr("m.nolens: ")) << json;
  }
}

TEST(NolensFile, DescriptionsComeBackAsTheyWere) {
  NolensTensors tensors;
  tensors["a"] = {.dtype = DType::kQ6_K, .shape = {3, 256}, .layout = WeightLayout::kPanels};
  tensors["b"] = {.dtype = DType::kNf4,
                  .shape = {16, 64},
                  .codebook = 1,
                  .block_size = 128,
                  .value_dtype = DType::kF16,
                  .nested_codebook = 2,
                  .nested_block_size = 256};
  tensors["c"] = {.dtype = DType::kInt8, .shape = {5, 7}};
  EXPECT_EQ(nolens_tensors_from_json(nolens_tensors_to_json(tensors), "x"), tensors);
}

TEST(NolensFile, RefusesAFileWithoutChecksums) {
  std::string file = good_file();
  const std::size_t at = file.find("_nolens.checksums");
  file.replace(at, 17, "_nolens.checksumz");
  EXPECT_THAT(refusal(file), HasSubstr("_nolens.checksums"));
}

}  // namespace
}  // namespace nolens
