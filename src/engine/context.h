// What one session holds, and the step that extends it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/aligned_buffer.h"
#include "decoder/kv_cache.h"
#include "engine/model_impl.h"
#include "engine/prompt_layout.h"
#include "nolens/session.h"

namespace nolens {

/// Sees what a step computes, for comparisons with the reference. Each may be empty. `begin` is the
/// position of the first row.
struct StepObserver {
  std::function<void(std::int64_t begin, ConstMatrix x)> on_embeddings{};  ///< x [T, D]
  std::function<void(std::size_t layer, std::int64_t begin, ConstMatrix x)> on_layer{};
  /// Rows whose logits are computed.
  std::function<void(std::int64_t begin, ConstMatrix x)> on_final_norm{};
};

/// Where the time of media went.
struct MediaSeconds {
  double preprocess = 0.0;  ///< pictures to patches
  double embed = 0.0;       ///< patches and frames to soft tokens
};

/// Length of the longest beginning that both share, media as a whole; both start at position 0.
[[nodiscard]] std::int64_t shared_prefix(std::span<const TokenId> a_ids, std::span<const MediaSpan> a_media,
                                         const TokenSequence& b);
/// \throws Error{kInput} if there is none.
void require_tokens(std::int64_t count);
/// \throws Error{kInput} if so many tokens are more than the context holds.
void check_fits(std::int64_t tokens, std::int64_t context_length, const ModelConfig& config);

/// Ids, media spans, keys and values of one conversation. `ids` may be ahead of the cache by the tokens
/// that still wait to be computed; the cache ahead of `ids` by drafted ones (compute_ahead()).
class Context {
 public:
  Context(std::shared_ptr<const Model> model, const SessionOptions& options);
  [[nodiscard]] Context clone() const;

  [[nodiscard]] const Model::Impl& model() const noexcept { return model_->impl(); }
  [[nodiscard]] const SessionOptions& options() const noexcept { return options_; }
  [[nodiscard]] std::int64_t length() const noexcept {
    return static_cast<std::int64_t>(ids_.size());
  }
  [[nodiscard]] std::int64_t context_length() const noexcept { return context_length_; }
  [[nodiscard]] std::span<const TokenId> ids() const noexcept { return ids_; }
  [[nodiscard]] std::int64_t kv_bytes() const noexcept { return cache_.bytes(); }
  /// For drafters, who read it.
  [[nodiscard]] KvCache& cache() noexcept { return cache_; }
  [[nodiscard]] std::span<const float> logits() const;
  [[nodiscard]] std::span<const float> hidden_state() const;

  /// \throws Error{kInput} if `count` more tokens do not fit.
  void check_room(std::int64_t count) const;
  /// Adds tokens without computing them.
  void extend(TokenSequence sequence);
  void extend_by(TokenId id) { ids_.push_back(id); }
  /// Computes everything that waits. Afterwards logits() and hidden_state() belong to the last position.
  /// On error everything that waited still waits; where
  /// the keys before it are gone, the context is empty.
  MediaSeconds compute(const AppendOptions& options, const StepObserver& observer = {});
  /// Computes the one token that waits and `draft` after it, in one step. Afterwards logits() and
  /// hidden_state() belong to the last of ids(), which do not include the draft. On error as compute().
  void compute_ahead(std::span<const TokenId> draft);
  /// One token was added since. If it is the next of the draft, logits() and hidden_state() now belong to
  /// it and nothing waits; otherwise the rest of the draft is forgotten and the token waits.
  bool follow_ahead();
  /// Forgets the rest of the draft.
  void drop_ahead();
  /// Computes what waits, and the last position again if its logits were dropped.
  void ensure_logits();
  /// Length of the longest beginning shared with `sequence`, which starts at position 0.
  [[nodiscard]] std::int64_t common_prefix(const TokenSequence& sequence) const;
  /// The same as far as it can stay while the rest of `sequence` is computed: one token at least is left,
  /// whose logits are wanted, and media stay as a whole.
  [[nodiscard]] std::int64_t reusable_prefix(const TokenSequence& sequence) const;
  /// Makes ids() equal to `sequence` without computing anything. What it shares with the beginning stays
  /// computed: as many tokens as are returned.
  std::int64_t replace_by(TokenSequence sequence);
  /// Whether truncate(length) would keep the keys that are needed.
  [[nodiscard]] bool can_truncate(std::int64_t length) const noexcept;
  /// Forgets positions >= length. can_truncate(length) must hold.
  void truncate(std::int64_t length);

  // ---- For steps that several contexts share (engine/batch_step.h)
  /// Of the whole sequence.
  [[nodiscard]] std::vector<VisionBlock> vision_blocks() const;
  /// Positions that are computed.
  [[nodiscard]] std::int64_t cached_length() const noexcept { return cache_.end(); }
  /// Fills x [end - begin, D] with what stands at these positions, which wait to be computed.
  void embed_rows(std::int64_t begin, std::int64_t end, Matrix x, MediaSeconds& seconds);
  /// Logits [V] and hidden state [D] of the last position, which was computed elsewhere.
  /// \throws Error{kModel} if they are not finite.
  void take_row(std::span<const float> logits, std::span<const float> hidden);
  /// Frees media that are computed: keys and values stand for them.
  void drop_computed_media();
  /// Puts things right after an error in a step from `begin` on.
  void abandon_step(std::int64_t begin);

 private:
  /// Tokens of ids() that are computed, while some are drafted.
  [[nodiscard]] std::int64_t computed() const noexcept {
    return cache_.end() - static_cast<std::int64_t>(ahead_.size()) + row_;
  }
  /// Row `row_` of what is kept.
  [[nodiscard]] std::span<const float> current(const AlignedBuffer<float>& rows,
                                               std::int64_t size) const noexcept {
    return {rows.data() + row_ * size, static_cast<std::size_t>(size)};
  }
  /// `kept_rows` is the number of last rows whose logits are kept; 0 = none.
  void compute_chunk(std::int64_t begin, std::int64_t end, std::span<const VisionBlock> blocks,
                     std::int64_t kept_rows, const AppendOptions& options,
                     const StepObserver& observer, MediaSeconds& seconds);
  void embed_picture(const ImageMedia& picture, const std::string& name, Matrix rows,
                     MediaSeconds& seconds);
  void project_rows(std::int64_t begin, Matrix x, std::int64_t kept_rows,
                    const AppendOptions& options, const StepObserver& observer);
  /// Makes a kept row current. \throws Error{kModel} if its logits, of `position`, are not finite.
  void use_row(std::int64_t row, std::int64_t position);

  std::shared_ptr<const Model> model_;
  SessionOptions options_;
  std::int64_t context_length_ = 0;
  std::vector<TokenId> ids_;
  std::vector<MediaSpan> media_;
  KvCache cache_;
  AlignedBuffer<float> x_;       ///< [T, D] of the largest step
  AlignedBuffer<float> logits_;  ///< [R, V] of the last row, or of those since compute_ahead()
  AlignedBuffer<float> hidden_;  ///< [R, D]
  std::int64_t row_ = 0;         ///< of logits_ and hidden_: that of the last computed token of ids_
  bool has_logits_ = false;
  std::vector<TokenId> ahead_;   ///< the draft; its first `row_` tokens were followed
};

}  // namespace nolens
