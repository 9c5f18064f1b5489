// Prompts against renderings of the chat templates (tests/golden/chat, gemma3_chat): text and ids,
// exact.
#include <gtest/gtest.h>

#include "nolens/chat.h"
#include "nolens/error.h"
#include "nolens/tokenizer.h"

#include "parity/golden_json.h"

namespace nolens {
namespace {

using testing::golden_folder;
using testing::golden_json;

/// A folder of conversations and the family whose template rendered them.
struct Source {
  const char* folder;
  ChatFamily family;
};
constexpr Source kGemma4{"chat", ChatFamily::kGemma4};
constexpr Source kGemma3{"gemma3_chat", ChatFamily::kGemma3};

const Json& golden(const Source& source) {
  static const Json gemma4 = golden_json(kGemma4.folder);
  static const Json gemma3 = golden_json(kGemma3.folder);
  return source.family == ChatFamily::kGemma3 ? gemma3 : gemma4;
}

Prompt render(const Json& entry, ChatFamily family) {
  ChatOptions options;
  options.family = family;
  options.enable_thinking = entry.at("options").at("enable_thinking");
  options.preserve_thinking = entry.at("options").value("preserve_thinking", false);
  options.add_generation_prompt = entry.at("options").at("add_generation_prompt");
  options.tools = entry.at("tools");
  return render_chat(parse_messages(entry.at("messages").get<std::string>(), golden_folder("chat")),
                     options);
}

/// Ids as the engine makes them: neighbouring texts are one, control tokens come from the template.
std::vector<TokenId> ids_of(const Prompt& prompt, const Tokenizer& tokenizer) {
  std::vector<TokenId> ids;
  std::string text;
  const auto flush = [&] {
    tokenizer.encode(text, ParseSpecial::kNo, ids);
    text.clear();
  };
  for (const PromptPart& part : prompt) {
    if (const auto* plain = std::get_if<PromptText>(&part)) {
      text += plain->text;
      continue;
    }
    flush();
    const auto* special = std::get_if<PromptSpecial>(&part);
    ids.push_back(tokenizer.find(special != nullptr ? special->token : "<|image|>"));
  }
  flush();
  return ids;
}

/// Compares one conversation. `tokenizer` is the one of the source.
void expect_as_rendered(const Json& entry, ChatFamily family, const Tokenizer& tokenizer) {
  SCOPED_TRACE(entry.at("name").get<std::string>());
  if (entry.at("engine") == "refuses") {
    EXPECT_THROW(render(entry, family), Error);
    return;
  }
  const Prompt prompt = render(entry, family);
  EXPECT_EQ(prompt_text(prompt), entry.at("expected").get<std::string>());
  if (entry.at("ids_comparable").get<bool>()) {
    EXPECT_EQ(ids_of(prompt, tokenizer), entry.at("token_ids").get<std::vector<TokenId>>());
  }
}

Tokenizer load_tokenizer(const Source& source) {
  return Tokenizer::load(golden_folder(golden(source).at("tokenizer").get<std::string>()) /
                         "tokenizer.json");
}

class ChatGolden : public ::testing::TestWithParam<std::size_t> {};

TEST_P(ChatGolden, RendersAsTheTemplateDoes) {
  static const Tokenizer tokenizer = load_tokenizer(kGemma4);
  expect_as_rendered(golden(kGemma4).at("cases").at(GetParam()), kGemma4.family, tokenizer);
}

class Gemma3ChatGolden : public ::testing::TestWithParam<std::size_t> {};

TEST_P(Gemma3ChatGolden, RendersAsTheTemplateDoes) {
  static const Tokenizer tokenizer = load_tokenizer(kGemma3);
  expect_as_rendered(golden(kGemma3).at("cases").at(GetParam()), kGemma3.family, tokenizer);
}

template <const Source& source>
std::string test_name(const ::testing::TestParamInfo<std::size_t>& info) {
  std::string name = golden(source).at("cases").at(info.param).at("name");
  for (char& letter : name) {
    const bool fine = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                      (letter >= '0' && letter <= '9');
    letter = fine ? letter : '_';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, ChatGolden,
                         ::testing::Range(std::size_t{0}, golden(kGemma4).at("cases").size()),
                         test_name<kGemma4>);
INSTANTIATE_TEST_SUITE_P(All, Gemma3ChatGolden,
                         ::testing::Range(std::size_t{0}, golden(kGemma3).at("cases").size()),
                         test_name<kGemma3>);

}  // namespace
}  // namespace nolens
