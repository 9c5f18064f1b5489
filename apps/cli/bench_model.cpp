#include "bench_model.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <numeric>

#include "nolens/cost.h"
#include "nolens/session.h"

#include "interrupt.h"
#include "progress.h"
#include "resident.h"
#include "terminal.h"

namespace nolens::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kGiga = 1e9;
constexpr std::int64_t kWarmUpTokens = 64;
constexpr const char* kImageQuestion = "What does the picture show?";

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Ids drawn evenly from a vocabulary, those of media left out; the same in every run.
class RandomIds {
 public:
  explicit RandomIds(const ModelConfig& config) : config_(config) {}

  std::vector<TokenId> draw(std::int64_t count) {
    std::vector<TokenId> ids;
    const SpecialTokens& tokens = config_.tokens;
    while (static_cast<std::int64_t>(ids.size()) < count) {
      state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;  // Knuth, MMIX
      const auto id = static_cast<TokenId>((state_ >> 33U) %
                                           static_cast<std::uint64_t>(config_.text.vocab_size));
      if (id != tokens.image && id != tokens.audio && id != tokens.video) {
        ids.push_back(id);
      }
    }
    return ids;
  }

 private:
  const ModelConfig& config_;
  std::uint64_t state_ = 1;
};

const char* name_of(Arithmetic arithmetic) {
  switch (arithmetic) {
    case Arithmetic::kInt8: return "int8";
    case Arithmetic::kBf16: return "bf16";
    case Arithmetic::kFloat32: return "fp32";
  }
  return "";
}

/// Matrix products of some rows.
struct Work {
  double ops = 0.0;
  double seconds_at_peak = 0.0;
};

/// One repeat of a test.
struct Sample {
  double seconds = 0.0;
  std::optional<BandwidthProbes> probes{};
  double compute = 1.0;  ///< share of the best peak of arithmetic, the lesser of before and after
  std::int64_t context = 0;
  ImageStages stages{};
};

class Bench {
 public:
  Bench(const std::shared_ptr<const Model>& model, const BenchPlan& plan, ComputeLimits& limits)
      : model_(model),
        plan_(plan),
        limits_(limits),
        cost_(decoder_cost(*model)),
        ids_(model->config()) {
    options_.context_length =
        std::min(longest_context(plan), model->config().text.max_position_embeddings);
  }

  std::vector<BenchResult> run() {
    warm_up();
    for (const std::int64_t tokens : plan_.prefill) {
      prefill(tokens);
    }
    for (const std::int64_t context : plan_.contexts) {
      if (plan_.decode > 0) {
        decode(context);
      }
    }
    if (!plan_.image.empty()) {
      image();
    }
    return std::move(results_);
  }

 private:
  /// Threads, buffers and the weights' pages exist after it.
  void warm_up() {
    Session session(model_, options_);
    session.append_ids(ids_.draw(std::min(kWarmUpTokens, options_.context_length)));
  }

  void prefill(std::int64_t tokens) {
    Progress progress("prefill " + std::to_string(tokens));
    reset_peak_resident();
    std::vector<Sample> samples;
    for (std::int64_t i = 0; i < plan_.repeat; ++i) {
      Session session(model_, options_);
      const std::vector<TokenId> ids = ids_.draw(tokens);
      Sample sample;
      const ComputeLimits before = measure_limits();
      const auto start = Clock::now();
      session.append_ids(ids, {.progress = repeat_sink(progress, i)});
      sample.seconds = seconds_since(start);
      const ComputeLimits after = measure_limits();
      sample.compute = std::min(share_of_best(before), share_of_best(after));
      samples.push_back(sample);
    }
    const Kept kept = undisturbed(samples, [](const Sample& s) { return 1.0 - s.compute; });
    BenchResult& result = add("prefill", tokens, kept.samples, work(tokens, 1));
    result.ops_per_byte = work(tokens, 1).ops / prefill_bytes(tokens);
    result.repeats = plan_.repeat;
    warn(result, "the peak of arithmetic was more than 10 % below its best", kept);
  }

  /// Also raises what counts as this machine's limits.
  ComputeLimits measure_limits() {
    const ComputeLimits now = measure_compute_limits(model_->num_threads());
    limits_ = {std::max(limits_.int8_ops, now.int8_ops), std::max(limits_.bf16_ops, now.bf16_ops),
               std::max(limits_.fp32_ops, now.fp32_ops)};
    return now;
  }

  /// Of the arithmetic that the kernels prefer; another guest of the same machine can halve it.
  [[nodiscard]] double share_of_best(const ComputeLimits& now) const {
    return limits_.int8_ops > 0.0 ? now.int8_ops / limits_.int8_ops
                                  : now.fp32_ops / limits_.fp32_ops;
  }

