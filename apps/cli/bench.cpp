// nolens bench: speed of a model as a share of what the machine can do, and beside other engines.
#include <algorithm>
#include <array>
#include <memory>

#include "nolens/error.h"

#include "bench_model.h"
#include "bench_output.h"
#include "bench_peers.h"
#include "bench_picture.h"
#include "commands.h"
#include "files.h"
#include "loading.h"
#include "options.h"
#include "platform/atomic_file.h"
#include "resident.h"
#include "roofline.h"
#include "terminal.h"

namespace nolens::cli {
namespace {

struct BenchOptions {
  ModelOptions model;
  std::vector<std::int64_t> prefill;
  std::int64_t decode = 32;
  std::vector<std::int64_t> contexts;
  std::string image;
  bool no_image = false;
  std::int64_t repeat = 3;
  bool json = false;
  bool csv = false;
  bool markdown = false;
  std::string svg;
  std::vector<std::string> peers;
};

constexpr std::array<std::int64_t, 4> kPrefill{64, 280, 512, 1024};
constexpr std::array<std::int64_t, 3> kContexts{0, 4096, 16384};
constexpr std::int64_t kMostTokens = std::int64_t{1} << 24U;
constexpr std::size_t kMaxImageBytes = std::size_t{256} << 20U;
constexpr double kGiga = 1e9;

/// The default tests that the model's context has room for; a note names the others.
std::vector<std::int64_t> fitting(const char* option, std::span<const std::int64_t> defaults,
                                  std::int64_t beyond, std::int64_t most) {
  std::vector<std::int64_t> fit;
  for (const std::int64_t tokens : defaults) {
    if (tokens + beyond <= most) {
      fit.push_back(tokens);
    } else {
      print_error("note: " + std::string(option) + " " + std::to_string(tokens) +
                  " is left out: the model's context holds " + std::to_string(most) + " tokens\n");
    }
  }
  return fit;
}

void read_image(const BenchOptions& options, const Model& model, BenchPlan& plan) {
  if (!model.config().vision.has_value()) {
    if (!options.image.empty()) {
      throw Error(ErrorCode::kInput,
                  "the model '" + model.config().name +
                      "' takes no pictures; leave --image out or choose a model that does");
    }
    return;
  }
  if (options.no_image) {
    return;
  }
  if (options.image.empty()) {
    plan.image = make_bench_picture();
    plan.image_name = "the made-up picture";
    return;
  }
  const std::string file = read_input_file(options.image, kMaxImageBytes);
  const auto bytes = std::as_bytes(std::span(file));
  plan.image.assign(bytes.begin(), bytes.end());
  plan.image_name = quoted_path(options.image);
}

BenchPlan make_plan(const BenchOptions& options, const Model& model) {
  const std::int64_t most = model.config().text.max_position_embeddings;
  BenchPlan plan;
  plan.decode = options.decode;
  plan.repeat = options.repeat;
  const std::int64_t decoded = options.decode * options.repeat;
  plan.prefill =
      options.prefill.empty() ? fitting("--prefill", kPrefill, 0, most) : options.prefill;
  plan.contexts =
      options.contexts.empty() ? fitting("--context", kContexts, decoded, most) : options.contexts;
  std::erase(plan.prefill, 0);
  if (longest_context(plan) > most) {
    throw Error(ErrorCode::kUsage, "the tests need a context of " +
                                       std::to_string(longest_context(plan)) +
                                       " tokens, but the model's holds " + std::to_string(most) +
                                       "; lower --prefill, --context, --decode or --repeat");
  }
  read_image(options, model, plan);
  return plan;
}

/// Everything that is printed or drawn.
struct Report {
  std::vector<BenchResult> ours;
  std::vector<std::vector<BenchResult>> peers;
  ComputeLimits limits;
  ReadBandwidth bandwidth;
};

std::string roofline_of(const Report& report) {
  Roofline roofline;
  roofline.title = report.ours.front().model + ", " + std::to_string(report.ours.front().threads) +
                   " threads, " + report.ours.front().kernels;
  for (const RooflineCeiling& ceiling : {RooflineCeiling{"int8", report.limits.int8_ops},
                                         RooflineCeiling{"bf16", report.limits.bf16_ops},
                                         RooflineCeiling{"fp32", report.limits.fp32_ops}}) {
    if (ceiling.ops_per_second > 0.0) {
      roofline.ceilings.push_back(ceiling);
    }
  }
  roofline.bytes_per_second = report.bandwidth.best;
  roofline.series.emplace_back("nolens");
  for (const std::vector<BenchResult>& peer : report.peers) {
    roofline.series.push_back(peer.empty() ? "peer" : peer.front().engine);
  }
  for (const BenchResult& own : report.ours) {
    if (!own.gop_per_second || !own.ops_per_byte || !own.tokens_per_second || own.stages) {
      continue;
    }
    const double ops = *own.gop_per_second * kGiga;
    roofline.points.push_back({test_name(own), *own.ops_per_byte, ops, 0});
    // A peer does the same products, whatever it reads for them.
    for (std::size_t i = 0; i < report.peers.size(); ++i) {
      for (const BenchResult& peer : report.peers[i]) {
        if (same_test(own, peer) && peer.tokens_per_second) {
          roofline.points.push_back({test_name(peer), *own.ops_per_byte,
                                     ops * *peer.tokens_per_second / *own.tokens_per_second,
                                     i + 1});
        }
      }
    }
  }
  return roofline_svg(roofline);
}

void print_report(const BenchOptions& options, const Report& report) {
  if (options.json) {
    OutputJson array = OutputJson::array();
    for (const BenchResult& result : report.ours) {
      array.push_back(result_json(result));
    }
    for (const std::vector<BenchResult>& peer : report.peers) {
      for (const BenchResult& result : peer) {
        array.push_back(result_json(result));
      }
    }
    print(json_line(array));
    return;
  }
  if (options.csv) {
    std::vector<BenchResult> all = report.ours;
    for (const std::vector<BenchResult>& peer : report.peers) {
      all.insert(all.end(), peer.begin(), peer.end());
    }
    print(results_table(all, TableStyle::kCsv));
    return;
  }
  const TableStyle style = options.markdown ? TableStyle::kMarkdown : TableStyle::kText;
  const BenchResult& first = report.ours.front();
  print(first.model + ", " + first.format + ", " + first.kernels + ", " +
        std::to_string(first.threads) + " threads\nmachine: " + limits_text(report.limits) +
        ", memory " + with_decimals(report.bandwidth.median / kGiga, 1) + " GB/s, best " +
        with_decimals(report.bandwidth.best / kGiga, 1) + "\n\n" +
        results_table(report.ours, style));
  if (!report.peers.empty()) {
    print("\n" + ratio_table(report.ours, report.peers, style));
  }
}

BenchResult load_result(const LoadedModel& loaded) {
  BenchResult result;
  result.test = "load";
  result.model = loaded.model->config().name;
  result.format = loaded.model->format();
  result.kernels = loaded.model->kernels_name();
  result.threads = loaded.model->num_threads();
  result.seconds_median = loaded.milliseconds / 1000.0;
  result.seconds_min = result.seconds_median;
  result.peak_rss_bytes = peak_resident_bytes();
  return result;
}

/// What this program takes part in a comparison with: one round, as JSON.
std::vector<std::string> own_arguments(const BenchOptions& options) {
  std::vector<std::string> arguments{"bench",     "--json",
                                     "--repeat",  "1",
                                     "--threads", std::to_string(options.model.threads),
                                     "--decode",  std::to_string(options.decode)};
  const auto add_list = [&arguments](const char* name, const std::vector<std::int64_t>& numbers) {
    for (const std::int64_t number : numbers) {
      arguments.emplace_back(name);
      arguments.push_back(std::to_string(number));
    }
  };
  add_list("--prefill", options.prefill);
  add_list("--context", options.contexts);
  const auto add_text = [&arguments](const char* name, const std::string& value) {
    if (!value.empty()) {
      arguments.emplace_back(name);
      arguments.push_back(value);
    }
  };
  add_text("--model", options.model.model);
  add_text("--mmproj", options.model.mmproj);
  add_text("--image", options.image);
  if (options.no_image) {
    arguments.emplace_back("--no-image");
  }
  if (options.model.affinity) {
    arguments.emplace_back("--affinity");
  }
  if (options.model.exact) {
    arguments.emplace_back("--exact");
  }
  add_text("--codebook", std::to_string(options.model.codebook_bits));
  return arguments;
}

void measure_alone(const BenchOptions& options, Report& report) {
  reset_peak_resident();
  const LoadedModel loaded = load_model(options.model);
  report.ours.push_back(load_result(loaded));
  const BenchPlan plan = make_plan(options, *loaded.model);
  report.limits = measure_compute_limits(loaded.model->num_threads());
  report.bandwidth = measure_read_bandwidth(loaded.model->num_threads());
  const std::vector<BenchResult> results = run_plan(loaded.model, plan, report.limits);
  report.ours.insert(report.ours.end(), results.begin(), results.end());
}

/// This process loads nothing: memory belongs to whoever's turn it is.
void measure_in_turns(const BenchOptions& options, Report& report) {
  report.limits = measure_compute_limits(options.model.threads);
  report.bandwidth = measure_read_bandwidth(options.model.threads);
  report.peers = run_in_turns({own_arguments(options), options.peers, options.repeat});
  report.ours = std::move(report.peers.front());
  report.peers.erase(report.peers.begin());
}

int run_bench(const BenchOptions& options) {
  const std::filesystem::path target(options.svg);
  if (!options.svg.empty() && target.extension() != ".svg") {
    throw Error(ErrorCode::kUsage,
                "--svg: expected a name that ends in .svg, found " + quoted_path(target));
  }
  Report report;
  if (options.peers.empty()) {
    measure_alone(options, report);
  } else {
    measure_in_turns(options, report);
  }
  if (!options.svg.empty()) {
    write_file_atomically(target, roofline_of(report));
  }
  print_report(options, report);
  return 0;
}

}  // namespace

void add_bench(CLI::App& app, Action& action) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App* command = app.add_subcommand(
      "bench", "Measure speed as a share of what this machine can do, beside other engines");
  add_model_options(*command, options->model);
  const auto whole = [command](const std::string& name, auto& target, const char* text,
                               std::int64_t low) {
    return command->add_option(name, target, text)
        ->check(CLI::Range(low, kMostTokens).description(""));
  };
  whole("--prefill", options->prefill, "Tokens of the prefill tests (64,280,512,1024); 0 = none", 0)
      ->delimiter(',')
      ->type_name("N,…");
  whole("--decode", options->decode, "Tokens of the decode tests (32); 0 = none", 0)
      ->type_name("N");
  whole("--context", options->contexts, "Tokens before the decode tests (0,4096,16384)", 0)
      ->delimiter(',')
      ->type_name("N,…");
  CLI::Option* image =
      command
          ->add_option("--image", options->image,
                       "Picture of the image test; default: a made-up one of 12 megapixels")
          ->type_name("FILE");
  command->add_flag("--no-image", options->no_image, "Leave the image test out")->excludes(image);
  command->add_option("--repeat", options->repeat, "Repeats of each test (3); the median counts")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1000}).description(""))
      ->type_name("N");
  CLI::Option* json = command->add_flag("--json", options->json, "Print a JSON array of results");
  CLI::Option* csv =
      command->add_flag("--csv", options->csv, "Print comma-separated values")->excludes(json);
  command->add_flag("--markdown", options->markdown, "Print Markdown tables")
      ->excludes(json)
      ->excludes(csv);
  command->add_option("--svg", options->svg, "Draw a roofline diagram")->type_name("FILE");
  command
      ->add_option("--peer", options->peers,
                   "Command that measures another engine and prints such results; run in turns "
                   "with nolens. May "
                   "be repeated")
      ->type_name("CMD")
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->callback([options, &action] { action = [options] { return run_bench(*options); }; });
}

}  // namespace nolens::cli
