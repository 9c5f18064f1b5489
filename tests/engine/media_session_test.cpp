// Sound and clips in sessions: layout, prefix reuse, rewinding, limits.
#include <gtest/gtest.h>

#include <cmath>

#include "engine/prompt_layout.h"
#include "nolens/error.h"
#include "nolens/session.h"
#include "support/tiny_model.h"

namespace nolens {
namespace {

using testing::striped_picture;
using testing::tiny_model;
using testing::user;

Audio tone(std::int64_t samples, float step) {
  Audio audio;
  for (std::int64_t i = 0; i < samples; ++i) {
    audio.samples.push_back(0.4F * std::sin(step * static_cast<float>(i)));
  }
  return audio;
}

Prompt about_sound(const Audio& audio, const std::string& text) {
  return render_chat({user({AudioPart{audio, "sound"}, TextPart{text}})}, {});
}

Video clip_of(int frames, double fps) {
  Video video;
  video.source_frames = frames;
  video.source_fps = fps;
  for (int i = 0; i < frames; ++i) {
    video.frames.push_back({striped_picture(40, 30, i), i / fps});
  }
  return video;
}

std::vector<float> logits_of(const Session& session) {
  return {session.logits().begin(), session.logits().end()};
}

template <typename Action>
std::string error_text(ErrorCode code, Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code);
    return error.what();
  }
  ADD_FAILURE() << "no error was thrown";
  return "";
}

