#include "dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fixture.h"

namespace nolens::train {
namespace {

using testing::HasSubstr;

class DatasetTest : public testing::Test {
 protected:
  Dataset read(const std::string& text, std::int64_t max_tokens = 500) {
    write_text(model_.folder.path() / "d.jsonl", text);
    std::filesystem::copy_file(source_folder() / "data" / "easy-vqa-test" / "images" / "0.png",
                               model_.folder.path() / "p.png",
                               std::filesystem::copy_options::overwrite_existing);
    return read_dataset(model_.folder.path() / "d.jsonl", encoder_, max_tokens);
  }
  SmallModel model_;
  PromptEncoder encoder_{model_.tokenizer, model_.config};
};

std::string line(const std::string& question, const std::string& answer) {
  return R"({"image":"p.png","messages":[{"role":"user","content":")" + question +
         R"("},{"role":"assistant","content":")" + answer + "\"}]}\n";
}

TEST_F(DatasetTest, QuestionsAboutOnePictureShareAPrefix) {
  const Dataset data = read(line("what color is the shape?", "red") + line("is it red?", "yes"));
  ASSERT_EQ(data.examples.size(), 1U);
  EXPECT_EQ(data.lines, 2);
  EXPECT_TRUE(data.bad_lines.empty());
  ASSERT_EQ(data.examples[0].branches.size(), 2U);
  EXPECT_EQ(encoder_.answer_text(data.examples[0].branches[1]), "yes");
}

TEST_F(DatasetTest, PrefixAndBranchAreTheCanonicalPrompt) {
  const Dataset data = read(line("what color is the shape?", "red"));
  std::vector<TokenId> ids = data.examples[0].prefix;
  const Branch& branch = data.examples[0].branches[0];
  ids.insert(ids.end(), branch.tokens.begin(), branch.tokens.end());
  EXPECT_EQ(model_.tokenizer.decode(ids),
            "<bos><|turn>user\n<|image><|image|><image|>what color is the shape?<turn|>\n"
            "<|turn>model\n<|channel>thought\n<channel|>red<turn|>");
  EXPECT_EQ(branch.tokens[static_cast<std::size_t>(branch.answer_begin - 1)],
            model_.tokenizer.find("<channel|>"));
}

TEST_F(DatasetTest, EveryAssistantTurnIsABranchThatSeesTheEarlierOnes) {
  const Dataset data =
      read(R"({"image":"p.png","messages":[{"role":"user","content":"what color is the shape?"},)"
           R"({"role":"assistant","content":"red"},{"role":"user","content":"what shape is it?"},)"
           R"({"role":"assistant","content":"triangle"}]})");
  ASSERT_EQ(data.examples.size(), 1U);
  ASSERT_EQ(data.examples[0].branches.size(), 2U);
  EXPECT_THAT(model_.tokenizer.decode(data.examples[0].branches[1].tokens),
              HasSubstr("<|turn>model\nred<turn|>\n<|turn>user\nwhat shape is it?<turn|>"));
}

TEST_F(DatasetTest, ATextConversationNeedsNoPicture) {
  const Dataset data = read(
      R"({"messages":[{"role":"user","content":"hello"},{"role":"assistant","content":"yes"}]})");
  ASSERT_EQ(data.examples.size(), 1U);
  EXPECT_TRUE(data.examples[0].pictures.empty());
  EXPECT_EQ(data.examples[0].prefix, std::vector<TokenId>{model_.config.tokens.bos});
}

TEST_F(DatasetTest, ControlTokensInTheDataStayPlainText) {
  const Dataset data = read(line("<|image|><turn|>", "red"));
  const Branch& branch = data.examples.at(0).branches.at(0);
  EXPECT_EQ(std::count(branch.tokens.begin(), branch.tokens.end(), model_.config.tokens.image), 0);
}

TEST_F(DatasetTest, BadLinesAreListedByNumberAndTheOthersUsed) {
  const Dataset data = read(line("is it red?", "yes") + "{\"image\":\"p.png\"}\n" + "not json\n\n" +
                            R"({"image":"gone.png","messages":[{"role":"user","content":"a"},)"
                            R"({"role":"assistant","content":"b"}]})"
                            "\n" +
                            R"({"image":"p.png","messages":[{"role":"user","content":"a"}]})"
                            "\n" +
                            R"({"image":"p.png","messages":[{"role":"robot","content":"a"}]})"
                            "\n" +
                            line("is it blue?", ""));
  EXPECT_EQ(data.lines, 7);
  ASSERT_EQ(data.bad_lines.size(), 6U);
  EXPECT_EQ(data.bad_lines[0].number, 2);
  EXPECT_THAT(data.bad_lines[0].reason, HasSubstr("'messages' is missing"));
  EXPECT_EQ(data.bad_lines[1].number, 3);
  EXPECT_EQ(data.bad_lines[2].number, 5);
  EXPECT_THAT(data.bad_lines[2].reason, HasSubstr("gone.png"));
  EXPECT_THAT(data.bad_lines[3].reason, HasSubstr("nothing to learn"));
  EXPECT_THAT(data.bad_lines[4].reason, HasSubstr("robot"));
  EXPECT_THAT(data.bad_lines[5].reason, HasSubstr("empty"));
  ASSERT_EQ(data.examples.size(), 1U);
  EXPECT_EQ(data.examples[0].branches.size(), 1U);
}

TEST_F(DatasetTest, AConversationThatIsTooLongIsABadLine) {
  const Dataset data = read(line("what color is the shape?", "red"), 80);
  // 5 tokens before the picture's 64, 1 after them, 17 to the answer's end.
  ASSERT_EQ(data.bad_lines.size(), 1U);
  EXPECT_THAT(data.bad_lines[0].reason, HasSubstr("more than the limit of 80"));
  EXPECT_TRUE(read(line("what color is the shape?", "red"), 90).bad_lines.empty());
}

TEST_F(DatasetTest, AMissingFileIsAUsageError) {
  try {
    read_dataset(model_.folder.path() / "absent.jsonl", encoder_, 100);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
  }
}

}  // namespace
}  // namespace nolens::train
