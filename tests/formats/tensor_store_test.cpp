#include "formats/tensor_store.h"

#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/safetensors_bytes.h"
#include "formats/temporary_folder.h"

namespace nolens {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string shard_with(const std::string& tensor) {
  return safetensors_bytes("{\"" + tensor + "\":" + entry("F32", "[1]", 0, 4) + "}", "abcd");
}

std::string index_of(const std::string& weight_map) {
  return R"({"metadata":{"total_size":8},"weight_map":)" + weight_map + "}";
}

std::string refusal(const TemporaryFolder& folder) {
  return model_error_of([&] { TensorStore::open_directory(folder.path()); });
}

TEST(TensorStore, FindsTensorsOfOneFileAndKeepsOtherTypesAside) {
  const TemporaryFolder folder;
  folder.add("model.safetensors",
             safetensors_bytes("{\"w\":" + entry("BF16", "[2,1]", 8, 12) +
                                   ",\"steps\":" + entry("I64", "[1]", 0, 8) +
                                   ",\"a\":" + entry("F16", "[1]", 12, 14) + "}",
                               "01234567ABCDEF"));
  const TensorStore store = TensorStore::open_directory(folder.path());
  ASSERT_EQ(store.tensors().size(), 2U);
  EXPECT_EQ(store.tensors()[0].name, "a");
  const TensorView* tensor = store.find("w");
  ASSERT_NE(tensor, nullptr);
  EXPECT_EQ(tensor->dtype, DType::kBf16);
  EXPECT_EQ(tensor->shape, (std::vector<std::int64_t>{2, 1}));
  EXPECT_EQ(tensor->bytes, 4);
  EXPECT_EQ(std::memcmp(tensor->data, "ABCD", 4), 0);
  EXPECT_EQ(tensor->file, "model.safetensors");
  EXPECT_EQ(store.find("steps"), nullptr);
  EXPECT_EQ(store.find("zz"), nullptr);
  ASSERT_EQ(store.ignored().size(), 1U);
  EXPECT_EQ(store.ignored()[0].name, "steps");
  EXPECT_EQ(store.ignored()[0].dtype, "I64");
  EXPECT_EQ(store.total_bytes(), 6);
}

TEST(TensorStore, JoinsShards) {
  const TemporaryFolder folder;
  folder.add("s1.safetensors", shard_with("b"));
  folder.add("s2.safetensors", shard_with("a"));
  folder.add("model.safetensors.index.json",
             index_of(R"({"b":"s1.safetensors","a":"s2.safetensors"})"));
  const TensorStore store = TensorStore::open_directory(folder.path());
  EXPECT_EQ(store.tensors().size(), 2U);
  EXPECT_EQ(store.find("a")->file, "s2.safetensors");
  EXPECT_EQ(store.find("b")->file, "s1.safetensors");
  EXPECT_EQ(store.total_bytes(), 8);
}

TEST(TensorStore, T12_RefusesAMissingShard) {
  const TemporaryFolder folder;
  folder.add("s1.safetensors", shard_with("a"));
  folder.add("model.safetensors.index.json",
             index_of(R"({"a":"s1.safetensors","b":"s2.safetensors"})"));
  EXPECT_THAT(refusal(folder), AllOf(HasSubstr("s2.safetensors"), HasSubstr("missing")));
}

TEST(TensorStore, T12_NeverLeavesTheFolder) {
  const TemporaryFolder outside;
  const auto secret = outside.add("x.safetensors", shard_with("a"));
  for (const std::string& name :
       {std::string("../x.safetensors"), secret.native(), std::string(".."), std::string("."),
        std::string("sub/x.safetensors"), std::string("a\\\\b"), std::string(),
        std::string("x\\u0000.safetensors")}) {
    const TemporaryFolder folder;
    folder.add("model.safetensors.index.json", index_of("{\"a\":\"" + name + "\"}"));
    EXPECT_THAT(refusal(folder), HasSubstr("not a plain file name")) << name;
  }
  const TemporaryFolder folder;
  std::filesystem::create_symlink(secret, folder.path() / "s.safetensors");
  folder.add("model.safetensors.index.json", index_of(R"({"a":"s.safetensors"})"));
  EXPECT_THAT(refusal(folder), HasSubstr("link out of the model's folder"));
  const TemporaryFolder single;
  std::filesystem::create_symlink(secret, single.path() / "model.safetensors");
  EXPECT_THAT(refusal(single), HasSubstr("link out of the model's folder"));
  const TemporaryFolder dangling;
  std::filesystem::create_symlink("nowhere", dangling.path() / "model.safetensors");
  EXPECT_THAT(refusal(dangling), HasSubstr("leads nowhere"));
}

TEST(TensorStore, FollowsLinksInsideTheFolderAndInsideAHuggingFaceCache) {
  const TemporaryFolder folder;
  folder.add("real.safetensors", shard_with("a"));
  std::filesystem::create_symlink("real.safetensors", folder.path() / "model.safetensors");
  EXPECT_NE(TensorStore::open_directory(folder.path()).find("a"), nullptr);

  const TemporaryFolder cache;
  const auto snapshot = cache.path() / "models--org--m" / "snapshots" / "0123";
  std::filesystem::create_directories(snapshot);
  std::filesystem::create_directories(cache.path() / "models--org--m" / "blobs");
  cache.add("models--org--m/blobs/abc", shard_with("a"));
  std::filesystem::create_symlink("../../blobs/abc", snapshot / "model.safetensors");
  EXPECT_NE(TensorStore::open_directory(snapshot).find("a"), nullptr);
  std::filesystem::remove(snapshot / "model.safetensors");
  cache.add("stolen", shard_with("a"));
  std::filesystem::create_symlink("../../../stolen", snapshot / "model.safetensors");
  EXPECT_THAT(model_error_of([&] { TensorStore::open_directory(snapshot); }),
              HasSubstr("link out of the model's folder"));
}

TEST(TensorStore, T12_RefusesATensorThatIsNotInItsShard) {
  const TemporaryFolder folder;
  folder.add("s1.safetensors", shard_with("a"));
  folder.add("s2.safetensors", shard_with("c"));
  folder.add("model.safetensors.index.json",
             index_of(R"({"a":"s1.safetensors","b":"s2.safetensors"})"));
  EXPECT_THAT(refusal(folder), AllOf(HasSubstr("s2.safetensors"), HasSubstr("'b'")));
  folder.add("model.safetensors.index.json",
             index_of(R"({"a":"s2.safetensors","c":"s1.safetensors"})"));
  EXPECT_THAT(refusal(folder), HasSubstr("it is in s1.safetensors"));
}

TEST(TensorStore, T12_RefusesATensorInTwoShards) {
  const TemporaryFolder folder;
  folder.add("s1.safetensors", shard_with("a"));
  folder.add("s2.safetensors", safetensors_bytes("{\"a\":" + entry("F32", "[1]", 0, 4) +
                                                     ",\"b\":" + entry("F32", "[1]", 4, 8) + "}",
                                                 "abcdefgh"));
  folder.add("model.safetensors.index.json",
             index_of(R"({"a":"s1.safetensors","b":"s2.safetensors"})"));
  EXPECT_THAT(refusal(folder),
              AllOf(HasSubstr("'a'"), HasSubstr("s1.safetensors"), HasSubstr("s2.safetensors")));
}

TEST(TensorStore, RefusesAnIndexWithoutAUsableMap) {
  for (const char* index : {"{}", "[]", R"({"weight_map":[]})", R"({"weight_map":{}})",
                            R"({"weight_map":{"a":1}})", R"({"weight_map":{"a":null}})"}) {
    const TemporaryFolder folder;
    folder.add("model.safetensors.index.json", index);
    EXPECT_THAT(refusal(folder), HasSubstr("weight_map")) << index;
  }
}

TEST(TensorStore, T13_ReadsMisalignedTensors) {
  const TemporaryFolder folder;
  std::string header =
      "{\"a\":" + entry("F32", "[1]", 1, 5) + ",\"p\":" + entry("U8", "[1]", 0, 1) + "}";
  while (header.size() % 4 != 0) {
    header += ' ';
  }
  const float value = 1.5F;
  std::string data(5, '\0');
  std::memcpy(data.data() + 1, &value, 4);
  folder.add("model.safetensors", safetensors_bytes(header, data));
  const TensorStore store = TensorStore::open_directory(folder.path());
  float read = 0;
  std::memcpy(&read, store.find("a")->data, 4);
  EXPECT_EQ(read, value);
}

TEST(TensorStore, SaysWhichFileIsMissing) {
  const TemporaryFolder folder;
  EXPECT_THAT(refusal(folder), AllOf(HasSubstr("model.safetensors"), HasSubstr("No such file")));
}

}  // namespace
}  // namespace nolens
