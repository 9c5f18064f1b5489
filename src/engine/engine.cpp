// The thread that answers, and what others tell it.
#include "nolens/engine.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "core/escape.h"
#include "engine/prompt_layout.h"
#include "engine/scheduler.h"

namespace nolens {

namespace {

void check_range(const char* option, std::int64_t value, std::int64_t low, std::int64_t high) {
  if (value < low || value > high) {
    throw Error(ErrorCode::kUsage, std::string(option) + " is " + std::to_string(value) + ": expected " +
                                       std::to_string(low) + " to " + std::to_string(high));
  }
}

constexpr std::int64_t kMostParallel = 1024;
constexpr std::int64_t kMostWaiting = 1 << 20;

void validate(const EngineOptions& options) {
  check_range("the number of parallel answers", options.parallel, 1, kMostParallel);
  check_range("the queue length", options.queue_length, 0, kMostWaiting);
  check_range("the size of the prefix cache in bytes", options.prefix_cache_bytes, 0, std::int64_t{1} << 50);
}

/// Ids of a question's labels, each different from the others.
std::vector<std::vector<TokenId>> encode_labels(const std::vector<std::string>& labels, const Tokenizer& tokenizer) {
  if (labels.size() < 2 || labels.size() > kMaxLabels) {
    throw Error(ErrorCode::kUsage, "a question has " + std::to_string(labels.size()) + " labels: expected 2 to " +
                                       std::to_string(kMaxLabels));
  }
  std::vector<std::vector<TokenId>> encoded;
  for (const std::string& label : labels) {
    encoded.push_back(tokenizer.encode(label));
    const bool is_new = std::find(encoded.begin(), encoded.end() - 1, encoded.back()) == encoded.end() - 1;
    if (encoded.back().empty() || !is_new) {
      throw Error(ErrorCode::kUsage, "the labels of a question must be different and not empty; found '" +
                                         escape_for_message(label, 40) + "'" + (is_new ? "" : " twice"));
    }
  }
  return encoded;
}

/// Splits questions into what all begin with and what each has of its own. One token at least is a question's
/// own, whose logits are wanted.
void lay_out_questions(const Model::Impl& model, const std::vector<LabelQuestion>& questions,
                       std::int64_t image_tokens, std::int64_t context_length, Job& job) {
  if (questions.size() > kMaxQuestions) {
    throw Error(ErrorCode::kUsage, "a request has " + std::to_string(questions.size()) +
                                       " questions: at most " + std::to_string(kMaxQuestions) + " are taken");
  }
  std::vector<TokenSequence> sequences;
  std::int64_t common = INT64_MAX;
  for (const LabelQuestion& question : questions) {
    sequences.push_back(lay_out_prompt(model.config, model.tokenizer, question.prompt, image_tokens, 0));
    const TokenSequence& sequence = sequences.back();
    require_tokens(static_cast<std::int64_t>(sequence.ids.size()));
    common = std::min(common, static_cast<std::int64_t>(sequence.ids.size()) - 1);
    common = std::min(common, shared_prefix(sequences.front().ids, sequences.front().media, sequence));
  }
  for (std::size_t i = 0; i < questions.size(); ++i) {
    const TokenSequence& sequence = sequences[i];
    if (!sequence.media.empty() && sequence.media.back().end > common) {
      throw Error(ErrorCode::kUsage, "questions of one request must begin with the same pictures and sounds");
    }
    JobQuestion& question = job.questions.emplace_back();
    question.ids.assign(sequence.ids.begin() + common, sequence.ids.end());
    question.labels = encode_labels(questions[i].labels, model.tokenizer);
    std::int64_t longest = 0;
    for (const std::vector<TokenId>& label : question.labels) {
      longest = std::max(longest, static_cast<std::int64_t>(label.size()));
    }
    check_fits(static_cast<std::int64_t>(sequence.ids.size()) + longest, context_length, model.config);
  }
  job.sequence = std::move(sequences.front());
  job.sequence.ids.resize(static_cast<std::size_t>(common));
}

}  // namespace

struct Engine::Impl {
  std::shared_ptr<const Model> model;
  EngineOptions options;
  std::int64_t context_length;
  std::mutex mutex;  ///< of everything below but the scheduler, which belongs to the thread
  std::condition_variable wake;
  std::vector<std::unique_ptr<Job>> submitted;
  std::vector<RequestId> cancelled;
  RequestId next_id = 1;
  std::int64_t outstanding = 0;  ///< submitted and not over
  EngineStats stats;
  bool stop = false;
  std::thread thread;

