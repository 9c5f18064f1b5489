// The scheduler's half that reads prompts.
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "core/check.h"
#include "engine/attempt.h"
#include "engine/chunk_plan.h"
#include "engine/scheduler.h"
#include "engine/seconds_since.h"

namespace nolens {

namespace {

/// How long a piece of a prompt's step should take: writers wait for it, and so does a cancelled request.
constexpr double kPieceSeconds = 0.2;
/// Steps with fewer rows are slower by the row.
constexpr std::int64_t kRateRows = 32;

}  // namespace

void Scheduler::read_prompts() {
  if (!reading_.running() && !begin_reading()) {
    return;
  }
  const auto start = std::chrono::steady_clock::now();
  const std::size_t layers = slice_layers(reading_.rows());
  bool over = false;
  if (const auto error = attempt([&] { over = reading_.run(layers); })) {
    for (const StepPart& part : reading_.parts()) {
      fail(reader(part), *error);
    }
    return;
  }
  const double seconds = seconds_since(start);
  totals_.prefill_seconds += seconds;
  seconds_per_row_layer_ = seconds / static_cast<double>(layers) / static_cast<double>(reading_.rows());
  step_seconds_ += seconds;
  if (over) {
    note_rate();
    finish_reading();
    return;
  }
  for (const StepPart& part : reading_.parts()) {
    const double rows = static_cast<double>(part.rows) * reading_.progress();
    report_progress(reader(part), part.context->cached_length() + static_cast<std::int64_t>(rows));
  }
}

void Scheduler::report_progress(Running& running, std::int64_t done) {
  const auto& on_progress = running.job->callbacks.on_progress;
  if (on_progress && !running.over && !running.walk.has_value()) {
    on_progress(done, running.prompt->length());
  }
}

/// Half of it is the latest step's: a machine that others use changes within seconds.
void Scheduler::note_rate() {
  const auto rows = static_cast<double>(reading_.rows());
  if (reading_.rows() >= kRateRows && step_seconds_ > 0.0) {
    const double rate = rows / step_seconds_;
    totals_.prefill_rate = totals_.prefill_rate > 0.0 ? (totals_.prefill_rate + rate) / 2.0 : rate;
  }
  step_seconds_ = 0.0;
}

std::size_t Scheduler::slice_layers(std::int64_t rows) const {
  const std::size_t all = model_->config().text.layers.size();
  if (seconds_per_row_layer_ <= 0.0) {
    return 1;
  }
  const double layers = kPieceSeconds / (seconds_per_row_layer_ * static_cast<double>(rows));
  return layers >= static_cast<double>(all) ? all : std::max<std::size_t>(1, static_cast<std::size_t>(layers));
}

std::int64_t Scheduler::next_rows(const Running& running) const {
  const Context& context = *running.prompt;
  const std::int64_t begin = context.cached_length();
  const std::int64_t end = running.keep_at > begin ? running.keep_at : context.length();
  return plan_chunks(begin, end, options_.session.prefill_chunk, context.vision_blocks()).front().end - begin;
}

/// Prompts take turns; those that fit share a step.
bool Scheduler::begin_reading() {
  std::vector<Running*> readers;
  for (Running& running : running_) {
    if (running.reads()) {
      readers.push_back(&running);
    }
  }
  if (readers.empty()) {
    return false;
  }
  std::stable_partition(readers.begin(), readers.end(),
                        [&](const Running* running) { return running->job->id > last_read_; });
  std::vector<StepPart> parts;
  std::int64_t rows = 0;
  for (Running* running : readers) {
    const std::int64_t more = next_rows(*running);
    if (rows > 0 && rows + more > options_.session.prefill_chunk) {
      break;
    }
    parts.push_back({running->prompt.get(), more});
    rows += more;
    last_read_ = running->job->id;
  }
  step_seconds_ = 0.0;
  while (const auto error = attempt([&] { reading_.begin(parts); })) {
    if (parts.size() == 1 && cache_.entries() == 0) {
      fail(reader(parts.front()), *error);
      return false;
    }
    // Memory for the first is what counts then, without the others and without what is only kept.
    parts.resize(1);
    cache_.clear();
  }
  return true;
}

void Scheduler::finish_reading() {
  totals_.preprocess_seconds += reading_.media_seconds().preprocess;
  for (std::size_t i = 0; i < reading_.parts().size(); ++i) {
    const StepPart& part = reading_.parts()[i];
    Running& running = reader(part);
    if (running.over) {
      continue;  // cancelled while the step ran
    }
    totals_.prompt_tokens += part.rows;
    AppendResult& prompt = running.result.prompt;
    if (!prompt.images.empty() || !prompt.audios.empty() || !prompt.videos.empty()) {
      prompt.preprocess_seconds += reading_.media_seconds().preprocess;
      prompt.embed_seconds += reading_.media_seconds().embed;
    }
    const Context& context = *running.prompt;
    if (running.keep_at > 0 && context.cached_length() == running.keep_at) {
      keep_copy(running);
    }
    report_progress(running, context.cached_length());
    if (!running.hidden_sums.empty()) {
      reading_.add_hidden_states(i, running.hidden_sums);
    }
    if (context.cached_length() < context.length()) {
      continue;
    }
    const auto error = attempt([&] {
      reading_.take_logits(i);
      running.walk.has_value() ? weigh(running) : prompt_is_read(running);
    });
    if (error) {
      fail(running, *error);
    }
  }
}

/// A copy that finds no memory is no loss.
void Scheduler::keep_copy(Running& running) {
  running.keep_at = 0;
  attempt([&] {
    Context copy = running.prompt->clone();
    copy.truncate(copy.cached_length());
    cache_.put(running.job->request.owner, std::move(copy));
  });
}

void Scheduler::prompt_is_read(Running& running) {
  AppendResult& prompt = running.result.prompt;
  prompt.prefill_seconds = seconds_since(running.begun) - prompt.preprocess_seconds;
  for (const ImageReport& image : prompt.images) {
    ++totals_.images;
    totals_.image_tokens += image.tokens;
    totals_.images_downscaled += image.downscaled() ? 1 : 0;
  }
  if (running.job->request.embed) {
    finish_embedding(running);
    return;
  }
  if (!running.job->questions.empty()) {
    running.common = running.prompt->length();
    ask(running);
    return;
  }
  add_branches(running);
  for (std::size_t i = 0; i < running.branches.size() && !running.over; ++i) {
    draw(running, *running.branches[i]);
  }
}

/// The direction of the sums is that of the mean.
void Scheduler::finish_embedding(Running& running) {
  double squares = 0.0;
  for (const double sum : running.hidden_sums) {
    squares += sum * sum;
  }
  if (!(squares > 0.0 && squares < std::numeric_limits<double>::infinity())) {
    throw Error(ErrorCode::kModel, "the hidden states of the prompt are not finite; the weights are damaged or "
                                   "overflow their number format");
  }
  const double factor = 1.0 / std::sqrt(squares);
  for (const double sum : running.hidden_sums) {
    running.result.embedding.push_back(static_cast<float>(sum * factor));
  }
  finish(running);
}

void Scheduler::add_branches(Running& running) {
  const EngineRequest& request = running.job->request;
  const std::unique_ptr<Context> prompt = std::move(running.prompt);
  for (std::int64_t i = 0; i < request.answers; ++i) {
    GenerateOptions options = request.generate;
    options.sampler.seed += static_cast<std::uint64_t>(i);
    Generation generation(model_->impl(), options, prompt->ids());
    const bool last = i + 1 == request.answers;
    running.branches.push_back(std::make_unique<Branch>(
        Branch{last ? std::move(*prompt) : prompt->clone(), std::move(generation), i}));
  }
}

Scheduler::Running& Scheduler::reader(const StepPart& part) {
  const auto found = std::find_if(running_.begin(), running_.end(), [&](const Running& running) {
    return running.prompt.get() == part.context;
  });
  NOLENS_CHECK(found != running_.end());  // remove_finished() leaves those of a step
  return *found;
}

}  // namespace nolens
