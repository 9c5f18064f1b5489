// The scheduler's part that answers questions with a closed set of answers.
//
// All questions of a request begin with the same tokens, which are computed once. What a question has of its
// own, and the beginnings of its labels, come and go behind them.
#include <algorithm>
#include <utility>

#include "engine/scheduler.h"

namespace nolens {

namespace {

std::int64_t longest_label(const JobQuestion& question) {
  std::size_t longest = 0;
  for (const std::vector<TokenId>& label : question.labels) {
    longest = std::max(longest, label.size());
  }
  return static_cast<std::int64_t>(longest);
}

}  // namespace

void Scheduler::ask(Running& running) {
  const std::vector<JobQuestion>& questions = running.job->questions;
  EngineResult& result = running.result;
  Context& context = *running.prompt;
  if (running.walk.has_value() && !running.walk->wants_logits()) {
    const std::vector<TokenId>& own = questions[result.decisions.size()].ids;
    result.prompt.ids.insert(result.prompt.ids.end(), own.begin(), own.end());
    result.decisions.push_back(running.walk->probabilities());
    running.walk.reset();
  }
  if (result.decisions.size() == questions.size()) {
    context.truncate(running.common);
    if (running.job->request.reuse_prefix) {
      cache_.put(running.job->request.owner, std::move(context));
    }
    finish(running);
    return;
  }
  const JobQuestion& question = questions[result.decisions.size()];
  const auto own = static_cast<std::int64_t>(question.ids.size());
  TokenSequence next;
  if (running.walk.has_value()) {
    context.truncate(running.common + own);
    next.ids.assign(running.walk->path().begin(), running.walk->path().end());
  } else {
    context.truncate(running.common);
    // So much room that the sliding layers still hold what the common beginning needs afterwards.
    context.cache().reserve(own + longest_label(question));
    next.ids = question.ids;
    running.walk.emplace(question.labels, model_->impl().stop_tokens.front());
  }
  context.extend(std::move(next));
}

void Scheduler::weigh(Running& running) {
  running.walk->take(running.prompt->logits());
  ask(running);
}

}  // namespace nolens