  struct Kept {
    std::vector<Sample> samples;
    std::int64_t dropped = 0;  ///< all: then samples are all
  };

  /// Samples without those during which the machine itself changed by more than kDisturbed.
  template <typename Change>
  static Kept undisturbed(const std::vector<Sample>& samples, const Change& change) {
    Kept kept{samples};
    kept.dropped = static_cast<std::int64_t>(
        std::erase_if(kept.samples, [&](const Sample& s) { return change(s) > kDisturbed; }));
    if (kept.samples.empty()) {
      kept.samples = samples;
    }
    return kept;
  }

  void warn(const BenchResult& result, const std::string& what, const Kept& kept) const {
    if (kept.dropped > 0) {
      print_error("warning: " + test_name(result) + ": " + what + " during " +
                  std::to_string(kept.dropped) + " of " + std::to_string(plan_.repeat) +
                  " repeats" +
                  (kept.dropped == plan_.repeat ? "; the figure means little\n"
                                                : ", which do not count\n"));
    }
  }

  /// Repeats follow each other in one session: filling the context again would take longer than
  /// they do.
  void decode(std::int64_t context) {
    Progress progress("decode at " + std::to_string(context));
    Session session(model_, options_);
    if (context > 0) {
      session.append_ids(ids_.draw(context), {.progress = progress.sink()});
    }
    std::vector<Sample> samples;
    std::int64_t rss = 0;
    for (std::int64_t i = 0; i < plan_.repeat; ++i) {
      check_signal();
      Sample sample{.context = session.position()};
      const std::vector<TokenId> ids = ids_.draw(plan_.decode);
      const ReadBandwidth before = measure_read_bandwidth(model_->num_threads());
      reset_peak_resident();
      const auto start = Clock::now();
      for (const TokenId id : ids) {
        session.append_ids({&id, 1});
      }
      sample.seconds = seconds_since(start);
      rss = std::max(rss, peak_resident_bytes());
      const ReadBandwidth after = measure_read_bandwidth(model_->num_threads());
      sample.probes = {before.median, after.median, std::max(before.best, after.best)};
      samples.push_back(sample);
    }
    const Kept kept = undisturbed(samples, [](const Sample& s) { return s.probes->difference(); });
    BenchResult& result =
        add("decode", plan_.decode, kept.samples, work(plan_.decode, plan_.decode));
    result.context = context;
    result.repeats = plan_.repeat;
    result.peak_rss_bytes = rss;
    const Sample& median = median_of(kept.samples);
    const double bytes = decode_bytes(median.context);
    const double rate = bytes / median.seconds;
    result.probes = median.probes;
    result.bandwidth_gb_per_second = rate / kGiga;
    result.share_of_bandwidth = rate / median.probes->mean();
    result.ops_per_byte = work(plan_.decode, plan_.decode).ops / bytes;
    warn(result, "memory bandwidth changed by more than 10 %", kept);
  }

  void image() {
    Progress progress("picture");
    reset_peak_resident();
    std::vector<Sample> samples;
    std::int64_t tokens = 0;
    for (std::int64_t i = 0; i < plan_.repeat; ++i) {
      check_signal();
      Session session(model_, options_);
      const auto start = Clock::now();
      Message message;
      message.content_is_string = false;
      message.content.emplace_back(ImagePart{.image = Image::decode(plan_.image, plan_.image_name),
                                             .name = plan_.image_name});
      Sample sample;
      sample.stages.decode = seconds_since(start);
      message.content.emplace_back(TextPart{kImageQuestion});
      const AppendResult prompt =
          session.append(render_chat({message}, {.family = model_->chat_family()}));
      sample.seconds = seconds_since(start);
      sample.stages.resize = prompt.preprocess_seconds;
      sample.stages.embed = prompt.embed_seconds;
      sample.stages.prefill = prompt.prefill_seconds - prompt.embed_seconds;
      tokens = static_cast<std::int64_t>(prompt.ids.size());
      samples.push_back(sample);
    }
    BenchResult& result = add("image", tokens, samples, work(tokens, 1));
    result.stages = median_of(samples).stages;
    // The share is that of the part that multiplies matrices.
    result.gop_per_second = work(tokens, 1).ops / result.stages->prefill / kGiga;
    result.share_of_peak = work(tokens, 1).seconds_at_peak / result.stages->prefill;
    result.ops_per_byte = work(tokens, 1).ops / prefill_bytes(tokens);
  }

