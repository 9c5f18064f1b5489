// nolens eval TASK: accuracy on a test set, or how well a text is predicted.
#include <chrono>
#include <cstdio>
#include <memory>
#include <numeric>

#include "nolens/error.h"

#include "commands.h"
#include "divergence.h"
#include "easy_vqa.h"
#include "files.h"
#include "json_output.h"
#include "loading.h"
#include "model_path.h"
#include "options.h"
#include "perplexity.h"
#include "progress.h"
#include "terminal.h"

namespace nolens::cli {
namespace {

struct EvalOptions {
  ModelOptions model;
  ContextOptions context;
  std::string task;
  std::string data;
  std::string text;
  std::string reference;
  std::int64_t limit = 0;
  bool blank = false;
  bool json = false;
};

constexpr const char* kEasyVqa = "easy-vqa";
constexpr const char* kPerplexity = "perplexity";
constexpr const char* kDivergence = "divergence";
constexpr std::size_t kMaxTextBytes = std::size_t{64} << 20U;

constexpr std::array<const char*, kNumAnswerKinds> kKindNames = {"yes/no", "shape", "color"};

struct Totals {
  std::int64_t asked = 0;
  std::int64_t right = 0;
};

Totals totals_of(const EasyVqaScore& score) {
  return {std::accumulate(score.asked.begin(), score.asked.end(), std::int64_t{0}),
          std::accumulate(score.right.begin(), score.right.end(), std::int64_t{0})};
}

double share(std::int64_t right, std::int64_t asked) {
  return static_cast<double>(right) / static_cast<double>(asked);
}

OutputJson score_json(const EasyVqaScore& score, double seconds) {
  const Totals totals = totals_of(score);
  OutputJson by_type;
  for (std::size_t kind = 0; kind < kNumAnswerKinds; ++kind) {
    // A kind nobody asked for has no accuracy.
    by_type[kKindNames[kind]] = score.asked[kind] > 0
                                    ? OutputJson(share(score.right[kind], score.asked[kind]))
                                    : OutputJson(nullptr);
  }
  return {{"task", kEasyVqa},
          {"n", totals.asked},
          {"accuracy", share(totals.right, totals.asked)},
          {"by_type", by_type},
          {"seconds", seconds}};
}

std::string score_text(const EasyVqaScore& score, double seconds) {
  std::string text;
  const auto row = [&text](const char* name, std::int64_t right, std::int64_t asked) {
    std::array<char, 96> line{};
    std::snprintf(line.data(), line.size(), "%-9s %6.2f %%  (%lld of %lld)\n", name,
                  asked > 0 ? 100.0 * share(right, asked) : 0.0, static_cast<long long>(right),
                  static_cast<long long>(asked));
    text += line.data();
  };
  for (std::size_t kind = 0; kind < kNumAnswerKinds; ++kind) {
    row(kKindNames[kind], score.right[kind], score.asked[kind]);
  }
  const Totals totals = totals_of(score);
  row("all", totals.right, totals.asked);
  std::array<char, 48> line{};
  std::snprintf(line.data(), line.size(), "%.1f seconds\n", seconds);
  return text + line.data();
}

std::int64_t window_of(const EvalOptions& options) {
  return options.context.ctx != 0 ? options.context.ctx : kDefaultWindow;
}

std::string text_of(const EvalOptions& options) {
  if (options.text.empty()) {
    throw Error(ErrorCode::kUsage, "eval " + options.task + " needs a text: --text FILE");
  }
  return options.text == "-" ? read_stdin(kMaxTextBytes)
                             : read_input_file(options.text, kMaxTextBytes);
}

int run_divergence(const EvalOptions& options) {
  const std::string text = text_of(options);
  const LoadedModel loaded = load_model(options.model);
  ModelOptions exact = options.model;
  exact.exact = true;
  if (!options.reference.empty()) {
    exact.model = options.reference;
  }
  const LoadedModel reference = load_model(exact);
  const auto start = std::chrono::steady_clock::now();
  Divergence result;
  {
    Progress progress("comparing");
    result = measure_divergence({loaded.model, kv_cache_type(options.context.kv_cache)},
                                {reference.model}, text, window_of(options), progress.sink());
  }
  const double seconds = milliseconds_since(start) / 1000.0;
  if (options.json) {
    print(json_line({{"task", kDivergence},
                     {"mean_kl", result.mean_kl},
                     {"max_kl", result.max_kl},
                     {"top1_agreement", result.top1_agreement},
                     {"perplexity", result.perplexity},
                     {"reference_perplexity", result.reference_perplexity},
                     {"predicted_tokens", result.predicted},
                     {"window", window_of(options)},
                     {"seconds", seconds}}));
    return 0;
  }
  std::array<char, 256> line{};
  std::snprintf(line.data(), line.size(),
                "mean KL %.6f nats, largest %.4f, same best token %.2f %%\n"
                "perplexity %.4f, reference %.4f  (%lld tokens in windows of %lld)\n%.1f seconds\n",
                result.mean_kl, result.max_kl, 100.0 * result.top1_agreement, result.perplexity,
                result.reference_perplexity, static_cast<long long>(result.predicted),
                static_cast<long long>(window_of(options)), seconds);
  print(line.data());
  return 0;
}

int run_perplexity(const EvalOptions& options) {
  const std::int64_t window = window_of(options);
  const std::string text = text_of(options);
  const LoadedModel loaded = load_model(options.model);
  const auto start = std::chrono::steady_clock::now();
  Perplexity result;
  {
    Progress progress("reading");
    result = measure_perplexity({loaded.model, kv_cache_type(options.context.kv_cache)}, text,
                                window, progress.sink());
  }
  const double seconds = milliseconds_since(start) / 1000.0;
  if (options.json) {
    print(json_line({{"task", kPerplexity},
                     {"perplexity", result.value()},
                     {"negative_log_likelihood", result.negative_log_likelihood},
                     {"predicted_tokens", result.predicted},
                     {"tokens", result.tokens},
                     {"windows", result.windows},
                     {"window", window},
                     {"seconds", seconds}}));
    return 0;
  }
  std::array<char, 160> line{};
  std::snprintf(line.data(), line.size(),
                "perplexity %.4f  (%lld tokens predicted in %lld windows of %lld)\n%.1f seconds\n",
                result.value(), static_cast<long long>(result.predicted),
                static_cast<long long>(result.windows), static_cast<long long>(window), seconds);
  print(line.data());
  return 0;
}

int run_easy_vqa_task(const EvalOptions& options) {
  EasyVqaOptions task;
  task.limit = options.limit;
  task.blank = options.blank;
  task.session = options.context.session();
  task.data = options.data;
  if (options.data.empty()) {
    const auto bundled = find_bundled("data/easy-vqa-test");
    if (!bundled) {
      throw Error(ErrorCode::kInput,
                  "the bundled easy-VQA test is not installed; name its folder with --data DIR");
    }
    task.data = *bundled;
  }
  const LoadedModel loaded = load_model(options.model);
  const auto start = std::chrono::steady_clock::now();
  EasyVqaScore score;
  {
    Progress progress("asking");
    score = run_easy_vqa(loaded.model, task, progress.sink());
  }
  const double seconds = milliseconds_since(start) / 1000.0;
  print(options.json ? json_line(score_json(score, seconds)) : score_text(score, seconds));
  return 0;
}

}  // namespace

void add_eval(CLI::App& app, Action& action) {
  auto options = std::make_shared<EvalOptions>();
  CLI::App* command =
      app.add_subcommand("eval", "Measure the accuracy on a test set or the perplexity of a text");
  command->add_option("task", options->task, "easy-vqa, perplexity or divergence")
      ->type_name("TASK")
      ->check(CLI::IsMember({kEasyVqa, kPerplexity, kDivergence}).description(""))
      ->required();
  add_model_options(*command, options->model);
  add_context_options(*command, options->context);
  command->add_option("--data", options->data, "Folder of the test set; default: the bundled one")
      ->type_name("DIR");
  command
      ->add_option(
          "--text", options->text,
          "perplexity, divergence: the text, UTF-8; - is stdin. --ctx sets the window, 512 if not given")
      ->type_name("FILE");
  command
      ->add_option("--reference", options->reference,
                   "divergence: the model to compare with, computed in float32; default: the same model")
      ->type_name("PATH");
  command->add_option("--limit", options->limit, "Only the first N questions; 0 = all")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1} << 31U).description(""))
      ->type_name("N");
  command->add_flag("--blank", options->blank,
                    "Replace every picture by a flat one: what is known without looking");
  command->add_flag("--json", options->json, "Print one JSON object");
  command->callback([options, &action] {
    action = [options] {
      if (options->task == kPerplexity) {
        return run_perplexity(*options);
      }
      return options->task == kDivergence ? run_divergence(*options) : run_easy_vqa_task(*options);
    };
  });
}

}  // namespace nolens::cli
