// Prompts in, tokens out, for many requests at once.
#include "engine/scheduler.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "engine/attempt.h"
#include "engine/seconds_since.h"

namespace nolens {

namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

Scheduler::Scheduler(std::shared_ptr<const Model> model, const EngineOptions& options)
    : model_(std::move(model)),
      options_(options),
      cache_(options.prefix_cache_bytes),
      reading_(model_->impl()),
      writing_(model_->impl()) {}

Scheduler::~Scheduler() {
  const Error error(ErrorCode::kInterrupted, "the engine was stopped before the answer was complete");
  for (Running& running : running_) {
    fail(running, error);
  }
  for (const auto& job : queue_) {
    tell(*job, error);
  }
  for (const auto& ending : endings_) {
    ending();
  }
}

void Scheduler::add(std::unique_ptr<Job> job) { queue_.push_back(std::move(job)); }

void Scheduler::cancel(RequestId id) {
  const Error error(ErrorCode::kInterrupted, "the request was cancelled");
  const auto waiting = std::find_if(queue_.begin(), queue_.end(), [&](const auto& job) { return job->id == id; });
  if (waiting != queue_.end()) {
    const std::unique_ptr<Job> job = std::move(*waiting);
    queue_.erase(waiting);
    ++totals_.cancelled;
    tell(*job, error);
    return;
  }
  for (Running& running : running_) {
    if (running.job->id == id && !running.over) {
      fail(running, error);
    }
  }
}

bool Scheduler::work() {
  admit();
  if (running_.empty()) {
    return false;
  }
  read_prompts();
  write_answers();
  remove_finished();
  return true;
}

void Scheduler::admit() {
  while (!queue_.empty()) {
    const std::int64_t answers = queue_.front()->request.answers;
    if (!running_.empty() && branch_count() + answers > options_.parallel) {
      return;
    }
    std::unique_ptr<Job> job = std::move(queue_.front());
    queue_.pop_front();
    start(std::move(job));
  }
}

std::int64_t Scheduler::branch_count() const {
  std::int64_t count = 0;
  for (const Running& running : running_) {
    count += running.answers_left;
  }
  return count;
}

void Scheduler::start(std::unique_ptr<Job> job) {
  Running& running = running_.emplace_back();
  running.job = std::move(job);
  running.begun = Clock::now();
  const EngineRequest& request = running.job->request;
  TokenSequence& sequence = running.job->sequence;
  running.answers_left = request.answers;
  running.result.answers.resize(static_cast<std::size_t>(request.answers));
  running.result.queue_seconds = seconds_since(running.job->submitted);
  running.result.prompt = describe(sequence);
  const auto error = attempt([&] {
    std::optional<Context> kept;
    if (request.embed) {
      running.hidden_sums.resize(static_cast<std::size_t>(model_->config().text.hidden_size));
    } else if (request.reuse_prefix) {
      kept = cache_.take(request.owner, sequence);
      const std::int64_t shared = cache_.longest_shared(request.owner, sequence);
      // The second prompt that begins like others pays once more; the third finds the beginning.
      if (!kept.has_value() && shared >= PrefixCache::kLeastTokens) {
        running.keep_at = shared;
      }
    }
    running.prompt = std::make_unique<Context>(
        kept.has_value() ? std::move(*kept) : Context(model_, options_.session));
    running.result.prompt.cached_tokens = running.prompt->replace_by(std::move(sequence));
    totals_.cached_tokens += running.result.prompt.cached_tokens;
  });
  if (error) {
    fail(running, *error);
  }
}

void Scheduler::write_answers() {
  std::vector<StepPart> parts;
  std::vector<Writer> writers;
  for (Running& running : running_) {
    for (const auto& branch : running.branches) {
      if (!running.over && !branch->generation.done()) {
        parts.push_back({&branch->context, 1});
        writers.push_back({&running, branch.get()});
      }
    }
  }
  if (parts.empty()) {
    return;
  }
  const auto start = Clock::now();
  if (const auto error = attempt([&] { write_step(parts); }); !error) {
    draw_all(writers);
  } else {
    cache_.clear();  // usually memory: then one by one, and whoever finds none ends
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (const auto alone = attempt([&] { write_step({&parts[i], 1}); })) {
        fail(*writers[i].running, *alone);
      } else {
        draw_all({&writers[i], 1});
      }
    }
  }
  totals_.decode_seconds += seconds_since(start);
  ++totals_.decode_steps;
}

