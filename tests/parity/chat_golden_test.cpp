// Prompts against renderings of the chat template (tests/golden/chat): text and ids, exact.
#include <gtest/gtest.h>

#include "nolens/chat.h"
#include "nolens/error.h"
#include "nolens/tokenizer.h"

#include "parity/golden_json.h"

namespace nolens {
namespace {

using testing::golden_folder;
using testing::golden_json;

const Json& golden() {
  static const Json json = golden_json("chat");
  return json;
}

Prompt render(const Json& entry) {
  ChatOptions options;
  options.enable_thinking = entry.at("options").at("enable_thinking");
  options.preserve_thinking = entry.at("options").at("preserve_thinking");
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

class ChatGolden : public ::testing::TestWithParam<std::size_t> {};

TEST_P(ChatGolden, RendersAsTheTemplateDoes) {
  const Json& entry = golden().at("cases").at(GetParam());
  SCOPED_TRACE(entry.at("name").get<std::string>());
  if (entry.at("engine") == "refuses") {
    EXPECT_THROW(render(entry), Error);
    return;
  }
  const Prompt prompt = render(entry);
  EXPECT_EQ(prompt_text(prompt), entry.at("expected").get<std::string>());
  if (entry.at("ids_comparable").get<bool>()) {
    static const Tokenizer tokenizer = Tokenizer::load(
        golden_folder(golden().at("tokenizer").get<std::string>()) / "tokenizer.json");
    EXPECT_EQ(ids_of(prompt, tokenizer), entry.at("token_ids").get<std::vector<TokenId>>());
  }
}

std::string test_name(const ::testing::TestParamInfo<std::size_t>& info) {
  std::string name = golden().at("cases").at(info.param).at("name");
  for (char& letter : name) {
    const bool fine = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                      (letter >= '0' && letter <= '9');
    letter = fine ? letter : '_';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, ChatGolden,
                         ::testing::Range(std::size_t{0}, golden().at("cases").size()), test_name);

}  // namespace
}  // namespace nolens
