// Several files of one model, and their tensors under Hugging Face's names.
#include "formats/gguf/gguf_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/gguf/gguf_names.h"
#include "formats/gguf_fixture.h"

namespace nolens {
namespace {

using namespace testing;  // NOLINT: the builders of gguf_bytes.h
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Part `number` (from 0) of `count`, with one tensor.
GgufBytes part(std::uint16_t number, std::uint16_t count, const std::string& tensor) {
  GgufBytes file;
  file.keys["split.no"] = raw(GgufType::kU16) + raw(number);
  file.keys["split.count"] = raw(GgufType::kU16) + raw(count);
  file.keys["split.tensors.count"] = value_i32(count);
  file.add_tensor(tensor, {8}, kF32Id, 0);
  file.data = std::string(32, '\0');
  return file;
}

std::string refusal(const std::filesystem::path& path) {
  return model_error_of([&] { GgufSet::open(path); });
}

std::string store_refusal(const TemporaryFolder& folder, const GgufBytes& bytes) {
  return model_error_of([&] {
    gguf_tensor_store({std::make_shared<const GgufSet>(open_bytes(folder, "t.gguf", bytes))});
  });
}

TEST(GgufNames, EveryNameGoesBothWays) {
  for (const char* name :
       {"token_embd.weight", "output_norm.weight", "output.weight", "blk.0.attn_norm.weight",
        "blk.47.attn_q.weight", "blk.3.attn_output.weight", "blk.3.post_ffw_norm.weight",
        "blk.3.layer_output_scale.weight", "v.patch_embd.weight", "v.patch_norm.1.bias",
        "v.patch_norm.3.weight", "v.position_embd.weight", "mm.input_projection.weight",
        "mm.a.input_projection.weight"}) {
    EXPECT_EQ(gguf_name(hugging_face_name(name)), name);
  }
  EXPECT_EQ(hugging_face_name("blk.7.ffn_norm.weight"),
            "model.language_model.layers.7.pre_feedforward_layernorm.weight");
  for (const char* name : {"rope_freqs.weight", "blk.attn_q.weight", "blk.x.attn_q.weight",
                           "blk.1.attn_qkv.weight", "blk.1", ""}) {
    EXPECT_EQ(hugging_face_name(name), "") << name;
  }
}

TEST(GgufSet, PartsAreReadAsOneModel) {
  const TemporaryFolder folder;
  folder.add("m-00002-of-00002.gguf", part(1, 2, "output_norm.weight").str());
  const auto first = folder.add("m-00001-of-00002.gguf", part(0, 2, "token_embd.weight").str());
  const auto set = std::make_shared<const GgufSet>(GgufSet::open(first));
  EXPECT_EQ(set->size(), 2U);
  EXPECT_NE(set->find_tensor("output_norm.weight"), nullptr);
  const TensorStore store = gguf_tensor_store({set});
  const TensorView* view = store.find("model.language_model.norm.weight");
  ASSERT_NE(view, nullptr);
  EXPECT_EQ(view->file, "m-00002-of-00002.gguf");
  EXPECT_TRUE(is_later_gguf_part("m-00002-of-00002.gguf"));
  EXPECT_FALSE(is_later_gguf_part("m-00001-of-00002.gguf"));
  EXPECT_FALSE(is_later_gguf_part("model.gguf"));
}

TEST(GgufSet, PartsThatAreMissingOrStrangeAreNamed) {  // T27
  const TemporaryFolder folder;
  const auto first = folder.add("m-00001-of-00002.gguf", part(0, 2, "token_embd.weight").str());
  EXPECT_THAT(refusal(first), AllOf(HasSubstr("m-00002-of-00002.gguf"), HasSubstr("missing")));
  const auto second = folder.add("m-00002-of-00002.gguf", part(1, 2, "token_embd.weight").str());
  EXPECT_THAT(refusal(first), HasSubstr("in another part too"));
  EXPECT_THAT(refusal(second), HasSubstr("m-00001-of-00002.gguf"));
  folder.add("m-00002-of-00002.gguf", part(1, 3, "output_norm.weight").str());
  EXPECT_THAT(refusal(first), HasSubstr("different models"));
  folder.add("m-00002-of-00002.gguf", part(0, 2, "output_norm.weight").str());
  EXPECT_THAT(refusal(first), HasSubstr("different models"));
  GgufBytes more = part(1, 2, "output_norm.weight");
  more.add_tensor("output.weight", {8}, kF32Id, 32);
  more.data.resize(64);
  folder.add("m-00002-of-00002.gguf", more.str());
  EXPECT_THAT(refusal(first), AllOf(HasSubstr("3 tensors"), HasSubstr("expected 2")));
}

TEST(GgufSet, ThePartCountIsBoundedAndMustFitTheName) {  // T27
  const TemporaryFolder folder;
  for (const std::int64_t count :
       {std::int64_t{0}, std::int64_t{-1}, std::int64_t{3}, std::int64_t{1'000'000'000}}) {
    GgufBytes file = part(0, 2, "token_embd.weight");
    file.keys["split.count"] = value_i64(count);
    EXPECT_THAT(refusal(folder.add("m-00001-of-00002.gguf", file.str())), HasSubstr("split.count"))
        << count;
    EXPECT_THAT(refusal(folder.add("m.gguf", file.str())), HasSubstr("split.count")) << count;
  }
  GgufBytes file = part(0, 2, "token_embd.weight");
  file.keys["split.count"] = value_text("2");
  EXPECT_THAT(refusal(folder.add("m.gguf", file.str())), HasSubstr("expected an integer"));
}

TEST(GgufStore, ViewsHaveTheShapesOfTheCheckpointAndLieInTheFile) {
  const TemporaryFolder folder;
  GgufBytes bytes;
  bytes.add_tensor("blk.0.attn_q.weight", {64, 3}, 8, 0);
  bytes.add_tensor("rope_freqs.weight", {4}, kF32Id, 224);
  bytes.data = std::string(240, '\x11');
  const auto set = std::make_shared<const GgufSet>(open_bytes(folder, "t.gguf", bytes));
  const TensorStore store = gguf_tensor_store({set});
  ASSERT_EQ(store.tensors().size(), 1U) << "rope_freqs is not a weight";
  const TensorView& view = store.tensors().front();
  EXPECT_EQ(view.name, "model.language_model.layers.0.self_attn.q_proj.weight");
  EXPECT_EQ(view.dtype, DType::kQ8_0);
  EXPECT_THAT(view.shape, ElementsAre(3, 64));
  EXPECT_EQ(view.bytes, 3 * 2 * 34);
  EXPECT_GE(view.data, set->first().bytes().data());
  EXPECT_EQ(store.total_bytes(), view.bytes);
}

TEST(GgufStore, TypesThatAreNotComputedWithAreNamed) {
  const TemporaryFolder folder;
  GgufBytes bytes;
  bytes.add_tensor("blk.0.attn_q.weight", {256, 1}, 10, 0);
  bytes.data = std::string(96, '\0');
  EXPECT_THAT(store_refusal(folder, bytes),
              AllOf(HasSubstr("blk.0.attn_q.weight"), HasSubstr("Q2_K"), HasSubstr("Q4_K, Q5_K")));
  bytes.tensors.clear();
  bytes.add_tensor("unknown.weight", {256, 1}, 10, 0);
  EXPECT_EQ(store_refusal(folder, bytes), "(no error)") << "nobody needs that tensor";
}

}  // namespace
}  // namespace nolens
