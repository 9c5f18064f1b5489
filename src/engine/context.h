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

/// Ids, media spans, keys and values of one conversation. `ids` may be ahead of the cache by the tokens
/// that still wait to be computed.
/// Where the time of media went.
struct MediaSeconds {
  double preprocess = 0.0;  ///< pictures to patches
  double embed = 0.0;       ///< patches and frames to soft tokens
};

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
  /// Computes what waits, and the last position again if its logits were dropped.
  void ensure_logits();
  /// Length of the longest beginning shared with `sequence`, which starts at position 0.
  [[nodiscard]] std::int64_t common_prefix(const TokenSequence& sequence) const;
  /// Whether truncate(length) would keep the keys that are needed.
  [[nodiscard]] bool can_truncate(std::int64_t length) const noexcept;
  /// Forgets positions >= length. can_truncate(length) must hold.
  void truncate(std::int64_t length);

 private:
  void compute_chunk(std::int64_t begin, std::int64_t end, std::span<const VisionBlock> blocks,
                     const AppendOptions& options, const StepObserver& observer,
                     MediaSeconds& seconds);
  void embed_rows(std::int64_t begin, std::int64_t end, Matrix x, MediaSeconds& seconds);
  void embed_picture(const ImageMedia& picture, const std::string& name, Matrix rows,
                     MediaSeconds& seconds);
  void project_rows(std::int64_t begin, Matrix x, bool last_chunk, const AppendOptions& options,
                    const StepObserver& observer);

  std::shared_ptr<const Model> model_;
  SessionOptions options_;
  std::int64_t context_length_ = 0;
  std::vector<TokenId> ids_;
  std::vector<MediaSpan> media_;
  KvCache cache_;
  AlignedBuffer<float> x_;       ///< [T, D] of the largest step
  AlignedBuffer<float> logits_;  ///< [V]
  AlignedBuffer<float> hidden_;  ///< [D]
  bool has_logits_ = false;
};

}  // namespace nolens
