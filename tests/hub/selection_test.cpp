#include "hub/selection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nolens/error.h"

namespace nolens::hub {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> names(const std::vector<RepoFile>& files) {
  std::vector<std::string> result;
  for (const RepoFile& file : files) {
    result.push_back(file.name);
  }
  return result;
}

Selection select(const std::vector<std::string>& present, const std::string& file = {},
                 const std::vector<std::string>& include = {}) {
  std::vector<RepoFile> files;
  for (const std::string& name : present) {
    files.push_back({name, 1, {}, {}});
  }
  return select_files(std::move(files), file, include, "org/name");
}

std::string refusal(const std::vector<std::string>& present, const std::string& file = {},
                    const std::vector<std::string>& include = {}) {
  try {
    select(present, file, include);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInput);
    return error.what();
  }
  return {};
}

TEST(Glob, FollowsFnmatch) {
  // Each expectation is what Python's fnmatch.fnmatchcase says.
  EXPECT_TRUE(matches_glob("*.json", "a/b.json"));
  EXPECT_TRUE(matches_glob("a*b*c", "aXXbYYbZc"));
  EXPECT_TRUE(matches_glob("?[ab][!c]", "xad"));
  EXPECT_TRUE(matches_glob("[a-c]x", "bx"));
  EXPECT_TRUE(matches_glob("[]]", "]"));
  EXPECT_TRUE(matches_glob("[", "["));
  EXPECT_TRUE(matches_glob("", ""));
  EXPECT_TRUE(matches_glob("**", "x"));
  EXPECT_FALSE(matches_glob("*.json", "a.JSON"));
  EXPECT_FALSE(matches_glob("a", "ab"));
  EXPECT_FALSE(matches_glob("ab", "a"));
  EXPECT_FALSE(matches_glob("[!a]", "a"));
  EXPECT_FALSE(matches_glob("?", ""));
}

TEST(Glob, ManyStarsAreNoTrap) {
  std::string glob;
  for (int i = 0; i < 50; ++i) {
    glob += "*a";
  }
  EXPECT_FALSE(matches_glob(glob + "b", std::string(1000, 'a')));
}

TEST(Selection, TakesTheModelAndLeavesDuplicates) {
  const Selection found = select({"LICENSE", "README.md", "chat_template.jinja", "config.json",
                                  "consolidated.safetensors", "model.safetensors", "model.gguf",
                                  "onnx/model.onnx", "original/params.json", "pytorch_model.bin",
                                  "additional_chat_templates/t.jinja", "tokenizer.model", "x.pth"});
  EXPECT_THAT(
      names(found.chosen),
      ElementsAre("LICENSE", "README.md", "chat_template.jinja", "config.json", "model.safetensors",
                  "additional_chat_templates/t.jinja", "tokenizer.model"));
  EXPECT_EQ(found.left_out.size(), 6U);
}

TEST(Selection, WithoutSafetensorsTakesTheOnlyGguf) {
  const Selection found = select({"config.json", "m-Q4_0.gguf", "mmproj-F16.gguf", "x.bin"});
  EXPECT_THAT(names(found.chosen), ElementsAre("config.json", "m-Q4_0.gguf"));
  EXPECT_THAT(found.mmproj_beside, ElementsAre("mmproj-F16.gguf"));
  EXPECT_THAT(refusal({"a.gguf", "b.gguf"}), HasSubstr("a.gguf, b.gguf"));
  EXPECT_THAT(refusal({"pytorch_model.bin"}), HasSubstr("no safetensors or GGUF"));
  EXPECT_THAT(refusal({}), HasSubstr("no safetensors or GGUF"));
}

TEST(Selection, OneFileByNameOrTag) {
  const std::vector<std::string> files = {"a-IQ4_K_M.gguf", "a-Q4_K_M.gguf",   "a-BF16.gguf",
                                          "a-F16.gguf",     "mmproj-F16.gguf", "sub/x.txt"};
  EXPECT_THAT(names(select(files, "sub/x.txt").chosen), ElementsAre("sub/x.txt"));
  EXPECT_THAT(names(select(files, "Q4_K_M").chosen), ElementsAre("a-Q4_K_M.gguf"));
  EXPECT_THAT(names(select(files, "f16").chosen), ElementsAre("a-F16.gguf"));
  EXPECT_THAT(names(select(files, "mmproj-F16.gguf").chosen), ElementsAre("mmproj-F16.gguf"));
  EXPECT_THAT(refusal(files, "Q5_0"), HasSubstr("no file 'Q5_0'"));
  EXPECT_THAT(refusal({"a-Q8_0.gguf", "b-Q8_0.gguf"}, "q8_0"), HasSubstr("several files"));
}

TEST(Selection, GlobsReplaceTheBuiltInChoice) {
  EXPECT_THAT(names(select({"a.bin", "d/e.bin", "m.safetensors"}, {}, {"*.bin"}).chosen),
              ElementsAre("a.bin", "d/e.bin"));
  EXPECT_THAT(names(select({"a", "d/e", "d/f/g"}, {}, {"d/"}).chosen), ElementsAre("d/e", "d/f/g"));
  EXPECT_THAT(refusal({"a"}, {}, {"b"}), HasSubstr("--include"));
}

}  // namespace
}  // namespace nolens::hub
