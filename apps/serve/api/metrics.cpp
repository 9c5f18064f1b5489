#include "serve/api/metrics.h"

#include <fstream>
#include <mutex>

#include <unistd.h>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace nolens::serve {
namespace {

using prometheus::Histogram;

const Histogram::BucketBoundaries kSeconds = {0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300};
const Histogram::BucketBoundaries kRates = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000, 20000};

/// Bytes of this process in memory; 0 where the system does not tell.
double resident_bytes() {
  std::ifstream file("/proc/self/statm");
  double all = 0.0;
  double resident = 0.0;
  file >> all >> resident;
  return file ? resident * static_cast<double>(sysconf(_SC_PAGESIZE)) : 0.0;
}

}  // namespace

struct Metrics::Impl {
  prometheus::Registry registry;
  std::mutex scrape;  ///< counters follow the engine's: two scrapes at once would count twice

  Histogram& histogram(const char* name, const char* help, const Histogram::BucketBoundaries& buckets) {
    return prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add({}, buckets);
  }
  Histogram& first_token = histogram("nolens_time_to_first_token_seconds",
                                     "From a request's arrival to its first token", kSeconds);
  Histogram& request = histogram("nolens_request_seconds", "From a request's arrival to its end", kSeconds);
  Histogram& queue = histogram("nolens_queue_seconds", "Time that requests waited for a place", kSeconds);
  Histogram& preprocess =
      histogram("nolens_image_preprocess_seconds", "Time to make patches of a request's pictures", kSeconds);
  Histogram& prefill_rate =
      histogram("nolens_prefill_tokens_per_second", "Tokens of prompts read a second, by request", kRates);
  Histogram& decode_rate =
      histogram("nolens_decode_tokens_per_second", "Tokens written a second, by answer", kRates);

  void count(const char* name, const char* help, double value) {
    prometheus::Counter& counter = prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
    counter.Increment(value - counter.Value());
  }
  void count_answers(int status, std::uint64_t value) {
    prometheus::Counter& counter = prometheus::BuildCounter()
                                       .Name("nolens_http_requests_total")
                                       .Help("Answers by status; 499 = the client went away")
                                       .Register(registry)
                                       .Add({{"status", std::to_string(status)}});
    counter.Increment(static_cast<double>(value) - counter.Value());
  }
  void gauge(const char* name, const char* help, double value) {
    prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({}).Set(value);
  }
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

void Metrics::observe_first_token(std::chrono::duration<double> time) {
  impl_->first_token.Observe(time.count());
}

void Metrics::observe_request(const EngineResult& result, std::chrono::duration<double> time) {
  impl_->request.Observe(time.count());
  impl_->queue.Observe(result.queue_seconds);
  const AppendResult& prompt = result.prompt;
  if (!prompt.images.empty()) {
    impl_->preprocess.Observe(prompt.preprocess_seconds);
  }
  if (prompt.prefill_seconds > 0.0) {
    const auto read = static_cast<double>(prompt.ids.size()) - static_cast<double>(prompt.cached_tokens);
    impl_->prefill_rate.Observe(read / prompt.prefill_seconds);
  }
  for (const GenerateResult& answer : result.answers) {
    if (answer.decode_seconds > 0.0 && answer.tokens.size() > 1) {
      impl_->decode_rate.Observe(static_cast<double>(answer.tokens.size() - 1) / answer.decode_seconds);
    }
  }
}

std::string Metrics::text(const EngineStats& stats, const HttpCounts& http) {
  const std::lock_guard lock(impl_->scrape);
  Impl& m = *impl_;
  const auto number = [](std::int64_t value) { return static_cast<double>(value); };
  m.count("nolens_requests_finished_total", "Requests answered", number(stats.finished));
  m.count("nolens_requests_cancelled_total", "Requests whose client went away", number(stats.cancelled));
  m.count("nolens_requests_failed_total", "Requests that ended in an error", number(stats.failed));
  m.count("nolens_prompt_tokens_total", "Tokens of prompts computed", number(stats.prompt_tokens));
  m.count("nolens_prompt_cached_tokens_total", "Tokens of prompts kept from before", number(stats.cached_tokens));
  m.count("nolens_prompt_seconds_total", "Time spent reading prompts", stats.prefill_seconds);
  m.count("nolens_tokens_predicted_total", "Tokens written", number(stats.generated_tokens));
  m.count("nolens_tokens_predicted_seconds_total", "Time spent writing", stats.decode_seconds);
  m.count("nolens_decode_steps_total", "Steps that write, each for all answers", number(stats.decode_steps));
  m.count("nolens_images_total", "Pictures read", number(stats.images));
  m.count("nolens_image_tokens_total", "Tokens that pictures took", number(stats.image_tokens));
  m.count("nolens_images_downscaled_total", "Pictures larger than they were used", number(stats.images_downscaled));
  m.count("nolens_prefix_cache_evictions_total", "Beginnings dropped to make room", number(stats.cache_evictions));
  m.gauge("nolens_requests_processing", "Requests being answered", number(stats.running));
  m.gauge("nolens_requests_deferred", "Requests waiting for a place", number(stats.waiting));
  m.gauge("nolens_kv_bytes", "Keys and values of requests being answered", number(stats.kv_bytes));
  m.gauge("nolens_prefix_cache_bytes", "Keys and values kept for prompts to come", number(stats.cache_bytes));
  m.gauge("nolens_prefix_cache_entries", "Beginnings kept", number(stats.cache_entries));
  m.gauge("nolens_n_tokens_max", "Longest context so far", number(stats.longest_context));
  for (const auto& [status, answers] : http.requests) {
    m.count_answers(status, answers);
  }
  m.gauge("nolens_http_connections", "Open connections", static_cast<double>(http.connections));
  m.gauge("nolens_resident_memory_bytes", "Memory of this process", resident_bytes());
  // What llama.cpp's dashboards scrape.
  m.count("llamacpp:prompt_tokens_total", "Tokens of prompts computed", number(stats.prompt_tokens));
  m.count("llamacpp:prompt_seconds_total", "Time spent reading prompts", stats.prefill_seconds);
  m.count("llamacpp:tokens_predicted_total", "Tokens written", number(stats.generated_tokens));
  m.count("llamacpp:tokens_predicted_seconds_total", "Time spent writing", stats.decode_seconds);
  m.count("llamacpp:n_decode_total", "Steps that write", number(stats.decode_steps));
  m.gauge("llamacpp:requests_processing", "Requests being answered", number(stats.running));
  m.gauge("llamacpp:requests_deferred", "Requests waiting for a place", number(stats.waiting));
  m.gauge("llamacpp:n_tokens_max", "Longest context so far", number(stats.longest_context));
  return prometheus::TextSerializer().Serialize(m.registry.Collect());
}

}  // namespace nolens::serve
