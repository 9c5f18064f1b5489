#include "options.h"

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "nolens/error.h"

#include "core/escape.h"
#include "formats/json.h"
#include "platform/mapped_file.h"

namespace nolens::train {
namespace {

constexpr std::size_t kMaxConfigBytes = 1U << 20U;

void add_options(CLI::App& app, TrainOptions& o) {
  app.add_option("--model", o.model, "model directory: config, tokenizer, processor, weights")
      ->required();
  app.add_flag("--from-scratch", o.from_scratch, "start from new weights, not those of --model");
  app.add_option("--data", o.data, "training data, JSONL");
  app.add_option("--validation", o.validation, "validation data, JSONL");
  app.add_option("--out", o.out, "run folder")->required();

  app.add_option("--steps", o.schedule.steps, "optimizer steps")->check(CLI::PositiveNumber);
  app.add_option("--rate", o.schedule.peak, "peak learning rate")->check(CLI::PositiveNumber);
  app.add_option("--warmup", o.schedule.warmup, "steps")->check(CLI::NonNegativeNumber);
  app.add_option("--final-rate-share", o.schedule.final_share, "of the peak")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--weight-decay", o.optimizer.weight_decay, "on matrices")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--beta1", o.optimizer.beta1, "of AdamW")->check(CLI::Range(0.0, 0.9999));
  app.add_option("--beta2", o.optimizer.beta2, "of AdamW")->check(CLI::Range(0.0, 0.99999));
  app.add_option("--clip", o.optimizer.clip, "gradient norm, 0 = none")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--average", o.optimizer.average_decay, "decay of the average of the weights")
      ->check(CLI::Range(0.0, 0.99999));

  app.add_option("--batch", o.source.groups_per_step, "pictures per step, over all ranks")
      ->check(CLI::PositiveNumber);
  app.add_option("--branches", o.source.branches, "conversations per picture and step")
      ->check(CLI::PositiveNumber);
  app.add_option("--accumulation", o.accumulation, "parts of a step's batch")
      ->check(CLI::PositiveNumber);
  app.add_option("--seed", o.source.seed, "of weights, order and augmentation");
  app.add_option("--drawings-share", o.source.drawings_share, "own drawings in a batch")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--wide-share", o.source.wide_share, "drawings that vary more")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--free-share", o.source.free_share, "questions in own words")
      ->check(CLI::Range(0.0, 1.0));
  app.add_flag("--symmetries", o.source.augment.symmetries, "mirror and turn pictures");
  app.add_option("--max-shift", o.source.augment.max_shift, "pixels")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--gain", o.source.augment.gain, "brightness 1 +- gain")
      ->check(CLI::Range(0.0, 0.5));

  app.add_flag("--bf16", o.bf16, "bfloat16 operands in matrix products");
  app.add_option("--scaffold", o.scaffold_weight, "weight of the drawings' scaffold loss")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--contrastive", o.contrastive_weight, "weight of the contrastive loss")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--contrastive-kind", o.contrastive_kind, "sigmoid or softmax")
      ->check(CLI::IsMember({"sigmoid", "softmax"}));
  app.add_option("--helper-decay-from", o.helper_decay_from,
                 "share of the steps from which scaffold and contrastive weights fade to 0")
      ->check(CLI::Range(0.0, 1.0));

  app.add_option("--ranks", o.ranks, "processes on this machine")->check(CLI::Range(1, 64));
  app.add_option("--threads", o.threads, "threads per rank")->check(CLI::Range(1, 1024));
  app.add_option("--device", o.device, "cpu, or cuda with a LibTorch that has it")
      ->check(CLI::IsMember({"cpu", "cuda"}));
  app.add_option("--evaluate-every", o.evaluate_every, "steps, 0 = at the end")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--checkpoint-every", o.checkpoint_every, "steps, 0 = at the end")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--log-every", o.log_every, "steps")->check(CLI::PositiveNumber);
  app.add_option("--max-tokens", o.max_tokens, "of a sample")->check(CLI::PositiveNumber);
  app.add_option("--max-bad-share", o.max_bad_share, "of lines that may be unusable")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--max-bad-steps", o.max_bad_steps, "steps in a row without a finite loss")
      ->check(CLI::PositiveNumber);
  app.add_flag("--resume", o.resume, "go on from the newest checkpoint in --out");
  app.add_flag("--evaluate-only", o.evaluate_only, "no training: score --model on --validation");
  app.add_option("--evaluate-file", o.evaluate_file, "write the final scores as JSON");
}

