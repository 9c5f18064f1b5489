#include "formats/model_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/temporary_folder.h"

namespace nolens {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string refusal(const std::filesystem::path& path) {
  return model_error_of([&] { check_model_directory(path); });
}

TEST(ModelDirectory, AcceptsOneOrManyWeightFiles) {
  const TemporaryFolder folder;
  folder.add("config.json", "{}");
  folder.add("model.safetensors", "");
  EXPECT_NO_THROW(check_model_directory(folder.path()));
  const TemporaryFolder sharded;
  sharded.add("config.json", "{}");
  sharded.add("model.safetensors.index.json", "");
  EXPECT_NO_THROW(check_model_directory(sharded.path()));
}

TEST(ModelDirectory, SaysWhatWasFoundInstead) {
  const TemporaryFolder folder;
  EXPECT_THAT(refusal(folder.path() / "nothing"), HasSubstr("does not exist"));
  EXPECT_THAT(refusal(folder.add("model.safetensors", "")),
              HasSubstr("is a file; name a .gguf file"));
  EXPECT_THAT(refusal(folder.path()),
              AllOf(HasSubstr("no config.json"), HasSubstr("it has model.safetensors")));
  const TemporaryFolder empty;
  EXPECT_THAT(refusal(empty.path()), HasSubstr("it is empty"));
  empty.add("config.json", "{}");
  EXPECT_THAT(refusal(empty.path()), HasSubstr("no model.safetensors"));
}

TEST(ModelDirectory, NeverReadsPickle) {
  const TemporaryFolder folder;
  folder.add("config.json", "{}");
  folder.add("pytorch_model.bin", "\x80\x02");
  EXPECT_THAT(refusal(folder.path()),
              AllOf(HasSubstr("never read"), HasSubstr("convert them to safetensors")));
}

TEST(ModelDirectory, EscapesAndBoundsWhatItLists) {
  const TemporaryFolder folder;
  for (int i = 0; i < 50; ++i) {
    folder.add("\x1b[2J" + std::to_string(i), "");
  }
  const std::string message = refusal(folder.path());
  EXPECT_EQ(message.find('\x1b'), std::string::npos);
  EXPECT_THAT(message, HasSubstr("and 42 more"));
}

TEST(ModelDirectory, FindsTheLicence) {
  const TemporaryFolder folder;
  EXPECT_EQ(read_licence(folder.path()), "");
  folder.add("LICENSE", "text");
  EXPECT_EQ(read_licence(folder.path()), "LICENSE");
  folder.add("README.md", "---\nlanguage: en\nlicense: apache-2.0\r\n---\n# Model\n");
  EXPECT_EQ(read_licence(folder.path()), "apache-2.0");
  folder.add("README.md", "---\nlanguage: en\n---\nlicense: not-here\n");
  EXPECT_EQ(read_licence(folder.path()), "LICENSE");
  folder.add("README.md", "license: no-front-matter\n");
  EXPECT_EQ(read_licence(folder.path()), "LICENSE");
  folder.add("README.md", "");
  EXPECT_EQ(read_licence(folder.path()), "LICENSE");
}

}  // namespace
}  // namespace nolens