  Impl(std::shared_ptr<const Model> engine_model, const EngineOptions& engine_options)
      : model(std::move(engine_model)),
        options(engine_options),
        context_length(Context(model, options.session).context_length()) {}

  void run();
  void end_request();
};

void Engine::Impl::end_request() {
  const std::lock_guard lock(mutex);
  --outstanding;
}

void Engine::Impl::run() {
  Scheduler scheduler(model, options);
  while (true) {
    std::vector<std::unique_ptr<Job>> jobs;
    std::vector<RequestId> ended;
    {
      const std::lock_guard lock(mutex);
      if (stop) {
        return;
      }
      jobs.swap(submitted);
      ended.swap(cancelled);
    }
    for (std::unique_ptr<Job>& job : jobs) {
      scheduler.add(std::move(job));
    }
    for (const RequestId id : ended) {
      scheduler.cancel(id);
    }
    const bool worked = scheduler.work();
    {
      const std::lock_guard lock(mutex);
      stats = scheduler.stats();
    }
    for (const auto& ending : scheduler.take_endings()) {
      ending();
    }
    if (!worked) {
      std::unique_lock lock(mutex);
      wake.wait(lock, [&] { return stop || !submitted.empty() || !cancelled.empty(); });
    }
  }
}

Engine::Engine(std::shared_ptr<const Model> model, const EngineOptions& options) {
  validate(options);
  impl_ = std::make_unique<Impl>(std::move(model), options);
  impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
}

Engine::~Engine() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stop = true;
  }
  impl_->wake.notify_one();
  impl_->thread.join();
  for (const std::unique_ptr<Job>& job : impl_->submitted) {
    job->callbacks.on_error(
        Error(ErrorCode::kInterrupted, "the engine was stopped before the answer was complete"));
  }
}

RequestId Engine::submit(EngineRequest request, EngineCallbacks callbacks) {
  Impl& impl = *impl_;
  const Model::Impl& model = impl.model->impl();
  check_range("the number of answers", request.answers, 1, kMaxAnswers);
  Generation(model, request.generate, {});  // checks all its options
  if (request.generate.draft.source != DraftSource::kOff) {
    throw Error(ErrorCode::kUsage, "drafts are for single sessions: an engine shares its steps instead");
  }
  if (!callbacks.on_done || !callbacks.on_error) {
    throw Error(ErrorCode::kUsage, "a request needs on_done and on_error");
  }
  auto job = std::make_unique<Job>();
  const std::int64_t image_tokens = impl.options.session.image_tokens;
  if (request.questions.empty()) {
    job->sequence = lay_out_prompt(model.config, model.tokenizer, request.prompt, image_tokens, 0);
    require_tokens(static_cast<std::int64_t>(job->sequence.ids.size()));
    check_fits(static_cast<std::int64_t>(job->sequence.ids.size()), impl.context_length, model.config);
  } else {
    lay_out_questions(model, request.questions, image_tokens, impl.context_length, *job);
  }
  request.prompt.clear();
  request.questions.clear();
  job->request = std::move(request);
  job->callbacks = std::move(callbacks);
  job->callbacks.on_done = [&impl, done = std::move(job->callbacks.on_done)](EngineResult&& result) {
    impl.end_request();
    done(std::move(result));
  };
  job->callbacks.on_error = [&impl, failed = std::move(job->callbacks.on_error)](const Error& error) {
    impl.end_request();
    failed(error);
  };
  RequestId id = 0;
  {
    const std::lock_guard lock(impl.mutex);
    const std::int64_t most = impl.options.parallel + impl.options.queue_length;
    if (impl.outstanding >= most) {
      throw Error(ErrorCode::kResource, "the queue is full: " + std::to_string(impl.outstanding) +
                                            " requests are waiting or being answered; try again later");
    }
    ++impl.outstanding;
    id = impl.next_id++;
    job->id = id;
    impl.submitted.push_back(std::move(job));
  }
  impl.wake.notify_one();
  return id;
}

void Engine::cancel(RequestId id) {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->cancelled.push_back(id);
  }
  impl_->wake.notify_one();
}

EngineStats Engine::stats() const {
  const std::lock_guard lock(impl_->mutex);
  EngineStats stats = impl_->stats;
  stats.waiting += static_cast<std::int64_t>(impl_->submitted.size());
  return stats;
}

const Model& Engine::model() const noexcept { return *impl_->model; }
const EngineOptions& Engine::options() const noexcept { return impl_->options; }
std::int64_t Engine::context_length() const noexcept { return impl_->context_length; }

}  // namespace nolens
