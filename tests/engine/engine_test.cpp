#include "nolens/engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "support/tiny_model.h"

namespace nolens {
namespace {

using testing::question;
using testing::striped_picture;
using testing::tiny_model;

/// Waits for one request.
class Waiter {
 public:
  EngineCallbacks callbacks() {
    EngineCallbacks callbacks;
    callbacks.on_progress = [this](std::int64_t done, std::int64_t) { progress.push_back(done); };
    callbacks.on_token = [this](std::int64_t answer, const TokenEvent& event) {
      text[static_cast<std::size_t>(answer)] += event.text;
      return !on_token || on_token(event);
    };
    callbacks.on_done = [this](EngineResult&& value) { end([&] { result = std::move(value); }); };
    callbacks.on_error = [this](const Error& value) { end([&] { error = value; }); };
    return callbacks;
  }
  void wait() {
    std::unique_lock lock(mutex_);
    over_.wait(lock, [this] { return result.has_value() || error.has_value(); });
  }

  std::optional<EngineResult> result;
  std::optional<Error> error;
  std::vector<std::int64_t> progress;
  std::array<std::string, kMaxAnswers> text;
  std::function<bool(const TokenEvent&)> on_token{};

 private:
  template <class Action>
  void end(Action&& action) {
    const std::lock_guard lock(mutex_);
    action();
    over_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable over_;
};

GenerateOptions greedy(std::int64_t tokens) {
  GenerateOptions options;
  options.max_tokens = tokens;
  options.sampler.temperature = 0.0F;
  return options;
}

/// An answer that only the end of the context ends.
GenerateOptions endless(const Model& model) {
  GenerateOptions options = greedy(100000);
  options.sampler.suppress_tokens = model.config().tokens.eos;
  for (const char* end : {"<turn|>", "<|tool_response>"}) {
    options.sampler.suppress_tokens.push_back(model.tokenizer().find(end));
  }
  return options;
}

EngineResult answer(Engine& engine, EngineRequest request) {
  Waiter waiter;
  engine.submit(std::move(request), waiter.callbacks());
  waiter.wait();
  EXPECT_FALSE(waiter.error.has_value()) << waiter.error->what();
  return waiter.result.value_or(EngineResult{});
}

std::vector<TokenId> alone(const std::shared_ptr<const Model>& model, const Prompt& prompt,
                           const GenerateOptions& options, const SessionOptions& session = {}) {
  Session single(model, session);
  single.append(prompt);
  return single.generate(options).tokens;
}

std::vector<Prompt> prompts() {
  std::vector<Prompt> prompts;
  for (int i = 0; i < 6; ++i) {
    prompts.push_back(question("Question number " + std::to_string(i) + ": what do you see?"));
    prompts.push_back(question(striped_picture(40 + 8 * i, 30, i), "What is it?"));
  }
  return prompts;
}

TEST(Engine, AnswersAreTheSameAloneAndInACrowd) {
  const auto model = tiny_model();
  const std::vector<Prompt> all = prompts();
  Engine engine(model, {.parallel = 5, .prefix_cache_bytes = 0, .session = {.prefill_chunk = 32}});
  std::vector<Waiter> waiters(all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    engine.submit({.prompt = all[i], .generate = greedy(9 + static_cast<std::int64_t>(i))},
                  waiters[i].callbacks());
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    waiters[i].wait();
    ASSERT_TRUE(waiters[i].result.has_value());
    EXPECT_EQ(waiters[i].result->answers.at(0).tokens,
              alone(model, all[i], greedy(9 + static_cast<std::int64_t>(i)), {.prefill_chunk = 32}));
    EXPECT_EQ(waiters[i].text[0], waiters[i].result->answers[0].text);
    EXPECT_TRUE(std::is_sorted(waiters[i].progress.begin(), waiters[i].progress.end()));
    EXPECT_EQ(waiters[i].progress.back(), static_cast<std::int64_t>(waiters[i].result->prompt.ids.size()));
  }
  EXPECT_EQ(engine.stats().finished, static_cast<std::int64_t>(all.size()));
  EXPECT_EQ(engine.stats().images, 6);
  EXPECT_GT(engine.stats().prefill_rate, 0.0);
}

TEST(Engine, SampledAnswersDependOnTheirSeedOnly) {
  const auto model = tiny_model();
  GenerateOptions options = greedy(12);
  options.sampler.temperature = 1.5F;
  options.sampler.seed = 7;
  Engine engine(model);
  const EngineResult result =
      answer(engine, {.prompt = question("Tell me."), .generate = options, .answers = 3});
  ASSERT_EQ(result.answers.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    GenerateOptions single = options;
    single.sampler.seed += i;
    EXPECT_EQ(result.answers[i].tokens, alone(model, question("Tell me."), single));
  }
  EXPECT_NE(result.answers[0].tokens, result.answers[1].tokens);
}

TEST(Engine, AConversationThatGoesOnIsNotReadAgain) {
  const auto model = tiny_model();
  const Image image = striped_picture(40, 30, 1);
  Engine engine(model);
  Prompt prompt = question(image, "What is it?");
  const EngineResult first = answer(engine, {.prompt = prompt, .generate = greedy(5)});
  EXPECT_EQ(first.prompt.cached_tokens, 0);
  const Prompt more = question(image, "What is it? And where?");
  const EngineResult second = answer(engine, {.prompt = more, .generate = greedy(5)});
  EXPECT_GT(second.prompt.cached_tokens, first.prompt.images.at(0).tokens);
  EXPECT_EQ(second.answers.at(0).tokens, alone(model, more, greedy(5)));
  EXPECT_EQ(engine.stats().cached_tokens, second.prompt.cached_tokens);
  EXPECT_GT(engine.stats().cache_bytes, 0);
}

TEST(Engine, OneOwnersPrefixIsNotAnothers) {
  const auto model = tiny_model();
  Engine engine(model);
  const Prompt prompt = question("A long enough question to be worth keeping for later.");
  answer(engine, {.prompt = prompt, .generate = greedy(2), .owner = 1});
  EXPECT_EQ(answer(engine, {.prompt = prompt, .generate = greedy(2), .owner = 2}).prompt.cached_tokens, 0);
  EXPECT_GT(answer(engine, {.prompt = prompt, .generate = greedy(2), .owner = 1}).prompt.cached_tokens, 0);
}

TEST(Engine, ASharedBeginningIsKeptOnceItHasBeenSeenTwice) {
  const auto model = tiny_model();
  Engine engine(model);
  const std::string shared(400, 'a');
  GenerateOptions long_answer = endless(engine.model());
  long_answer.max_tokens = 500;
  const auto ask = [&](const std::string& rest) {
    // Answers long enough to push the beginning out of the sliding window.
    return answer(engine, {.prompt = question(shared + rest), .generate = long_answer});
  };
  ask(" one?");
  EXPECT_EQ(ask(" two?").prompt.cached_tokens, 0);
  const EngineResult third = ask(" three?");
  EXPECT_GT(third.prompt.cached_tokens, static_cast<std::int64_t>(third.prompt.ids.size()) / 2);
  EXPECT_EQ(third.answers.at(0).tokens, alone(model, question(shared + " three?"), long_answer));
}

TEST(Engine, TheCacheKeepsToItsSize) {
  const auto model = tiny_model();
  Engine big(model);
  answer(big, {.prompt = question("How large is one?"), .generate = greedy(2)});
  const std::int64_t one = big.stats().cache_bytes;
  ASSERT_GT(one, 0);
  Engine engine(model, {.prefix_cache_bytes = one * 5 / 2});
  for (int i = 0; i < 6; ++i) {
    answer(engine, {.prompt = question(std::to_string(i) + " is how large?"), .generate = greedy(2)});
    EXPECT_LE(engine.stats().cache_bytes, one * 5 / 2);
  }
  EXPECT_GT(engine.stats().cache_evictions, 0);
}

TEST(Engine, ARefusedTokenEndsThatAnswer) {
  Engine engine(tiny_model());
  Waiter waiter;
  int tokens = 0;
  waiter.on_token = [&](const TokenEvent&) { return ++tokens < 3; };
  engine.submit({.prompt = question("Go on."), .generate = greedy(50)}, waiter.callbacks());
  waiter.wait();
  ASSERT_TRUE(waiter.result.has_value());
  EXPECT_EQ(waiter.result->answers.at(0).finish_reason, FinishReason::kCancelled);
  EXPECT_EQ(waiter.result->answers.at(0).tokens.size(), 3U);
}

TEST(Engine, CancellingEndsWaitingReadingAndWritingRequests) {
  Engine engine(tiny_model(), {.parallel = 1});
  Waiter writing;
  std::mutex mutex;
  std::condition_variable begun;
  bool has_begun = false;
  writing.on_token = [&](const TokenEvent&) {
    const std::lock_guard lock(mutex);
    has_begun = true;
    begun.notify_all();
    return true;
  };
  const RequestId first =
      engine.submit({.prompt = question("Go on."), .generate = endless(engine.model())}, writing.callbacks());
  Waiter waiting;
  const RequestId second =
      engine.submit({.prompt = question("Me too."), .generate = greedy(5)}, waiting.callbacks());
  {
    std::unique_lock lock(mutex);
    begun.wait(lock, [&] { return has_begun; });
  }
  engine.cancel(second);
  waiting.wait();
  ASSERT_TRUE(waiting.error.has_value());
  EXPECT_EQ(waiting.error->code(), ErrorCode::kInterrupted);
  engine.cancel(first);
  writing.wait();
  ASSERT_TRUE(writing.error.has_value());
  EXPECT_EQ(writing.error->code(), ErrorCode::kInterrupted);
  EXPECT_EQ(engine.stats().cancelled, 2);
  engine.cancel(first);  // is over: nothing happens
  EXPECT_EQ(answer(engine, {.prompt = question("Still there?"), .generate = greedy(3)}).answers.size(), 1U);
}

TEST(Engine, AFullQueueRefusesAtOnce) {
  Engine engine(tiny_model(), {.parallel = 1, .queue_length = 1});
  Waiter first;
  Waiter second;
  const RequestId id =
      engine.submit({.prompt = question("Go on."), .generate = endless(engine.model())}, first.callbacks());
  engine.submit({.prompt = question("Wait."), .generate = greedy(2)}, second.callbacks());
  Waiter third;
  try {
    engine.submit({.prompt = question("No place."), .generate = greedy(2)}, third.callbacks());
    FAIL() << "a third request was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kResource);
  }
  engine.cancel(id);
  second.wait();
  EXPECT_TRUE(second.result.has_value());
}

TEST(Engine, PromptsThatCannotBeUsedAreRefusedOnTheSpot) {
  Engine engine(tiny_model(), {.session = {.context_length = 32}});
  Waiter waiter;
  const auto code = [&](EngineRequest request) {
    try {
      engine.submit(std::move(request), waiter.callbacks());
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::kInternal;
  };
  EXPECT_EQ(code({.prompt = {}}), ErrorCode::kInput);
  EXPECT_EQ(code({.prompt = question(std::string(400, 'x'))}), ErrorCode::kInput);
  EXPECT_EQ(code({.prompt = question("a"), .answers = 0}), ErrorCode::kUsage);
  EXPECT_EQ(code({.prompt = question("a"), .answers = kMaxAnswers + 1}), ErrorCode::kUsage);
  GenerateOptions hot;
  hot.sampler.temperature = -1.0F;
  EXPECT_EQ(code({.prompt = question("a"), .generate = hot}), ErrorCode::kUsage);
  EXPECT_EQ(engine.stats().running + engine.stats().waiting, 0);
}

/// Probabilities of labels by running each question on a session of its own, token by token.
std::vector<double> weighed_alone(const std::shared_ptr<const Model>& model, const LabelQuestion& question) {
  std::vector<double> logs;
  for (const std::string& label : question.labels) {
    Session session(model);
    session.append(question.prompt);
    // Labels here differ in their first token.
    logs.push_back(session.logits()[static_cast<std::size_t>(model->tokenizer().encode(label).front())]);
  }
  const double largest = *std::max_element(logs.begin(), logs.end());
  double sum = 0.0;
  for (double& value : logs) {
    value = std::exp(value - largest);
    sum += value;
  }
  for (double& value : logs) {
    value /= sum;
  }
  return logs;
}

TEST(Engine, QuestionsBranchFromWhatTheyBeginWith) {
  const auto model = tiny_model();
  const Image image = striped_picture(40, 30, 1);
  std::vector<LabelQuestion> questions = {
      {question(image, "Is it red? Yes or no?"), {"yes", "no"}},
      {question(image, "Which colour is it?" + std::string(100, '!')), {"red", "green", "blue"}},
      {question(image, "How many?"), {"1", "2", "3", "4"}}};
  for (const LabelQuestion& each : questions) {
    std::vector<TokenId> first;
    for (const std::string& label : each.labels) {
      first.push_back(model->tokenizer().encode(label).front());
    }
    std::sort(first.begin(), first.end());
    ASSERT_EQ(std::adjacent_find(first.begin(), first.end()), first.end());
  }
  Engine engine(model);
  const EngineResult result = answer(engine, {.questions = questions});
  ASSERT_EQ(result.decisions.size(), questions.size());
  for (std::size_t i = 0; i < questions.size(); ++i) {
    const std::vector<double> alone = weighed_alone(model, questions[i]);
    ASSERT_EQ(result.decisions[i].size(), alone.size());
    for (std::size_t label = 0; label < alone.size(); ++label) {
      EXPECT_DOUBLE_EQ(result.decisions[i][label], alone[label]);
    }
  }
  // The picture was computed once, and is kept for the next request.
  EXPECT_EQ(engine.stats().images, 1);
  EXPECT_LT(engine.stats().prompt_tokens, 2 * static_cast<std::int64_t>(result.prompt.ids.size()));
  const EngineResult again = answer(engine, {.questions = questions});
  EXPECT_EQ(again.decisions, result.decisions);
  EXPECT_GT(again.prompt.cached_tokens, again.prompt.images.at(0).tokens);
}

TEST(Engine, AnEmbeddingIsTheMeanOfAllHiddenStates) {
  const auto model = tiny_model();
  const Prompt prompt = question(striped_picture(60, 40, 2), "What is it?");
  std::vector<double> sums(static_cast<std::size_t>(model->config().text.hidden_size));
  const std::vector<TokenId> text = model->tokenizer().encode("Only words, one after the other.");
  // The hidden state of each position is that of a session which ends there.
  Session words(model);
  for (const TokenId id : text) {
    words.append_ids(std::vector<TokenId>{id});
    for (std::size_t i = 0; i < sums.size(); ++i) {
      sums[i] += static_cast<double>(words.hidden_state()[i]);
    }
  }
  double squares = 0.0;
  for (const double sum : sums) {
    squares += sum * sum;
  }
  Engine engine(model, {.session = {.prefill_chunk = 4}});
  const EngineResult result =
      answer(engine, {.prompt = {PromptText{"Only words, one after the other."}}, .embed = true});
  ASSERT_EQ(result.embedding.size(), sums.size());
  for (std::size_t i = 0; i < sums.size(); ++i) {
    EXPECT_NEAR(result.embedding[i], sums[i] / std::sqrt(squares), 1e-6);
  }
  // The same in a crowd, with a picture, and again.
  const EngineResult first = answer(engine, {.prompt = prompt, .embed = true});
  EXPECT_EQ(first.embedding, answer(engine, {.prompt = prompt, .embed = true}).embedding);
  EXPECT_NE(first.embedding, result.embedding);
}

TEST(Engine, LabelsThatCannotBeToldApartAreRefused) {
  Engine engine(tiny_model());
  Waiter waiter;
  const auto code = [&](std::vector<LabelQuestion> questions) {
    try {
      engine.submit({.questions = std::move(questions)}, waiter.callbacks());
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::kInternal;
  };
  EXPECT_EQ(code({{question("a"), {"yes"}}}), ErrorCode::kUsage);
  EXPECT_EQ(code({{question("a"), {"yes", "yes"}}}), ErrorCode::kUsage);
  EXPECT_EQ(code({{question("a"), {"yes", ""}}}), ErrorCode::kUsage);
  EXPECT_EQ(code({{question(striped_picture(40, 30, 1), "a"), {"yes", "no"}},
                  {question(striped_picture(40, 30, 2), "a"), {"yes", "no"}}}),
            ErrorCode::kUsage);
}

TEST(Engine, StoppingEndsEveryRequest) {
  std::vector<Waiter> waiters(6);
  {
    Engine engine(tiny_model(), {.parallel = 2});
    for (Waiter& waiter : waiters) {
      engine.submit({.prompt = question("Go on."), .generate = endless(engine.model())}, waiter.callbacks());
    }
  }
  for (Waiter& waiter : waiters) {
    EXPECT_TRUE(waiter.error.has_value() || waiter.result.has_value());
  }
}

}  // namespace
}  // namespace nolens