/// The options of a JSON file as command-line words.
std::vector<std::string> words_of_config(const std::filesystem::path& file) {
  const Json config = parse_json(read_file(file, kMaxConfigBytes, ErrorCode::kUsage),
                                 file.filename().string(), ErrorCode::kUsage);
  if (!config.is_object()) {
    throw Error(ErrorCode::kUsage, file.string() + ": expected a JSON object of options");
  }
  std::vector<std::string> words;
  for (const auto& [key, value] : config.items()) {
    if (value.is_boolean()) {
      if (value.get<bool>()) {
        words.push_back("--" + key);
      }
    } else if (value.is_string()) {
      words.push_back("--" + key + "=" + value.get<std::string>());
    } else if (value.is_number()) {
      words.push_back("--" + key + "=" + value.dump());
    } else {
      throw Error(ErrorCode::kUsage, file.string() + ": '" + escape_for_message(key) +
                                         "' is neither text, number nor true/false");
    }
  }
  return words;
}

/// Replaces --config FILE by the file's options, in front, so that later words win.
std::vector<std::string> expand_config(int argc, const char* const* argv) {
  std::vector<std::string> words;
  std::vector<std::string> from_file;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    std::string file;
    if (word == "--config" && i + 1 < argc) {
      file = argv[++i];
    } else if (word.starts_with("--config=")) {
      file = word.substr(std::string_view("--config=").size());
    } else {
      words.emplace_back(word);
      continue;
    }
    const std::vector<std::string> more = words_of_config(file);
    from_file.insert(from_file.end(), more.begin(), more.end());
  }
  from_file.insert(from_file.end(), words.begin(), words.end());
  return from_file;
}

void check_together(const TrainOptions& o) {
  const auto fail = [](const std::string& sentence) { throw Error(ErrorCode::kUsage, sentence); };
  if (o.data.empty() && o.source.drawings_share <= 0.0 && !o.evaluate_only) {
    fail("there is nothing to train on: give --data FILE, --drawings-share, or both");
  }
  if (o.evaluate_only && (o.validation.empty() || o.from_scratch)) {
    fail("--evaluate-only needs --validation FILE and trained weights in --model");
  }
  if (o.source.groups_per_step % (o.accumulation * o.ranks) != 0) {
    fail("--batch " + std::to_string(o.source.groups_per_step) +
         " is not a multiple of --accumulation times --ranks (" +
         std::to_string(o.accumulation * o.ranks) + ")");
  }
  if (o.schedule.warmup > o.schedule.steps) {
    fail("--warmup is larger than --steps");
  }
}

}  // namespace

TrainOptions parse_options(int argc, const char* const* argv) {
  TrainOptions options;
  CLI::App app("Trains an encoder-free multimodal decoder from pictures and conversations.",
               "nolens-train");
  app.footer("--config FILE reads the same options from a JSON object; the command line wins.");
  app.option_defaults()
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)
      ->always_capture_default();
  add_options(app, options);
  std::vector<std::string> words = expand_config(argc, argv);
  std::reverse(words.begin(), words.end());  // CLI11 takes them from the back
  try {
    app.parse(words);
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
    std::exit(0);
  } catch (const CLI::ParseError& error) {
    throw Error(ErrorCode::kUsage,
                std::string(error.what()) + "; nolens-train --help lists the options");
  }
  check_together(options);
  return options;
}

}  // namespace nolens::train
