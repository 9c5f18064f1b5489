#include "hub/tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nolens/error.h"

namespace nolens::hub {
namespace {

const std::string kOid(40, 'a');
const std::string kSha(64, 'b');

std::string small(const std::string& path, const std::string& size = "3") {
  return R"({"type":"file","path":")" + path + R"(","size":)" + size + R"(,"oid":")" + kOid + "\"}";
}

std::string large(const std::string& sha) {
  return R"({"type":"file","path":"w","size":130,"oid":")" + kOid + R"(","lfs":{"oid":")" + sha +
         R"(","size":9,"pointerSize":130},"xetHash":"x","new":null})";
}

std::string refusal(const std::string& json) {
  try {
    RepoTree tree;
    tree.add_page(json);
    static_cast<void>(tree.finish());
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInput);
    return error.what();
  }
  return {};
}

TEST(Tree, PagesAreCollectedAndSorted) {
  RepoTree tree;
  EXPECT_TRUE(tree.add_page("[" + small("b") + "," + large(kSha) + "]"));
  EXPECT_TRUE(tree.add_page(R"([{"type":"directory","path":"../ignored"},)" + small("a/c") + "]"));
  EXPECT_FALSE(tree.add_page("[]"));
  const auto files = tree.finish();
  ASSERT_EQ(files.size(), 3U);
  EXPECT_EQ(files[0].name, "a/c");
  EXPECT_EQ(files[0].bytes, 3);
  EXPECT_EQ(files[0].blob_id, kOid);
  EXPECT_EQ(files[0].sha256, "");
  EXPECT_EQ(files[2].name, "w");
  EXPECT_EQ(files[2].bytes, 9);
  EXPECT_EQ(files[2].sha256, kSha);
}

TEST(Tree, EvilNamesAreRefusedAndShownHarmlessly) {
  EXPECT_THAT(refusal("[" + small("../x") + "]"), testing::HasSubstr("'../x'"));
  EXPECT_THAT(refusal("[" + small("a\\u001b[31m") + "]"), testing::HasSubstr("a\\x1b[31m"));
  EXPECT_THAT(refusal("[" + small("a") + "," + small("a") + "]"), testing::HasSubstr("twice"));
  EXPECT_THAT(refusal("[" + small("a") + "," + small("a.txt") + "," + small("a/b") + "]"),
              testing::HasSubstr("as a folder"));
}

TEST(Tree, SizesMustBeThereAndAddUp) {
  for (const char* size : {"-1", "1.5", "\"3\"", "null", "18446744073709551615"}) {
    EXPECT_THAT(refusal("[" + small("a", size) + "]"), testing::HasSubstr("no size")) << size;
  }
  EXPECT_THAT(refusal("[" + small("a", "9223372036854775807") + "," + small("b", "1") + "]"),
              testing::HasSubstr("added up"));
}

TEST(Tree, LargeFilesNeedTheirSha256) {
  EXPECT_THAT(refusal("[" + large("B" + kSha.substr(1)) + "]"), testing::HasSubstr("SHA-256"));
  EXPECT_EQ(refusal("[" + large(kSha) + "]"), "");
}

TEST(Tree, OtherJsonIsRefused) {
  for (const char* json :
       {"", "{}", "[1]", "[[]]", "[{\"type\":\"file\"}]", "[", "null", "[{\"a\":1,\"a\":2}]"}) {
    EXPECT_NE(refusal(json), "") << json;
  }
  EXPECT_NE(refusal(std::string(10'000, '[')), "");
}

TEST(Tree, HasALimitOfFiles) {
  RepoTree tree;
  std::string page = "[";
  for (std::size_t i = 0; i < kMaxFiles; ++i) {
    page += (i == 0 ? "" : ",") + small("f" + std::to_string(i));
  }
  tree.add_page(page + "]");
  EXPECT_THROW(tree.add_page("[" + small("g") + "]"), Error);
}

TEST(Commit, IsFortyHexadecimalDigits) {
  EXPECT_EQ(parse_commit(R"({"id":"x","sha":")" + kOid + "\"}"), kOid);
  for (const std::string& json : {std::string("{}"), std::string("[]"), std::string(R"({"sha":5})"),
                                  R"({"sha":")" + kSha + "\"}", std::string(R"({"sha":"../"})")}) {
    EXPECT_THROW(static_cast<void>(parse_commit(json)), Error) << json;
  }
}

}  // namespace
}  // namespace nolens::hub
