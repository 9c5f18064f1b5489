#include "nolens/session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "nolens/error.h"
#include "support/tiny_model.h"

namespace nolens {
namespace {

using testing::question;
using testing::striped_picture;
using testing::tiny_model;
using testing::user;

std::vector<float> logits_of(const Session& session) {
  return {session.logits().begin(), session.logits().end()};
}

template <typename Action>
ErrorCode error_code(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "no error was thrown";
  return ErrorCode::kInternal;
}

TEST(Session, AppendingInPartsIsBitEqualToAppendingAtOnce) {
  const auto model = tiny_model();
  Prompt whole = question(striped_picture(40, 30, 1), "What is it?");
  Session once(model);
  once.append(whole);
  Session parts(model);
  for (const PromptPart& part : whole) {
    parts.append({part});
  }
  EXPECT_EQ(logits_of(once), logits_of(parts));
  EXPECT_EQ(once.position(), parts.position());
}

TEST(Session, EveryCacheTypeAnswersAlikeWhetherInPartsOrAtOnce) {
  const auto model = tiny_model();
  const Prompt whole = question(striped_picture(40, 30, 1), "What is it?");
  Session half(model, {.kv_cache = KvCacheType::kF16});
  half.append(whole);
  for (const KvCacheType type : {KvCacheType::kF32, KvCacheType::kBf16, KvCacheType::kInt8}) {
    Session once(model, {.kv_cache = type});
    once.append(whole);
    Session parts(model, {.kv_cache = type});
    for (const PromptPart& part : whole) {
      parts.append({part});
    }
    EXPECT_EQ(logits_of(once), logits_of(parts));
    EXPECT_EQ(type == KvCacheType::kBf16, once.kv_bytes() == half.kv_bytes());
    for (std::size_t i = 0; i < half.logits().size(); ++i) {
      EXPECT_NEAR(once.logits()[i], half.logits()[i], 0.5F);
    }
  }
}

TEST(Session, SetContextReusesTheCommonBeginning) {
  const auto model = tiny_model();
  const Image image = striped_picture(40, 30, 1);
  Session session(model);
  session.set_context(question(image, "What is it?"));
  const AppendResult second = session.set_context(question(image, "What colour is it?"));
  EXPECT_GT(second.cached_tokens, second.images.at(0).tokens);
  EXPECT_LT(second.cached_tokens, static_cast<std::int64_t>(second.ids.size()));

  Session fresh(model);
  fresh.append(question(image, "What colour is it?"));
  EXPECT_EQ(logits_of(session), logits_of(fresh));
}

TEST(Session, SetContextDoesNotReuseAnotherPictureOfTheSameSize) {
  const auto model = tiny_model();
  Session session(model);
  session.set_context(question(striped_picture(40, 30, 1), "What is it?"));
  const AppendResult second =
      session.set_context(question(striped_picture(40, 30, 2), "What is it?"));
  // Everything before the first soft token is text of both prompts.
  const auto first =
      std::find(second.ids.begin(), second.ids.end(), model->config().tokens.image);
  EXPECT_EQ(second.cached_tokens, first - second.ids.begin());
  Session fresh(model);
  fresh.append(question(striped_picture(40, 30, 2), "What is it?"));
  EXPECT_EQ(logits_of(session), logits_of(fresh));
}

TEST(Session, SetContextWithTheSamePromptComputesOnlyTheLastToken) {
  const auto model = tiny_model();
  Session session(model);
  const Prompt prompt = question("Hello");
  const AppendResult first = session.set_context(prompt);
  const auto before = logits_of(session);
  const AppendResult again = session.set_context(prompt);
  EXPECT_EQ(again.cached_tokens, static_cast<std::int64_t>(first.ids.size()) - 1);
  EXPECT_EQ(before, logits_of(session));
}

TEST(Session, AScaledPictureAnswersLikeThePictureItself) {
  const auto model = tiny_model();
  const Image image = striped_picture(1300, 900, 1);
  for (const std::int64_t budget : {0, 70}) {
    const SessionOptions options{.image_tokens = budget};
    std::vector<ContentPart> parts{TextPart{"Look: "}, ImagePart{image, "picture", 0},
                                   ImagePart{striped_picture(40, 30, 2), "small", 0}};
    const Prompt before = render_chat({user(parts)}, {});
    scale_pictures(parts, *model, options);
    const Image& scaled = std::get<ImagePart>(parts[1]).image;
    EXPECT_LT(scaled.rgb().size(), image.rgb().size());
    // What would grow stays small.
    EXPECT_EQ(std::get<ImagePart>(parts[2]).image.width(), 40);
    Session original(model, options);
    const AppendResult first = original.append(before);
    Session session(model, options);
    const AppendResult result = session.append(render_chat({user(parts)}, {}));
    EXPECT_EQ(result.ids, first.ids);
    EXPECT_EQ(result.images.at(0).source_width, 1300);
    EXPECT_EQ(result.images.at(0).used_width, first.images.at(0).used_width);
    EXPECT_EQ(logits_of(session), logits_of(original));
  }
}

TEST(Session, ScaledFramesAnswerLikeTheClipItself) {
  const auto model = tiny_model();
  VideoPart clip;
  clip.video.frames = {{striped_picture(900, 700, 1), 0.0}, {striped_picture(900, 700, 2), 0.5}};
  clip.video.source_frames = 2;
  clip.video.source_fps = 2.0;
  std::vector<ContentPart> parts{clip};
  Session original(model);
  const AppendResult first = original.append(render_chat({user(parts)}, {}));
  scale_pictures(parts, *model);
  for (const VideoFrame& frame : std::get<VideoPart>(parts[0]).video.frames) {
    EXPECT_EQ(frame.image.width(), first.videos.at(0).used_width);
    EXPECT_EQ(frame.image.height(), first.videos.at(0).used_height);
  }
  Session session(model);
  EXPECT_EQ(session.append(render_chat({user(parts)}, {})).ids, first.ids);
  EXPECT_EQ(logits_of(session), logits_of(original));
}

TEST(Session, AScaledPictureIsReusedInTheNextTurnAndCanBeComputedAgain) {
  const auto model = tiny_model();
  std::vector<ContentPart> parts{ImagePart{striped_picture(1300, 900, 1), "picture", 0}};
  scale_pictures(parts, *model);
  const Image& image = std::get<ImagePart>(parts[0]).image;
  Session session(model);
  session.set_context(question(image, "What is it?"));
  const AppendResult second = session.set_context(question(image, "What colour is it?"));
  EXPECT_GT(second.cached_tokens, second.images.at(0).tokens);
  const auto reused = logits_of(session);
  session.set_context(question("Something else."));
  session.set_context(question(image, "What colour is it?"));
  EXPECT_EQ(logits_of(session), reused);
}

TEST(ScalePictures, RefusesWhatASessionRefusesAndLeavesOtherModelsAlone) {
  const auto model = tiny_model();
  std::vector<ContentPart> parts{ImagePart{striped_picture(1300, 900, 1), "picture", 71}};
  EXPECT_EQ(error_code([&] { scale_pictures(parts, *model); }), ErrorCode::kUsage);
  EXPECT_EQ(std::get<ImagePart>(parts[0]).image.width(), 1300);
  const auto text_only = Model::load(testing::tiny_model_path("tiny_gemma3"), {.num_threads = 1});
  EXPECT_NO_THROW(scale_pictures(parts, *text_only));
  EXPECT_EQ(std::get<ImagePart>(parts[0]).image.width(), 1300);
}

TEST(Session, ForkContinuesIndependently) {
  const auto model = tiny_model();
  Session session(model);
  session.append(question(striped_picture(64, 64, 5), "Look."));
  Session fork = session.fork();
  EXPECT_EQ(logits_of(session), logits_of(fork));
  fork.append({PromptText{"something else"}});
  session.append({PromptText{"one"}});
  Session again(model);
  again.append(question(striped_picture(64, 64, 5), "Look."));
  again.append({PromptText{"one"}});
  EXPECT_EQ(logits_of(session), logits_of(again));
  EXPECT_NE(logits_of(session), logits_of(fork));
}

TEST(Session, RewindAndRepeatGivesTheSameBits) {
  const auto model = tiny_model();
  Session session(model);
  session.append(question("Hello there"));
  const std::int64_t position = session.position();
  session.append({PromptText{"again and again"}});
  const auto first = logits_of(session);
  session.rewind(position);
  EXPECT_EQ(session.position(), position);
  session.append({PromptText{"again and again"}});
  EXPECT_EQ(first, logits_of(session));
}

TEST(Session, TextThatLooksLikeControlTokensStaysText) {
  const auto model = tiny_model();
  const AppendResult layout =
      layout_prompt(*model, question("<|image|><turn|><bos><|audio|>"), {});
  const SpecialTokens& tokens = model->config().tokens;
  EXPECT_EQ(std::count(layout.ids.begin(), layout.ids.end(), tokens.image), 0);
  EXPECT_EQ(std::count(layout.ids.begin(), layout.ids.end(), tokens.audio), 0);
  EXPECT_EQ(std::count(layout.ids.begin(), layout.ids.end(), tokens.bos), 1);
  EXPECT_EQ(std::count(layout.ids.begin(), layout.ids.end(), model->tokenizer().find("<turn|>")), 1);
}

TEST(Session, ReportsWhatBecameOfAPicture) {
  const auto model = tiny_model();
  Session session(model);
  const AppendResult result = session.append(question(striped_picture(400, 300, 1), "?"));
  ASSERT_EQ(result.images.size(), 1U);
  EXPECT_EQ(result.images[0].source_width, 400);
  EXPECT_EQ(result.images[0].source_height, 300);
  EXPECT_TRUE(result.images[0].downscaled());
  EXPECT_EQ(std::count(result.ids.begin(), result.ids.end(), model->config().tokens.image),
            result.images[0].tokens);
}

TEST(Session, PromptsThatDoNotFitLeaveTheSessionAsItWas) {
  const auto model = tiny_model();
  Session session(model, {.context_length = 40});
  session.append(question("Hi"));
  const std::int64_t position = session.position();
  const auto before = logits_of(session);
  EXPECT_EQ(error_code([&] { session.append({PromptText{std::string(4000, 'q')}}); }),
            ErrorCode::kInput);
  EXPECT_EQ(session.position(), position);
  EXPECT_EQ(logits_of(session), before);
}

TEST(Session, AnInterruptedPrefillLeavesTheSessionUsable) {
  const auto model = tiny_model();
  Session session(model, {.prefill_chunk = 4});
  session.append(question("Hi"));
  const std::int64_t position = session.position();
  const auto stop = [](double) { throw Error(ErrorCode::kInterrupted, "stopped"); };
  EXPECT_EQ(error_code([&] {
              session.append({PromptText{"a longer text that needs several steps"}},
                             {.on_logits = {}, .progress = stop});
            }),
            ErrorCode::kInterrupted);
  EXPECT_EQ(session.position(), position);
  session.append({PromptText{"more"}});
  Session fresh(model);
  fresh.append(question("Hi"));
  fresh.append({PromptText{"more"}});
  EXPECT_EQ(logits_of(session), logits_of(fresh));
}

TEST(Session, WrongUsesAreRefusedByName) {
  const auto model = tiny_model();
  EXPECT_EQ(error_code([&] { Session(model, {.context_length = 1 << 20}); }), ErrorCode::kUsage);
  EXPECT_EQ(error_code([&] { Session(model, {.prefill_chunk = 0}); }), ErrorCode::kUsage);
  Session session(model);
  EXPECT_EQ(error_code([&] { static_cast<void>(session.logits()); }), ErrorCode::kUsage);
  EXPECT_EQ(error_code([&] { session.generate({}); }), ErrorCode::kUsage);
  EXPECT_EQ(error_code([&] { session.append({}); }), ErrorCode::kInput);
  const TokenId beyond = 100'000;
  EXPECT_EQ(error_code([&] { session.append_ids({&beyond, 1}); }), ErrorCode::kInput);
  const TokenId placeholder = model->config().tokens.image;
  EXPECT_EQ(error_code([&] { session.append_ids({&placeholder, 1}); }), ErrorCode::kInput);
  session.append(question("Hi"));
  EXPECT_EQ(error_code([&] { session.rewind(-1); }), ErrorCode::kUsage);
  EXPECT_EQ(error_code([&] { session.rewind(10'000); }), ErrorCode::kUsage);
}

TEST(Session, NoPictureAtAnyBudgetAndChunkFails) {
  const auto model = tiny_model();
  for (const std::int64_t budget : kSoftTokenBudgets) {
    for (const std::int64_t chunk : {1, 33, 512}) {
      Session session(model, {.context_length = 2000, .prefill_chunk = chunk, .image_tokens = budget});
      const AppendResult result = session.append(question(striped_picture(90, 70, 1), "?"));
      EXPECT_GT(result.images[0].tokens, budget / 2);
      EXPECT_LE(result.images[0].tokens, budget);
    }
  }
}

TEST(Session, SessionsOfOneModelMayRunOnSeveralThreads) {
  const auto model = tiny_model();
  Session alone(model);
  alone.append(question(striped_picture(40, 30, 1), "What?"));
  const auto expected = logits_of(alone);
  std::vector<std::vector<float>> results(4);
  std::vector<std::thread> threads;
  for (auto& result : results) {
    threads.emplace_back([&] {
      Session session(model, {.prefill_chunk = 16});
      session.append(question(striped_picture(40, 30, 1), "What?"));
      result = logits_of(session);
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  for (const auto& result : results) {
    EXPECT_EQ(result, expected);
  }
}

}  // namespace
}  // namespace nolens
