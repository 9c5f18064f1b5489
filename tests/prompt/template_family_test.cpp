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

/// The pieces of a Gemma 3 template that count, in no working order; `newline` as a file may write
/// it.
std::string gemma3_pieces(const std::string& newline) {
  return "{% if messages[0]['role'] == 'system' %}{% set first_user_prefix = "
         "messages[0]['content'] + '" +
         newline + newline +
         "' %}{% endif %}Conversation roles must alternate{% set role = \"model\" %}"
         "<start_of_turn>{{ first_user_prefix if loop.first }}{{ message['content'] | trim }}"
         "{{ item['text'] | trim }}<end_of_turn>";
}

TEST(TemplateFamily, RecognisesGemma3WithLineBreaksOfBothKinds) {
  EXPECT_EQ(chat_template_family(gemma3_pieces("\n")), TemplateFamily::kGemma3);
  EXPECT_EQ(chat_template_family(gemma3_pieces("\\n")), TemplateFamily::kGemma3);
}

TEST(TemplateFamily, DoesNotKnowGemma3TemplatesWithOtherRules) {
  const std::string known = gemma3_pieces("\n");
  EXPECT_EQ(chat_template_family(gemma3_pieces("")), TemplateFamily::kUnknown);
  for (const char* piece : {"first_user_prefix if loop.first", "Conversation roles", "\"model\"",
                            "message['content'] | trim", "<end_of_turn>", "== 'system'"}) {
    EXPECT_EQ(chat_template_family(replaced(known, piece, "")), TemplateFamily::kUnknown) << piece;
  }
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
