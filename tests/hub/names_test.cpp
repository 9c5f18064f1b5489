#include "hub/names.h"

#include <gtest/gtest.h>

#include "nolens/hub.h"

namespace nolens::hub {
namespace {

TEST(RepoId, AcceptsWhatTheHubAccepts) {
  for (const char* id : {"gpt2", "google/gemma-4-12B-it", "Foo-BAR_foo.bar123", "_a/b_", "1/2"}) {
    EXPECT_TRUE(is_repo_id(id)) << id;
  }
  EXPECT_TRUE(is_repo_id(std::string(96, 'a')));
}

TEST(RepoId, RefusesWhatCannotBeOne) {
  for (const char* id : {"", "/", "a/", "/a", "a/b/c", "a--b", "a/..", "a..b/c", "-a", "a-", "a.",
                         "a/.b", "a b", "a.git", "a/b.git", "a\\b", "a:b", "\xC3\xA9"}) {
    EXPECT_FALSE(is_repo_id(id)) << id;
  }
  EXPECT_FALSE(is_repo_id(std::string(97, 'a')));
  EXPECT_FALSE(is_repo_id(std::string_view("a\0b", 3)));
}

TEST(Revision, IsARelativePath) {
  for (const char* revision : {"main", "v1.0", "refs/pr/4", "feature/x", "0123abc"}) {
    EXPECT_TRUE(is_revision(revision)) << revision;
  }
  for (const char* revision :
       {"", "..", "a/../b", "/main", "a b", "a\n", "a~1", "a^", "a:b", "a/"}) {
    EXPECT_FALSE(is_revision(revision)) << revision;
  }
}

TEST(Hashes, HaveTheirLengthAndLowerCase) {
  EXPECT_TRUE(is_commit_hash(std::string(40, 'a')));
  EXPECT_FALSE(is_commit_hash(std::string(39, 'a')));
  EXPECT_FALSE(is_commit_hash(std::string(40, 'A')));
  EXPECT_FALSE(is_commit_hash(std::string(40, 'g')));
  EXPECT_TRUE(is_sha256(std::string(64, '0')));
  EXPECT_FALSE(is_sha256(std::string(40, '0')));
}

TEST(FileName, OrdinaryNamesPass) {
  for (const char* name : {"config.json", "a/b/c.txt", ".gitattributes", "with space",
                           "\xC3\xA9.txt", "a..b", "...", "ab:c"}) {
    EXPECT_FALSE(file_name_problem(name)) << name;
  }
}

TEST(FileName, EscapesAndOddPartsDoNot) {
  for (const char* name : {"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/..", "a/./b",
                           "a\\..\\b", "C:", "c:x", "a/D:x", "a\tb", "a\x7F"}) {
    EXPECT_TRUE(file_name_problem(name)) << name;
  }
  EXPECT_TRUE(file_name_problem(std::string_view("a\0b", 3)));
  EXPECT_FALSE(file_name_problem(std::string(240, 'a')));
  EXPECT_TRUE(file_name_problem(std::string(241, 'a')));
}

TEST(Etag, BecomesABlobNameAsInHuggingfaceHub) {
  EXPECT_EQ(blob_name_from_etag("\"abc\""), "abc");
  EXPECT_EQ(blob_name_from_etag("W/\"abc\""), "abc");
  EXPECT_EQ(blob_name_from_etag("abc-1.x_2"), "abc-1.x_2");
}

TEST(Etag, ThatIsNoFileNameIsRefused) {
  for (const char* etag :
       {"", "\"\"", "W/", "\"../x\"", "\"a/b\"", "\".x\"", "\"a b\"", "\"a\"b\"", "a\n"}) {
    EXPECT_FALSE(blob_name_from_etag(etag)) << etag;
  }
  EXPECT_TRUE(blob_name_from_etag(std::string(128, 'a')));
  EXPECT_FALSE(blob_name_from_etag(std::string(129, 'a')));
}

TEST(HubName, SplitsAtTheFirstColon) {
  const auto name = parse_hub_name("org/name:sub/model.gguf");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->repo, "org/name");
  EXPECT_EQ(name->file, "sub/model.gguf");
  EXPECT_EQ(parse_hub_name("org/name")->file, "");
  for (const char* text :
       {"", ":", "org/name:", "org/name:../x", "./model", "/abs/path", "a/b/c", "~/m"}) {
    EXPECT_FALSE(parse_hub_name(text)) << text;
  }
}

TEST(FolderName, JoinsWithTwoDashes) {
  EXPECT_EQ(repo_folder_name("org/name"), "models--org--name");
  EXPECT_EQ(repo_folder_name("gpt2"), "models--gpt2");
}

}  // namespace
}  // namespace nolens::hub