  BenchResult& add(const char* test, std::int64_t tokens, const std::vector<Sample>& samples,
                   const Work& work_done) {
    const double seconds = median_of(samples).seconds;
    BenchResult& result = results_.emplace_back();
    result.test = test;
    result.tokens = tokens;
    result.model = model_->config().name;
    result.format = model_->format();
    result.kernels = model_->kernels_name();
    result.threads = model_->num_threads();
    result.repeats = static_cast<std::int64_t>(samples.size());
    result.seconds_median = seconds;
    result.seconds_min =
        std::min_element(samples.begin(), samples.end(), [](const Sample& a, const Sample& b) {
          return a.seconds < b.seconds;
        })->seconds;
    result.tokens_per_second = static_cast<double>(tokens) / seconds;
    result.share_of_peak = work_done.seconds_at_peak / seconds;
    result.gop_per_second = work_done.ops / seconds / kGiga;
    result.peak = peak_names();
    result.peak_rss_bytes = peak_resident_bytes();
    return result;
  }

  /// The middle one by time; of an even number the slower of two.
  static const Sample& median_of(const std::vector<Sample>& samples) {
    std::vector<std::size_t> order(samples.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return samples[a].seconds < samples[b].seconds;
    });
    return samples[order[order.size() / 2]];
  }

  [[nodiscard]] Arithmetic measured(Arithmetic wanted) const {
    const bool missing = (wanted == Arithmetic::kInt8 && limits_.int8_ops <= 0.0) ||
                         (wanted == Arithmetic::kBf16 && limits_.bf16_ops <= 0.0);
    return missing ? Arithmetic::kFloat32 : wanted;
  }

  [[nodiscard]] double peak_of(Arithmetic arithmetic) const {
    switch (measured(arithmetic)) {
      case Arithmetic::kInt8: return limits_.int8_ops;
      case Arithmetic::kBf16: return limits_.bf16_ops;
      case Arithmetic::kFloat32: return limits_.fp32_ops;
    }
    return 0.0;
  }

  /// Products of `tokens` rows in all layers and `logits` rows in the head.
  [[nodiscard]] Work work(std::int64_t tokens, std::int64_t logits) const {
    Work sum;
    const auto add_product = [&](const ProductCost& product, std::int64_t rows) {
      const double ops = 2.0 * static_cast<double>(product.parameters) * static_cast<double>(rows);
      sum.ops += ops;
      sum.seconds_at_peak += ops / peak_of(product.arithmetic);
    };
    for (const ProductCost& product : cost_.layers) {
      add_product(product, tokens);
    }
    add_product(cost_.head, logits);
    return sum;
  }

  [[nodiscard]] std::string peak_names() const {
    std::string names;
    for (const ProductCost& product : cost_.layers) {
      const std::string name = name_of(measured(product.arithmetic));
      if (names.find(name) == std::string::npos) {
        names += (names.empty() ? "" : "+") + name;
      }
    }
    return names;
  }

  [[nodiscard]] double layer_bytes() const {
    double bytes = 0.0;
    for (const ProductCost& product : cost_.layers) {
      bytes += static_cast<double>(product.bytes);
    }
    return bytes;
  }

  /// Weights are read once for each step of so many rows.
  [[nodiscard]] double prefill_bytes(std::int64_t tokens) const {
    const std::int64_t steps = (tokens + options_.prefill_chunk - 1) / options_.prefill_chunk;
    return layer_bytes() * static_cast<double>(steps) + static_cast<double>(cost_.head.bytes);
  }

  [[nodiscard]] double decode_bytes(std::int64_t context) const {
    double bytes = 0.0;
    for (std::int64_t i = 0; i < plan_.decode; ++i) {
      bytes += layer_bytes() + static_cast<double>(cost_.head.bytes) +
               static_cast<double>(kv_read_bytes(*model_, context + i));
    }
    return bytes;
  }

  ProgressSink repeat_sink(Progress& progress, std::int64_t repeat) const {
    return [&progress, repeat, all = static_cast<double>(plan_.repeat)](double fraction) {
      progress.update((static_cast<double>(repeat) + fraction) / all);
    };
  }

  std::shared_ptr<const Model> model_;
  const BenchPlan& plan_;
  ComputeLimits& limits_;
  DecoderCost cost_;
  RandomIds ids_;
  SessionOptions options_;
  std::vector<BenchResult> results_;
};

}  // namespace

std::int64_t longest_context(const BenchPlan& plan) {
  constexpr std::int64_t kImagePrompt = 2048;  // of the largest budget, with the question
  std::int64_t longest = plan.image.empty() ? 1 : kImagePrompt;
  for (const std::int64_t tokens : plan.prefill) {
    longest = std::max(longest, tokens);
  }
  for (const std::int64_t context : plan.contexts) {
    longest = std::max(longest, context + plan.decode * plan.repeat);
  }
  return longest;
}

std::vector<BenchResult> run_plan(const std::shared_ptr<const Model>& model, const BenchPlan& plan,
                                  ComputeLimits& limits) {
  return Bench(model, plan, limits).run();
}

}  // namespace nolens::cli
