// The thread that answers, and what others tell it.
#include "nolens/engine.h"

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

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
    std::unique_lock lock(mutex);
    stats = scheduler.stats();
    if (!worked) {
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
  job->sequence = lay_out_prompt(model.config, model.tokenizer, request.prompt,
                                 impl.options.session.image_tokens, 0);
  require_tokens(static_cast<std::int64_t>(job->sequence.ids.size()));
  check_fits(static_cast<std::int64_t>(job->sequence.ids.size()), impl.context_length, model.config);
  request.prompt.clear();
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
