// The token loop: stops, limits, streaming and seeds, over a small random model.
#include <gtest/gtest.h>

#include "nolens/error.h"
#include "nolens/session.h"
#include "support/tiny_model.h"

namespace nolens {
namespace {

using testing::question;
using testing::tiny_model;

Session ready(const std::shared_ptr<const Model>& model, std::int64_t context = 0) {
  Session session(model, {.context_length = context});
  session.append(question("Tell me something."));
  return session;
}

GenerateOptions greedy(std::int64_t max_tokens) {
  GenerateOptions options;
  options.max_tokens = max_tokens;
  options.sampler.temperature = 0.0F;
  return options;
}

/// End tokens suppressed, so that only the limits end an answer.
GenerateOptions endless(const Model& model, std::int64_t max_tokens) {
  GenerateOptions options = greedy(max_tokens);
  options.sampler.suppress_tokens = model.config().tokens.eos;
  for (const char* token : {"<turn|>", "<|tool_response>"}) {
    options.sampler.suppress_tokens.push_back(model.tokenizer().find(token));
  }
  return options;
}

TEST(Generate, StopsAtTheTokenLimit) {
  const auto model = tiny_model();
  Session session = ready(model);
  const GenerateResult result = session.generate(endless(*model, 9));
  EXPECT_EQ(result.finish_reason, FinishReason::kLength);
  EXPECT_EQ(result.tokens.size(), 9U);
}

TEST(Generate, StopsWhenTheContextIsFull) {
  const auto model = tiny_model();
  Session probe = ready(model);
  const std::int64_t context = probe.position() + 5;
  Session session = ready(model, context);
  const GenerateResult result = session.generate(endless(*model, 1000));
  EXPECT_EQ(result.finish_reason, FinishReason::kLength);
  EXPECT_EQ(result.tokens.size(), 5U);
}

TEST(Generate, AnEndTokenStopsAndIsNotPartOfTheAnswer) {
  const auto model = tiny_model();
  Session session = ready(model);
  const TokenId end = model->tokenizer().find("<turn|>");
  GenerateOptions options = greedy(50);
  options.sampler.logit_bias = {{end, 1000.0F}};
  const GenerateResult result = session.generate(options);
  EXPECT_EQ(result.finish_reason, FinishReason::kStop);
  EXPECT_TRUE(result.tokens.empty());
  EXPECT_TRUE(result.text.empty());
}

TEST(Generate, StreamedPiecesJoinToTheText) {
  const auto model = tiny_model();
  Session session = ready(model);
  std::string joined;
  const GenerateResult result =
      session.generate(endless(*model, 60), [&](const TokenEvent& event) {
        joined += event.text;
        return true;
      });
  EXPECT_EQ(joined, result.text);
  EXPECT_FALSE(result.text.empty());
}

TEST(Generate, AStopTextEndsTheAnswerBeforeIt) {
  const auto model = tiny_model();
  Session reference = ready(model);
  const std::string text = reference.generate(endless(*model, 60)).text;
  ASSERT_GE(text.size(), 12U);
  GenerateOptions options = endless(*model, 60);
  // Whole characters from the middle of what the model says.
  std::size_t begin = text.size() / 2;
  while ((static_cast<unsigned char>(text[begin]) & 0xC0U) == 0x80U) {
    ++begin;
  }
  std::size_t end = std::min(begin + 5, text.size());
  while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) {
    ++end;
  }
  options.stop = {text.substr(begin, end - begin)};
  Session session = ready(model);
  const GenerateResult result = session.generate(options);
  EXPECT_EQ(result.finish_reason, FinishReason::kStop);
  EXPECT_EQ(result.text, text.substr(0, text.find(options.stop[0])));
}

TEST(Generate, ACallbackThatReturnsFalseCancels) {
  const auto model = tiny_model();
  Session session = ready(model);
  int calls = 0;
  const GenerateResult result = session.generate(endless(*model, 60), [&](const TokenEvent& event) {
    return event.id < 0 || ++calls < 3;
  });
  EXPECT_EQ(result.finish_reason, FinishReason::kCancelled);
  EXPECT_EQ(result.tokens.size(), 3U);
}

TEST(Generate, TheSameSeedGivesTheSameTokens) {
  const auto model = tiny_model();
  GenerateOptions options = endless(*model, 30);
  options.sampler.temperature = 1.0F;
  options.sampler.seed = 42;
  Session first = ready(model);
  Session second = ready(model);
  Session third = ready(model);
  const auto tokens = first.generate(options).tokens;
  EXPECT_EQ(tokens, second.generate(options).tokens);
  options.sampler.seed = 43;
  EXPECT_NE(tokens, third.generate(options).tokens);
}

TEST(Generate, GoingOnEqualsOneLongAnswer) {
  const auto model = tiny_model();
  Session once = ready(model);
  const auto whole = once.generate(endless(*model, 20)).tokens;
  Session twice = ready(model);
  auto parts = twice.generate(endless(*model, 12)).tokens;
  const auto rest = twice.generate(endless(*model, 8)).tokens;
  parts.insert(parts.end(), rest.begin(), rest.end());
  EXPECT_EQ(whole, parts);
}

TEST(Generate, LogprobsComeWithTheirAlternatives) {
  const auto model = tiny_model();
  Session session = ready(model);
  GenerateOptions options = endless(*model, 4);
  options.sampler.suppress_tokens.clear();
  options.logprobs = true;
  options.top_logprobs = 3;
  session.generate(options, [&](const TokenEvent& event) {
    if (event.id >= 0) {
      EXPECT_EQ(event.top_logprobs.size(), 3U);
      EXPECT_EQ(event.top_logprobs[0].id, event.id);
      EXPECT_FLOAT_EQ(event.top_logprobs[0].logprob, event.logprob);
      EXPECT_LE(event.logprob, 0.0F);
    }
    return true;
  });
}

TEST(Generate, OptionsOutOfRangeAreRefused) {
  const auto model = tiny_model();
  Session session = ready(model);
  GenerateOptions options = greedy(0);
  EXPECT_THROW(session.generate(options), Error);
  options = greedy(1);
  options.top_logprobs = 21;
  EXPECT_THROW(session.generate(options), Error);
}

}  // namespace
}  // namespace nolens
