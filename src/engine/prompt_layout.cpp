// Placeholder expansion: one begin marker, one placeholder per soft token, one end marker.
#include "engine/prompt_layout.h"

#include <type_traits>
#include <variant>

namespace nolens {

namespace {

/// FNV-1a over the size and the pixels.
std::uint64_t content_hash(const Image& image) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  const auto mix = [&](std::uint64_t value) {
    hash ^= value;
    hash *= 0x100000001b3ULL;
  };
  mix(static_cast<std::uint64_t>(image.width()));
  mix(static_cast<std::uint64_t>(image.height()));
  for (const std::uint8_t value : image.rgb()) {
    mix(value);
  }
  return hash;
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
                                         "tokenizer.json that belongs to the model");
    }
    sequence_.ids.push_back(id);
  }

  void add(const PromptImage& part) {
    flush_text();
    if (!config_.vision.has_value() || config_.tokens.image < 0) {
      throw Error(ErrorCode::kInput, "picture '" + part.name + "': the model '" + config_.name +
                                         "' takes text only; choose a model with vision");
    }
    const VisionConfig& vision = *config_.vision;
    MediaSpan span;
    span.budget = part.max_soft_tokens != 0 ? part.max_soft_tokens : image_tokens_;
    const ImageSize source{part.image.height(), part.image.width()};
    const ImageSize used =
        processed_size(source, vision, config_.image_processor, span.budget, part.name);
    const std::int64_t rows = used.height / vision.model_patch_size();
    const std::int64_t columns = used.width / vision.model_patch_size();
    if (vision.position_embedding == PositionEmbedding::kLearned &&
        (rows > vision.mm_posemb_size || columns > vision.mm_posemb_size)) {
      throw Error(ErrorCode::kInput,
                  "picture '" + part.name + "': its shape gives " + std::to_string(columns) + " x " +
                      std::to_string(rows) + " patches, but the model knows positions up to " +
                      std::to_string(vision.mm_posemb_size) +
                      " on each axis; crop the picture or lower --image-tokens");
    }
    push_marker(config_.tokens.boi);
    const std::int64_t begin = next_position();
    sequence_.ids.insert(sequence_.ids.end(), static_cast<std::size_t>(rows * columns),
                         config_.tokens.image);
    span.block = {begin, next_position()};
    push_marker(config_.tokens.eoi);
    span.image = part.image;
    span.name = part.name;
    span.content_hash = content_hash(part.image);
    span.report = {.source_width = source.width,
                   .source_height = source.height,
                   .used_width = used.width,
                   .used_height = used.height,
                   .tokens = rows * columns};
    sequence_.media.push_back(std::move(span));
  }

  TokenSequence finish() {
    flush_text();
    return std::move(sequence_);
  }

 private:
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
                                           " embeddings; use the model's own tokenizer.json");
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

}  // namespace nolens
