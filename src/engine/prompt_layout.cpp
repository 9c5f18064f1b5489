// Placeholder expansion. One placeholder per soft token stands between a begin and an end marker:
//
//   picture   <|image> <|image|>… <image|>
//   sound     <|audio> <|audio|>… <audio|>
//   clip      00:00 <|image> <|video|>… <image|> 00:01 <|image> …     minutes and seconds of each frame
#include "engine/prompt_layout.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "preprocess/audio_to_frames.h"

namespace nolens {

namespace {

/// MM:SS, as the reference processor writes the time of a frame.
std::string time_stamp(double seconds) {
  const auto whole = static_cast<std::int64_t>(seconds);
  const auto two_digits = [](std::int64_t value) {
    return (value < 10 ? "0" : "") + std::to_string(value);
  };
  return two_digits(whole / 60) + ":" + two_digits(whole % 60);
}

class Layout {
 public:
  Layout(const ModelConfig& config, const Tokenizer& tokenizer, std::int64_t image_tokens,
         std::int64_t first_position)
      : config_(config),
        tokenizer_(tokenizer),
        image_tokens_(image_tokens),
        first_position_(first_position) {}

  void add(const PromptText& part) { text_ += part.text; }

  void add(const PromptSpecial& part) {
    flush_text();
    const TokenId id = tokenizer_.find(part.token);
    if (id < 0 || id >= config_.text.vocab_size) {
      throw Error(ErrorCode::kModel, "tokenizer: the chat template needs the token '" + part.token +
                                         "', which the tokenizer does not have; use the "
                                         "tokenizer that belongs to the model");
    }
    sequence_.ids.push_back(id);
  }

  void add(const PromptImage& part) {
    const std::string what = named("picture", part.name);
    require(config_.vision.has_value() && config_.tokens.image >= 0, what, "pictures");
    const std::int64_t budget = part.max_soft_tokens != 0 ? part.max_soft_tokens : image_tokens_;
    sequence_.images.push_back(add_picture({part.image, budget, false}, part.name, what));
  }

  void add(const PromptAudio& part) {
    const std::string what = named("sound", part.name);
    require(config_.audio.has_value() && config_.tokens.audio >= 0, what, "sound");
    const std::vector<float>& samples = part.audio.samples;
    check_samples(samples, what);
    const std::int64_t frame_size = config_.audio->audio_embed_dim;
    const std::vector<std::int64_t> cuts =
        pause_cuts(samples, config_.audio->audio_seq_length * frame_size, frame_size);
    AudioReport report{.seconds = part.audio.seconds(),
                       .pieces = static_cast<std::int64_t>(cuts.size()),
                       .tokens = 0};
    std::int64_t begin = 0;
    for (const std::int64_t end : cuts) {
      AudioMedia piece{{samples.begin() + begin, samples.begin() + end}};
      const std::int64_t tokens = num_audio_frames(end - begin, frame_size);
      const ContentHash hash = content_hash(piece.samples);
      push_media(std::move(piece), hash, tokens,
                 {config_.tokens.boa, config_.tokens.audio, config_.tokens.eoa}, part.name);
      report.tokens += tokens;
      begin = end;
    }
    sequence_.audios.push_back(report);
  }

  void add(const PromptVideo& part) {
    const std::string what = named("clip", part.name);
    require(config_.vision.has_value() && config_.tokens.video >= 0, what, "video");
    if (part.video.frames.empty()) {
      throw Error(ErrorCode::kInput, what + ": has no frames; at least one is needed");
    }
    VideoReport report;
    report.source_frames = part.video.source_frames;
    report.source_fps = part.video.source_fps;
    for (const VideoFrame& frame : part.video.frames) {
      text_ += (report.used_frames == 0 ? "" : " ") + time_stamp(frame.seconds) + " ";
      const ImageReport picture =
          add_picture({frame.image, part.max_soft_tokens, true}, part.name,
                      what + ", frame " + std::to_string(report.used_frames));
      report.used_width = picture.used_width;
      report.used_height = picture.used_height;
      report.tokens += picture.tokens;
      ++report.used_frames;
    }
    sequence_.videos.push_back(report);
  }

  TokenSequence finish() {
    flush_text();
    return std::move(sequence_);
  }

 private:
  struct Markers {
    TokenId begin, placeholder, end;
  };

  static std::string named(const char* kind, const std::string& name) {
    return name.empty() ? kind : kind + (" " + name);
  }