TEST(SoundInSessions, TakesOneTokenPerFrameBetweenMarkers) {
  const auto model = tiny_model();
  const std::int64_t frame = model->config().audio->audio_embed_dim;
  const AppendResult layout = layout_prompt(*model, about_sound(tone(2 * frame + 1, 0.1F), "Hi"), {});
  const SpecialTokens& tokens = model->config().tokens;
  const auto first = std::find(layout.ids.begin(), layout.ids.end(), tokens.boa);
  ASSERT_LT(first - layout.ids.begin() + 4, static_cast<std::ptrdiff_t>(layout.ids.size()));
  EXPECT_EQ(std::vector<TokenId>(first, first + 5),
            (std::vector<TokenId>{tokens.boa, tokens.audio, tokens.audio, tokens.audio,
                                  tokens.eoa}));
  ASSERT_EQ(layout.audios.size(), 1U);
  EXPECT_EQ(layout.audios[0].tokens, 3);
  EXPECT_EQ(layout.audios[0].pieces, 1);
  EXPECT_DOUBLE_EQ(layout.audios[0].seconds, static_cast<double>(2 * frame + 1) / 16'000.0);
}

TEST(SoundInSessions, LongerThanTheModelWasMadeForIsCutIntoPieces) {
  const auto model = tiny_model();
  const AudioConfig& config = *model->config().audio;
  const Audio audio = tone(7 * config.audio_seq_length * config.audio_embed_dim / 3 + 5, 0.05F);
  const AppendResult layout = layout_prompt(*model, about_sound(audio, "Hi"), {});
  EXPECT_EQ(layout.audios.at(0).pieces, 3);
  EXPECT_EQ(layout.audios[0].tokens, 7 * config.audio_seq_length / 3 + 1);
  EXPECT_EQ(std::count(layout.ids.begin(), layout.ids.end(), model->config().tokens.boa), 3);
  const std::vector<Audio> pieces = split_at_pauses(*model, audio);
  ASSERT_EQ(pieces.size(), 3U);
  std::vector<float> joined;
  for (const Audio& piece : pieces) {
    EXPECT_LE(static_cast<std::int64_t>(piece.samples.size()),
              config.audio_seq_length * config.audio_embed_dim);
    joined.insert(joined.end(), piece.samples.begin(), piece.samples.end());
  }
  EXPECT_EQ(joined, audio.samples);
}

TEST(SoundInSessions, IsReusedAsAWholeAndOnlyIfItIsTheSame) {
  const auto model = tiny_model();
  Session session(model);
  session.set_context(about_sound(tone(6400, 0.1F), "What is it?"));
  const AppendResult same = session.set_context(about_sound(tone(6400, 0.1F), "Who is it?"));
  EXPECT_GT(same.cached_tokens, 10);
  const AppendResult other = session.set_context(about_sound(tone(6400, 0.2F), "Who is it?"));
  EXPECT_LT(other.cached_tokens, 10);
  Session fresh(model);
  fresh.append(about_sound(tone(6400, 0.2F), "Who is it?"));
  EXPECT_EQ(logits_of(session), logits_of(fresh));
}

TEST(SoundInSessions, CanBeForgottenInPart) {
  const auto model = tiny_model();
  const Prompt prompt = about_sound(tone(6400, 0.1F), "What?");
  const std::int64_t frame = model->config().audio->audio_embed_dim;
  const std::vector<TokenId> ids = layout_prompt(*model, prompt, {}).ids;
  const auto begin =
      std::find(ids.begin(), ids.end(), model->config().tokens.audio) - ids.begin();
  Session session(model);
  session.append(prompt);
  session.rewind(begin + 4);
  session.append({PromptText{"What?"}});
  // The same four frames alone, then the same text.
  Session four(model);
  Audio beginning = tone(4 * frame, 0.1F);
  four.append(about_sound(beginning, ""));
  four.rewind(begin + 4);
  four.append({PromptText{"What?"}});
  EXPECT_EQ(logits_of(session), logits_of(four));
}

TEST(SoundInSessions, IsRefusedWhereItCannotBeUsed) {
  const auto model = tiny_model();
  Session session(model);
  EXPECT_NE(error_text(ErrorCode::kInput, [&] { session.append(about_sound({}, "Hi")); })
                .find("sound: has no samples"),
            std::string::npos);
  Audio bad = tone(100, 0.1F);
  bad.samples[7] = NAN;
  EXPECT_NE(error_text(ErrorCode::kInput, [&] { session.append(about_sound(bad, "Hi")); })
                .find("sample 7 is not finite"),
            std::string::npos);
  EXPECT_EQ(session.position(), 0);
}

TEST(ClipsInSessions, HaveATimeBeforeEachFrame) {
  const auto model = tiny_model();
  const Prompt prompt =
      render_chat({user({VideoPart{clip_of(3, 0.04), "clip", 0}, TextPart{"Hi"}})}, {});
  const AppendResult layout = layout_prompt(*model, prompt, {});
  const SpecialTokens& tokens = model->config().tokens;
  std::string text;
  for (const TokenId id : layout.ids) {
    text += id == tokens.video ? "v" : std::string(model->tokenizer().piece(id));
  }
  for (const char* part : {"00:00", "00:25", "00:50"}) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  }
  ASSERT_EQ(layout.videos.size(), 1U);
  EXPECT_EQ(layout.videos[0].used_frames, 3);
  EXPECT_EQ(std::count(layout.ids.begin(), layout.ids.end(), tokens.video),
            layout.videos[0].tokens);
  EXPECT_TRUE(layout.images.empty());
}

TEST(ClipsInSessions, TakeTheBudgetOfTheMessage) {
  const auto model = tiny_model();
  const auto tokens_with = [&](std::int64_t budget) {
    const Prompt prompt =
        render_chat({user({VideoPart{clip_of(1, 2), "clip", budget}, TextPart{"Hi"}})}, {});
    return layout_prompt(*model, prompt, {}).videos.at(0).tokens;
  };
  EXPECT_EQ(tokens_with(0), tokens_with(70));
  EXPECT_GT(tokens_with(140), tokens_with(70));
  EXPECT_NE(error_text(ErrorCode::kInput,
                       [&] {
                         layout_prompt(*model,
                                       render_chat({user({VideoPart{{}, "clip", 0}})}, {}), {});
                       })
                .find("clip clip: has no frames"),
            std::string::npos);
}

}  // namespace
}  // namespace nolens
