#include "prompt/template_family.h"

#include <fstream>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

namespace nolens {
namespace {

std::string reference_template() {
  std::ifstream file(NOLENS_SOURCE_DIR "/tests/reference/chat_template.jinja");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t position = text.find(from);
  EXPECT_NE(position, std::string::npos) << from;
  return text.replace(position, from.size(), to);
}

TEST(TemplateFamily, RecognisesTheCanonicalTemplate) {
  EXPECT_EQ(chat_template_family(reference_template()), TemplateFamily::kGemma4);
}

TEST(TemplateFamily, TellsTheSmallModelsByTheMissingEmptyThought) {
  EXPECT_EQ(
      chat_template_family(replaced(reference_template(), "<|channel>thought\\n<channel|>", "")),
      TemplateFamily::kGemma4NoEmptyThought);
}

TEST(TemplateFamily, DoesNotKnowTheFirstPreview) {
  EXPECT_EQ(chat_template_family(replaced(reference_template(), "<|image|>", "\\n\\n<|image|>")),
            TemplateFamily::kUnknown);
}

TEST(TemplateFamily, DoesNotKnowOtherTemplates) {
  EXPECT_EQ(chat_template_family(""), TemplateFamily::kUnknown);
  EXPECT_EQ(chat_template_family("{{ '<start_of_turn>' + role + '\\n' }}"),
            TemplateFamily::kUnknown);
  EXPECT_EQ(chat_template_family(replaced(reference_template(), "<|think|>\\n", "<|think|>")),
            TemplateFamily::kUnknown);
}

}  // namespace
}  // namespace nolens
