// Answers with drafts are the answers without: same tokens, text, ends and state afterwards.
#include <algorithm>
#include <random>
#include <stdexcept>

#include <gtest/gtest.h>

#include "nolens/error.h"
#include "nolens/session.h"

#include "support/tiny_model.h"

namespace nolens {
namespace {

using testing::question;
using testing::striped_picture;
using testing::tiny_model;
using testing::tiny_model_path;

GenerateOptions drafting(GenerateOptions options, std::int64_t most) {
  options.draft = {.source = DraftSource::kPromptLookup, .max_tokens = most};
  return options;
}

/// What a caller sees of an answer.
struct Seen {
  GenerateResult result;
  std::vector<TokenId> ids;
  std::vector<std::string> pieces;
  std::vector<float> logprobs;
};

Seen run(Session& session, const GenerateOptions& options, int cancel_after = -1) {
  Seen seen;
  seen.result = session.generate(options, [&](const TokenEvent& event) {
    seen.ids.push_back(event.id);
    seen.pieces.emplace_back(event.text);
    seen.logprobs.push_back(event.logprob);
    return static_cast<int>(seen.ids.size()) != cancel_after;
  });
  return seen;
}

void expect_same(const Seen& drafted, const Seen& plain) {
  ASSERT_EQ(drafted.result.tokens, plain.result.tokens);
  EXPECT_EQ(drafted.result.text, plain.result.text);
  EXPECT_EQ(drafted.result.finish_reason, plain.result.finish_reason);
  EXPECT_EQ(drafted.ids, plain.ids);
  EXPECT_EQ(drafted.pieces, plain.pieces);
  EXPECT_EQ(drafted.logprobs, plain.logprobs);
}

void expect_same(const Session& drafted, const Session& plain) {
  EXPECT_EQ(drafted.position(), plain.position());
  EXPECT_TRUE(std::ranges::equal(drafted.logits(), plain.logits()));
  EXPECT_TRUE(std::ranges::equal(drafted.hidden_state(), plain.hidden_state()));
}

/// Ids of ordinary tokens in which runs come back.
std::vector<TokenId> repetitive_ids(std::mt19937& random, std::size_t count) {
  std::vector<TokenId> ids = {2};
  while (ids.size() < count) {
    if (ids.size() > 20 && random() % 3 == 0) {
      const std::size_t begin = random() % (ids.size() - 10);
      for (std::size_t i = 0; i < 10; ++i) {
        ids.push_back(ids[begin + i]);
      }
    } else {
      ids.push_back(static_cast<TokenId>(random() % 300 + 150));
    }
  }
  return ids;
}

/// Samplers of every kind, `kind` counts up.
GenerateOptions some_options(int kind, std::uint64_t seed) {
  GenerateOptions options;
  options.max_tokens = 90;
  options.logprobs = true;
  SamplerOptions& sampler = options.sampler;
  sampler.seed = seed;
  sampler.temperature = 0.0F;
  switch (kind % 6) {
    case 1: sampler.temperature = 0.3F; break;
    case 2:
      sampler.temperature = 0.8F;
      sampler.top_k = 3;
      break;
    case 3: sampler.repetition_penalty = 1.05F; break;
    case 4:
      sampler.temperature = 0.2F;
      sampler.frequency_penalty = 0.02F;
      sampler.presence_penalty = 0.1F;
      sampler.top_p = 0.9F;
      break;
    case 5:
      sampler.temperature = 0.5F;
      sampler.min_p = 0.2F;
      break;
    default: break;
  }
  return options;
}

class DraftedAnswers : public ::testing::TestWithParam<const char*> {};

TEST_P(DraftedAnswers, AreThoseWithoutDraftsForEverySamplerAndDraftLength) {
  const std::filesystem::path golden = tiny_model_path(GetParam());
  const auto model =
      Model::load(std::filesystem::exists(golden)
                      ? golden
                      : std::filesystem::path(NOLENS_SOURCE_DIR) / "models" / GetParam(),
                  {.num_threads = 2});
  std::mt19937 random(5);
  DraftStats sum;
  for (int kind = 0; kind < 24; ++kind) {
    const std::vector<TokenId> ids = repetitive_ids(random, random() % 150 + 4);
    const GenerateOptions options = some_options(kind, random());
    Session plain(model, {.context_length = 400});
    plain.append_ids(ids);
    Session drafted(model, {.context_length = 400});
    drafted.append_ids(ids);
    const Seen expected = run(plain, options);
    const Seen seen = run(drafted, drafting(options, kind % 8 + 1));
    expect_same(seen, expected);
    expect_same(drafted, plain);
    if (::testing::Test::HasFailure()) {
      FAIL() << "options " << kind;
    }
    const DraftStats& stats = seen.result.draft;
    EXPECT_LE(stats.accepted, stats.drafted);
    EXPECT_EQ(expected.result.draft.drafted, 0);
    sum.drafted += stats.drafted;
    sum.accepted += stats.accepted;
  }
  EXPECT_GT(sum.accepted, 100) << "of " << sum.drafted;
  EXPECT_LT(sum.accepted, sum.drafted) << "some drafts must have been wrong";
}

INSTANTIATE_TEST_SUITE_P(Models, DraftedAnswers,
                         ::testing::Values("tiny_stored", "tiny_resaved", "tiny_bf16",
                                           "nolens-tiny"),
                         [](const auto& values) {
                           std::string name = values.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

/// A greedy answer that soon repeats itself, so that drafts are long and right.
GenerateOptions endless(const Model& model, std::int64_t max_tokens) {
  GenerateOptions options;
  options.max_tokens = max_tokens;
  options.sampler.temperature = 0.0F;
  options.sampler.suppress_tokens = model.config().tokens.eos;
  for (const char* token : {"<turn|>", "<|tool_response>"}) {
    options.sampler.suppress_tokens.push_back(model.tokenizer().find(token));
  }
  return options;
}

Session ready(const std::shared_ptr<const Model>& model, std::int64_t context = 0) {
  Session session(model, {.context_length = context});
  session.append(question("one two three one two three one two three"));
  return session;
}

TEST(Drafts, APassGivesSeveralTokensWhereTheAnswerRepeats) {
  const auto model = tiny_model();
  Session session = ready(model);
  const GenerateResult result = session.generate(drafting(endless(*model, 300), 7));
  EXPECT_EQ(result.tokens.size(), 300U);
  EXPECT_LT(result.draft.passes, 150);
  EXPECT_EQ(result.draft.passes + result.draft.accepted, 299);
  EXPECT_GT(result.draft.tokens_per_pass(), 2.0);
  EXPECT_GT(result.draft.acceptance(), 0.5);
}

TEST(Drafts, EveryTokenLimitAndContextEndsAnAnswerWhereItWould) {
  const auto model = tiny_model();
  const std::int64_t prompt = ready(model).position();
  for (std::int64_t limit = 1; limit <= 80; ++limit) {
    Session plain = ready(model);
    Session drafted = ready(model);
    expect_same(run(drafted, drafting(endless(*model, limit), 8)),
                run(plain, endless(*model, limit)));
    expect_same(drafted, plain);
    Session short_plain = ready(model, prompt + limit);
    Session short_drafted = ready(model, prompt + limit);
    expect_same(run(short_drafted, drafting(endless(*model, 1000), 8)),
                run(short_plain, endless(*model, 1000)));
    expect_same(short_drafted, short_plain);
  }
}

TEST(Drafts, AnswersGoOnAfterACancelAtAnyToken) {
  const auto model = tiny_model();
  for (int tokens = 1; tokens <= 60; tokens += 3) {
    Session plain = ready(model);
    Session drafted = ready(model);
    expect_same(run(drafted, drafting(endless(*model, 90), 8), tokens),
                run(plain, endless(*model, 90), tokens));
    expect_same(drafted, plain);
    plain.append(question("And then?"));
    drafted.append(question("And then?"));
    expect_same(drafted, plain);
    expect_same(run(drafted, drafting(endless(*model, 20), 8)), run(plain, endless(*model, 20)));
  }
}

TEST(Drafts, StopTextsAndEndTokensStopInsideADraft) {
  const auto model = tiny_model();
  Session probe = ready(model);
  const GenerateResult whole = probe.generate(endless(*model, 120));
  for (std::size_t at = 0; at + 4 < whole.text.size(); at += 5) {
    GenerateOptions options = endless(*model, 120);
    options.stop = {whole.text.substr(at, 4)};
    Session plain = ready(model);
    Session drafted = ready(model);
    expect_same(run(drafted, drafting(options, 8)), run(plain, options));
    expect_same(drafted, plain);
  }
  // An end token gains on the others with each token of the answer that is penalised.
  for (int step = 1; step < 12; ++step) {
    GenerateOptions options = endless(*model, 120);
    options.sampler.suppress_tokens.clear();
    options.sampler.frequency_penalty = 0.02F * static_cast<float>(step);
    options.sampler.logit_bias = {{model->tokenizer().find("<turn|>"), 1.0F}};
    Session plain = ready(model);
    Session drafted = ready(model);
    expect_same(run(drafted, drafting(options, 8)), run(plain, options));
    expect_same(drafted, plain);
  }
}

TEST(Drafts, ACallbackThatThrowsLeavesTheSessionAsItWould) {
  const auto model = tiny_model();
  for (int tokens = 1; tokens <= 40; tokens += 2) {
    Session plain = ready(model);
    Session drafted = ready(model);
    for (Session* session : {&plain, &drafted}) {
      int seen = 0;
      const GenerateOptions options = endless(*model, 90);
      EXPECT_THROW(session->generate(session == &plain ? options : drafting(options, 8),
                                     [&](const TokenEvent&) -> bool {
                                       if (++seen == tokens) {
                                         throw std::runtime_error("no more");
                                       }
                                       return true;
                                     }),
                   std::runtime_error);
    }
    expect_same(drafted, plain);
    expect_same(run(drafted, endless(*model, 10)), run(plain, endless(*model, 10)));
  }
}

TEST(Drafts, PicturesInThePromptAreNoTextToRepeat) {
  const auto model = tiny_model();
  const Prompt prompt = question(striped_picture(60, 50, 1), "one two one two one two");
  Session plain(model);
  Session drafted(model);
  plain.append(prompt);
  drafted.append(prompt);
  GenerateOptions options = endless(*model, 60);
  // The model is made to say the placeholder: as an answer it is a token like others.
  options.sampler.logit_bias = {{model->config().tokens.image, 3.0F}};
  expect_same(run(drafted, drafting(options, 8)), run(plain, options));
  expect_same(drafted, plain);
}

TEST(Drafts, LengthsOutOfRangeAreRefused) {
  const auto model = tiny_model();
  Session session = ready(model);
  for (const std::int64_t most : {std::int64_t{-1}, std::int64_t{0}, kMaxDraftTokens + 1}) {
    EXPECT_THROW(session.generate(drafting(endless(*model, 4), most)), Error);
  }
}

}  // namespace
}  // namespace nolens