  void require(bool takes_it, const std::string& what, const char* kind) const {
    if (!takes_it) {
      throw Error(ErrorCode::kInput, what + ": the model '" + config_.name + "' takes no " + kind +
                                         "; choose a model that does");
    }
  }

  static void check_samples(std::span<const float> samples, const std::string& what) {
    if (samples.empty()) {
      throw Error(ErrorCode::kInput, what + ": has no samples; at least one is needed");
    }
    const auto bad = std::find_if(samples.begin(), samples.end(),
                                  [](float sample) { return !std::isfinite(sample); });
    if (bad != samples.end()) {
      throw Error(ErrorCode::kInput, what + ": sample " +
                                         std::to_string(std::distance(samples.begin(), bad)) +
                                         " is not finite; repair the recording");
    }
  }

  /// A picture or a frame: markers, placeholders, and the span they stand for.
  ImageReport add_picture(const ImageMedia& picture, const std::string& name,
                          const std::string& what) {
    const VisionConfig& vision = *config_.vision;
    const ImageSize source = source_size(picture.image);
    const ImageSize used = processed_size(source, vision, processor_for(config_, picture.is_frame),
                                          picture.budget, name);
    const std::int64_t rows = used.height / vision.model_patch_size();
    const std::int64_t columns = used.width / vision.model_patch_size();
    if (vision.position_embedding == PositionEmbedding::kLearned &&
        (rows > vision.mm_posemb_size || columns > vision.mm_posemb_size)) {
      throw Error(ErrorCode::kInput,
                  what + ": its shape gives " + std::to_string(columns) + " x " +
                      std::to_string(rows) + " patches, but the model knows positions up to " +
                      std::to_string(vision.mm_posemb_size) +
                      " on each axis; crop the picture or lower --image-tokens");
    }
    const TokenId placeholder = picture.is_frame ? config_.tokens.video : config_.tokens.image;
    push_media(picture, content_hash(picture.image, picture.budget), rows * columns,
               {config_.tokens.boi, placeholder, config_.tokens.eoi}, name);
    return {.source_width = source.width,
            .source_height = source.height,
            .used_width = used.width,
            .used_height = used.height,
            .tokens = rows * columns};
  }

  void push_media(std::variant<ImageMedia, AudioMedia> content, const ContentHash& hash,
                  std::int64_t tokens, const Markers& markers, const std::string& name) {
    flush_text();
    push_marker(markers.begin);
    const std::int64_t begin = next_position();
    sequence_.ids.insert(sequence_.ids.end(), static_cast<std::size_t>(tokens),
                         markers.placeholder);
    sequence_.media.push_back({begin, next_position(), std::move(content), name, hash});
    push_marker(markers.end);
  }

  [[nodiscard]] std::int64_t next_position() const {
    return first_position_ + static_cast<std::int64_t>(sequence_.ids.size());
  }

  void push_marker(TokenId id) {
    if (id >= 0) {
      sequence_.ids.push_back(id);
    }
  }

  /// Adjacent texts are encoded as one, because byte-pair merges run across their border.
  void flush_text() {
    const std::size_t before = sequence_.ids.size();
    tokenizer_.encode(text_, ParseSpecial::kNo, sequence_.ids);
    for (std::size_t i = before; i < sequence_.ids.size(); ++i) {
      if (sequence_.ids[i] >= config_.text.vocab_size) {
        throw Error(ErrorCode::kModel, "tokenizer: text becomes id " +
                                           std::to_string(sequence_.ids[i]) +
                                           ", but the model has only " +
                                           std::to_string(config_.text.vocab_size) +
                                           " embeddings; use the model's own tokenizer");
      }
    }
    text_.clear();
  }

  const ModelConfig& config_;
  const Tokenizer& tokenizer_;
  std::int64_t image_tokens_;
  std::int64_t first_position_;
  std::string text_;
  TokenSequence sequence_;
};

}  // namespace

TokenSequence lay_out_prompt(const ModelConfig& config, const Tokenizer& tokenizer,
                             const Prompt& prompt, std::int64_t image_tokens,
                             std::int64_t first_position) {
  Layout layout(config, tokenizer, image_tokens, first_position);
  for (const PromptPart& part : prompt) {
    std::visit([&](const auto& p) { layout.add(p); }, part);
  }
  return layout.finish();
}

AppendResult describe(const TokenSequence& sequence) {
  AppendResult result;
  result.ids = sequence.ids;
  result.images = sequence.images;
  result.audios = sequence.audios;
  result.videos = sequence.videos;
  return result;
}

}  // namespace nolens
