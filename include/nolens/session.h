// One conversation: a position and the keys and values of everything before it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "nolens/chat.h"
#include "nolens/generate.h"
#include "nolens/model.h"

namespace nolens {

struct SessionOptions {
  std::int64_t context_length = 0;   ///< tokens; 0 = min(model, 8192)
  std::int64_t prefill_chunk = 384;  ///< rows per step; a vision block is never split
  std::int64_t image_tokens = 0;     ///< soft-token budget; 0 = the model's
  MaskRule mask_rule = MaskRule::kCanonical;
  KvCacheType kv_cache = KvCacheType::kAuto;  ///< of an exact model kAuto or kF32
};

/// What became of one picture of a prompt.
struct ImageReport {
  std::int64_t source_width = 0, source_height = 0;  ///< pixels, orientation applied
  std::int64_t used_width = 0, used_height = 0;      ///< pixels after scaling
  std::int64_t tokens = 0;
  [[nodiscard]] bool downscaled() const noexcept {
    return used_width * used_height < source_width * source_height;
  }
};

/// What became of one sound of a prompt.
struct AudioReport {
  double seconds = 0.0;
  std::int64_t pieces = 1;  ///< a sound longer than the model was made for is cut at pauses
  std::int64_t tokens = 0;
};

/// What became of one clip of a prompt.
struct VideoReport {
  std::int64_t source_frames = 0;
  double source_fps = 0.0;
  std::int64_t used_frames = 0;
  std::int64_t used_width = 0, used_height = 0;  ///< pixels of each frame after scaling
  std::int64_t tokens = 0;
};

struct AppendResult {
  std::vector<TokenId> ids;         ///< of the whole prompt, with placeholders
  std::int64_t cached_tokens = 0;   ///< leading ids that the session already held (set_context)
  std::vector<ImageReport> images;
  std::vector<AudioReport> audios;
  std::vector<VideoReport> videos;
  double preprocess_seconds = 0.0;  ///< scaling and cutting pictures
  double prefill_seconds = 0.0;     ///< the rest
  double embed_seconds = 0.0;       ///< of prefill_seconds: pictures and sounds to soft tokens
};

/// Receives the logits of each appended position. [vocab_size], valid during the call.
using LogitsCallback = std::function<void(std::int64_t position, std::span<const float> logits)>;

struct AppendOptions {
  LogitsCallback on_logits{};  ///< if set, called for every position in order; slow
  ProgressSink progress{};
};

/// Used by one thread at a time. Sessions of one model share its thread pool and take turns.
class Session {
 public:
  explicit Session(std::shared_ptr<const Model> model, const SessionOptions& options = {});
  ~Session();
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;

  /// Adds to the context. On error the session is as it was before the call.
  /// \throws Error{kInput} if a picture cannot be used or the text does not fit the context.
  AppendResult append(const Prompt& prompt, const AppendOptions& options = {});
  /// Makes the context equal to `prompt`. The longest common beginning with what the session holds,
  /// pictures included, is kept and not computed again. On error the session is empty or as before.
  AppendResult set_context(const Prompt& prompt, const AppendOptions& options = {});
  /// Adds plain ids. \throws Error{kInput} on ids outside the vocabulary or media placeholders.
  AppendResult append_ids(std::span<const TokenId> ids, const AppendOptions& options = {});

  /// Generates until a stop condition. The answer and its end token stay in the context.
  GenerateResult generate(const GenerateOptions& options, const TokenCallback& on_token = {});

  /// Logits the next token is drawn from; after generate(), those its last token was drawn from.
  /// [vocab_size]; valid until the next non-const call.
  [[nodiscard]] std::span<const float> logits() const;
  /// Final-norm hidden state of the last position. [hidden_size]
  [[nodiscard]] std::span<const float> hidden_state() const;
  [[nodiscard]] std::int64_t position() const noexcept;
  [[nodiscard]] std::int64_t context_length() const noexcept;
  [[nodiscard]] std::int64_t kv_bytes() const noexcept;

  /// Forgets everything from `position` on. \throws Error{kUsage} if the sliding layers no longer
  /// hold the keys that would be needed.
  void rewind(std::int64_t position);
  /// A second session with the same past; copies the keys and values.
  [[nodiscard]] Session fork() const;

 private:
  struct Impl;
  explicit Session(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// A sound in pieces no longer than the model was made for, cut at pauses; one piece if it is short.
/// \throws Error{kInput} if the model takes no sound.
std::vector<Audio> split_at_pauses(const Model& model, const Audio& audio);

/// Scales pictures and frames that are larger than a session of `model` with `options` uses them,
/// which it would do itself: answers stay the same, bit for bit, and what is kept of 12 megapixels
/// is 2 MB instead of 36. For conversations that go on. Other parts stay as they are, and so do
/// pictures of a model that takes none. \throws Error{kInput} on a picture that cannot be used,
/// Error{kUsage} on an unknown budget.
void scale_pictures(std::span<ContentPart> parts, const Model& model,
                    const SessionOptions& options = {});

/// Ids of a prompt with media expanded, and what became of its pictures, without running the model.
AppendResult layout_prompt(const Model& model, const Prompt& prompt, const SessionOptions& options);

}  // namespace nolens
