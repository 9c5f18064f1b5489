// Many requests at once: they share the passes over the weights and what their prompts have in common.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "nolens/chat.h"
#include "nolens/error.h"
#include "nolens/generate.h"
#include "nolens/model.h"
#include "nolens/session.h"

namespace nolens {

struct EngineOptions {
  std::int64_t parallel = 4;       ///< answers written at the same time, at least 1
  std::int64_t queue_length = 64;  ///< requests that may wait beyond these, at least 0
  /// Keys and values of answered requests kept for prompts that begin alike; the least recently used go
  /// first. 0 = none.
  std::int64_t prefix_cache_bytes = std::int64_t{1} << 30;
  SessionOptions session{};
};

/// A question with a closed set of answers, which the model weighs instead of writing one.
struct LabelQuestion {
  Prompt prompt{};                    ///< a whole one, up to where the answer would begin
  std::vector<std::string> labels{};  ///< 2…kMaxLabels different texts, as the model would write them
};

struct EngineRequest {
  Prompt prompt{};
  /// Instead of `prompt`: up to kMaxQuestions. What they all begin with, such as a picture, is read once.
  std::vector<LabelQuestion> questions{};
  /// Instead of an answer: EngineResult::embedding of `prompt`, all of which is read.
  bool embed = false;
  GenerateOptions generate{};      ///< without drafts
  std::int64_t answers = 1;        ///< 1…kMaxAnswers; answer i draws with generate.sampler.seed + i
  std::uint64_t owner = 0;         ///< keys and values are reused between requests of one owner only
  bool reuse_prefix = true;        ///< use what is kept, and keep this request's
};

inline constexpr std::int64_t kMaxAnswers = 8;
inline constexpr std::size_t kMaxQuestions = 16;
inline constexpr std::size_t kMaxLabels = 64;

struct EngineResult {
  AppendResult prompt;  ///< ids of questions: what all begin with, then what each has of its own
  std::vector<GenerateResult> answers;
  /// For each question the probability of each label, which add up to 1: the product over its tokens of
  /// their shares among those with which one of the labels goes on there.
  std::vector<std::vector<double>> decisions;
  /// Mean of the prompt's hidden states after the final norm, of length 1. [hidden_size]
  std::vector<float> embedding;
  double queue_seconds = 0.0;  ///< before the prompt was begun
};

/// Called on the engine's thread, which waits: they hand on and return. They may call Engine::cancel(), on_done and
/// on_error also Engine::submit(). After on_done or on_error nothing follows.
struct EngineCallbacks {
  /// Tokens of the prompt computed so far, those that were kept included; several times a second, also within a
  /// picture, whose tokens are computed layer by layer.
  std::function<void(std::int64_t done, std::int64_t total)> on_progress{};
  /// Returning false ends this answer.
  std::function<bool(std::int64_t answer, const TokenEvent& event)> on_token{};
  std::function<void(EngineResult&& result)> on_done{};
  std::function<void(const Error& error)> on_error{};
};

/// What an engine did since it began, and what it is doing.
struct EngineStats {
  std::int64_t waiting = 0;           ///< requests in the queue
  std::int64_t running = 0;           ///< requests being answered
  std::int64_t finished = 0, cancelled = 0, failed = 0;
  std::int64_t prompt_tokens = 0;     ///< computed
  std::int64_t cached_tokens = 0;     ///< of prompts, kept from before
  std::int64_t generated_tokens = 0;
  std::int64_t images = 0, image_tokens = 0, images_downscaled = 0;
  double preprocess_seconds = 0.0;    ///< pictures to patches
  double prefill_seconds = 0.0;       ///< in steps that read prompts
  double decode_seconds = 0.0;        ///< in steps that write answers
  double prefill_rate = 0.0;          ///< tokens a second of recent steps of 32 tokens or more; 0 = unknown
  std::int64_t decode_steps = 0;
  std::int64_t kv_bytes = 0;          ///< of running requests
  std::int64_t cache_bytes = 0;       ///< of kept prefixes
  std::int64_t cache_entries = 0;
  std::int64_t cache_evictions = 0;
  std::int64_t longest_context = 0;   ///< tokens
};

using RequestId = std::uint64_t;

/// Answers requests in the order in which they come, up to `parallel` at once, on a thread of its own.
/// Prompts are read in pieces between which the answers of others go on. An answer is the same, bit for bit,
/// alone and in a crowd. Every function may be called from any thread.
class Engine {
 public:
  /// \throws Error{kUsage} if an option is out of its range.
  explicit Engine(std::shared_ptr<const Model> model, const EngineOptions& options = {});
  /// Cancels what is left; no callback is called once it returns.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Text becomes tokens on the caller's thread; the rest follows through `callbacks`.
  /// \throws Error{kInput} if the prompt cannot be used or is longer than the context, Error{kUsage} for
  /// options out of range, Error{kResource} if the queue is full.
  RequestId submit(EngineRequest request, EngineCallbacks callbacks);
  /// Ends a request within a step of the model: on_error{kInterrupted} follows. Unknown ids are ignored: the
  /// request may just have ended.
  void cancel(RequestId id);
  [[nodiscard]] EngineStats stats() const;
  [[nodiscard]] const Model& model() const noexcept;
  [[nodiscard]] const EngineOptions& options() const noexcept;
  /// Tokens that a prompt and its answer may have together.
  [[nodiscard]] std::int64_t context_length() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nolens
