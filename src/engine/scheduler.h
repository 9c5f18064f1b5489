// Which rows of which request the decoder computes next.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "engine/batch_step.h"
#include "engine/generation.h"
#include "engine/label_walk.h"
#include "engine/prefix_cache.h"
#include "nolens/engine.h"

namespace nolens {

/// What a question has of its own, after what all questions of a request begin with.
struct JobQuestion {
  std::vector<TokenId> ids;
  std::vector<std::vector<TokenId>> labels;
};

/// A request whose prompt is laid out.
struct Job {
  RequestId id = 0;
  EngineRequest request;   ///< the prompt is in `sequence`
  TokenSequence sequence;  ///< of questions the common beginning
  std::vector<JobQuestion> questions;
  EngineCallbacks callbacks;
  std::chrono::steady_clock::time_point submitted = std::chrono::steady_clock::now();
};

/// Belongs to one thread. work() does one piece: an equal share to requests that write, all of which take
/// one token in a step that they share, and to prompts that are being read. Prompts take turns, step by step;
/// short ones share one. A step of a prompt is cut between layers, so that what else goes on waits for a
/// quarter of a second and not for a whole picture.
class Scheduler {
 public:
  Scheduler(std::shared_ptr<const Model> model, const EngineOptions& options);
  /// Ends every request with Error{kInterrupted}.
  ~Scheduler();

  void add(std::unique_ptr<Job> job);
  void cancel(RequestId id);
  /// False if there is nothing to do.
  bool work();
  /// What is still to be told about requests that are over: stats() counts them already.
  [[nodiscard]] std::vector<std::function<void()>> take_endings() { return std::exchange(endings_, {}); }
  /// Counts so far; `waiting` are the jobs of the queue.
  [[nodiscard]] EngineStats stats() const;

 private:
  /// One answer being written.
  struct Branch {
    Context context;
    Generation generation;
    std::int64_t index = 0;
  };
  /// A job that has a place.
  struct Running {
    std::unique_ptr<Job> job;
    std::unique_ptr<Context> prompt;  ///< until it is read
    std::vector<std::unique_ptr<Branch>> branches;
    EngineResult result;
    std::vector<double> hidden_sums;  ///< [D] of a request to embed
    std::int64_t common = 0;          ///< tokens that all questions begin with
    std::optional<LabelWalk> walk;    ///< of the question being weighed
    std::int64_t answers_left = 0;
    std::int64_t keep_at = 0;         ///< position at which a copy of the prompt's context is kept; 0 = nowhere
    std::chrono::steady_clock::time_point begun;
    bool over = false;                ///< answered, failed or cancelled

    [[nodiscard]] bool reads() const noexcept { return prompt != nullptr && !over; }
  };

  struct Writer {
    Running* running = nullptr;
    Branch* branch = nullptr;
  };

  void admit();
  void start(std::unique_ptr<Job> job);
  void read_prompts();
  bool begin_reading();
  [[nodiscard]] std::int64_t next_rows(const Running& running) const;
  void report_progress(Running& running, std::int64_t done);
  void note_rate();
  void finish_reading();
  void keep_copy(Running& running);
  void write_answers();
  void write_step(std::span<const StepPart> parts);
  void draw_all(std::span<const Writer> writers);
  void prompt_is_read(Running& running);
  void add_branches(Running& running);
  /// Lets the tokens wait whose logits the current question, or the next one, asks for.
  void ask(Running& running);
  void weigh(Running& running);
  void finish_embedding(Running& running);
  void finish(Running& running);
  /// Draws from the branch's logits; the branch is over or has a token that waits.
  void draw(Running& running, Branch& branch);
  void close(Running& running, Branch& branch);
  void fail(Running& running, const Error& error);
  void tell(Job& job, const Error& error);
  void remove_finished();
  [[nodiscard]] std::size_t slice_layers(std::int64_t rows) const;
  /// Whose prompt a part of the step that reads is.
  [[nodiscard]] Running& reader(const StepPart& part);
  [[nodiscard]] std::int64_t branch_count() const;

  std::shared_ptr<const Model> model_;
  EngineOptions options_;
  PrefixCache cache_;
  std::deque<std::unique_ptr<Job>> queue_;
  std::list<Running> running_;
  BatchStep reading_;                ///< rows of prompts, in pieces
  BatchStep writing_;                ///< a row of each answer
  double seconds_per_row_layer_ = 0.0;  ///< of the latest piece; 0 = unknown
  double step_seconds_ = 0.0;        ///< of the pieces of the step that reads
  RequestId last_read_ = 0;          ///< prompts after this one come first
  EngineStats totals_;
  std::vector<std::function<void()>> endings_;
};

}  // namespace nolens