void Scheduler::write_step(std::span<const StepPart> parts) {
  writing_.begin(parts);
  writing_.run(model_->config().text.layers.size());
}

/// `writers` are those of the step's parts.
void Scheduler::draw_all(std::span<const Writer> writers) {
  for (std::size_t i = 0; i < writers.size(); ++i) {
    Running& running = *writers[i].running;
    if (running.over) {
      continue;  // another answer to the same request failed
    }
    const auto error = attempt([&] {
      writing_.take_logits(i);
      draw(running, *writers[i].branch);
    });
    if (error) {
      fail(running, *error);
    }
  }
}

void Scheduler::draw(Running& running, Branch& branch) {
  branch.context.extend_by(branch.generation.draw(branch.context.logits()));
  ++totals_.generated_tokens;
  const auto& on_token = running.job->callbacks.on_token;
  const auto hand_on = [&](const TokenEvent& event) { return !on_token || on_token(branch.index, event); };
  if (!branch.generation.deliver(branch.context.context_length() - branch.context.length(), hand_on)) {
    running.result.answers[static_cast<std::size_t>(branch.index)] = branch.generation.close(hand_on);
    close(running, branch);
  }
}

void Scheduler::close(Running& running, Branch& branch) {
  totals_.longest_context = std::max(totals_.longest_context, branch.context.length());
  if (running.job->request.reuse_prefix) {
    cache_.put(running.job->request.owner, std::move(branch.context));
  }
  if (--running.answers_left == 0) {
    finish(running);
  }
}

void Scheduler::finish(Running& running) {
  running.over = true;
  running.answers_left = 0;
  ++totals_.finished;
  endings_.emplace_back([done = std::move(running.job->callbacks.on_done),
                         result = std::make_shared<EngineResult>(std::move(running.result))] {
    done(std::move(*result));
  });
}

void Scheduler::fail(Running& running, const Error& error) {
  if (running.over) {
    return;
  }
  running.over = true;
  running.answers_left = 0;
  ++(error.code() == ErrorCode::kInterrupted ? totals_.cancelled : totals_.failed);
  // A step of one prompt ends at once; one that others share goes on without it.
  if (reading_.running() && reading_.parts().size() == 1 &&
      reading_.parts().front().context == running.prompt.get()) {
    reading_.abandon();
  }
  tell(*running.job, error);
}

void Scheduler::tell(Job& job, const Error& error) {
  endings_.emplace_back([failed = std::move(job.callbacks.on_error), error] { failed(error); });
}

void Scheduler::remove_finished() {
  const auto in_step = [&](const Running& running) {
    const auto parts = reading_.parts();
    return reading_.running() && running.prompt != nullptr &&
           std::any_of(parts.begin(), parts.end(),
                       [&](const StepPart& part) { return part.context == running.prompt.get(); });
  };
  std::erase_if(running_, [&](const Running& running) { return running.over && !in_step(running); });
}

EngineStats Scheduler::stats() const {
  EngineStats stats = totals_;
  stats.waiting = static_cast<std::int64_t>(queue_.size());
  for (const Running& running : running_) {
    stats.running += running.over ? 0 : 1;
    stats.kv_bytes += running.prompt != nullptr ? running.prompt->kv_bytes() : 0;
    for (const auto& branch : running.branches) {
      stats.kv_bytes += branch->context.kv_bytes();
    }
  }
  stats.cache_bytes = cache_.bytes();
  stats.cache_entries = cache_.entries();
  stats.cache_evictions = cache_.evictions();
  return stats;
}

}  // namespace nolens
