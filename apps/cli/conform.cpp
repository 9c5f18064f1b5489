// nolens conform: compares the engine with a recorded run of the reference, stage by stage.
#include "nolens/conform.h"

#include <cmath>
#include <memory>

#include "nolens/error.h"

#include "commands.h"
#include "conform_output.h"
#include "loading.h"
#include "options.h"
#include "progress.h"
#include "terminal.h"

namespace nolens::cli {
namespace {

struct ConformCommand {
  ModelOptions model;
  MediaInputOptions media;
  std::string path;
  std::string reference;
  std::string mask_rule;
  ConformTolerances tolerances;
  bool isolate = false;
  bool report_only = false;
  bool json = false;
};

std::optional<MaskRule> rule_of(const std::string& name) {
  if (name.empty()) {
    return std::nullopt;
  }
  return name == "legacy"   ? MaskRule::kLegacy
         : name == "causal" ? MaskRule::kCausal
                            : MaskRule::kCanonical;
}

int run_conform(const ConformCommand& command) {
  ModelOptions model_options = command.model;
  if (!command.path.empty()) {
    model_options.model = command.path;
  }
  const LoadedModel loaded = load_model(model_options);
  ConformReport report;
  {
    Progress progress("comparing");
    report = conform(loaded.model, command.reference,
                     {.mask_rule = rule_of(command.mask_rule),
                      .isolate = command.isolate,
                      .tolerances = command.tolerances,
                      .media = command.media.media(),
                      .progress = progress.sink()});
  }
  const bool exact = command.model.exact;
  print(command.json ? json_line(conform_json(report, *loaded.model, exact))
                     : conform_text(report, *loaded.model, exact));
  std::string verdict = conform_verdict(report);
  if (verdict.empty() || command.report_only) {
    return 0;
  }
  if (report.dtype == SourceDtype::kFloat32 && !exact) {
    verdict += "; the reference was computed in float32, compare with --exact";
  }
  throw Error(ErrorCode::kInput, verdict);
}

void add_tolerances(CLI::App& command, ConformTolerances& tolerances) {
  const auto add = [&command](const std::string& name, std::optional<double>& target,
                              const char* text) {
    const CLI::Validator finite(
        [](std::string& value) {
          double number = 0.0;
          const bool fits =
              CLI::detail::lexical_cast(value, number) && std::isfinite(number) && number >= 0.0;
          return fits ? std::string() : "expected a number from 0 up, found " + value;
        },
        "");
    command.add_option("--tolerance-" + name, target, text)->check(finite)->type_name("X");
  };
  add("embeddings", tolerances.embeddings,
      "Largest difference of soft tokens and input embeddings");
  add("hidden", tolerances.hidden,
      "Largest difference of a hidden state, as a share of its largest value");
  add("logits", tolerances.logits, "Largest difference of a logit");
  add("cosine", tolerances.cosine, "Lowest cosine of a row, of every stage of floats");
  add("kl", tolerances.kl, "Mean Kullback-Leibler divergence of the logits, in nats");
  add("margin", tolerances.margin,
      "A greedy token may differ where the reference's best two logits are this close");
}

}  // namespace

void add_conform(CLI::App& app, Action& action) {
  auto options = std::make_shared<ConformCommand>();
  CLI::App* command = app.add_subcommand(
      "conform", "Compare with a recorded run of the reference implementation, stage by stage");
  command->add_option("path", options->path, "Directory of the model; the same as --model")
      ->type_name("MODEL");
  command
      ->add_option("-r,--reference", options->reference,
                   "Directory that tools/record_reference.py wrote")
      ->type_name("DIR")
      ->required();
  add_model_options(*command, options->model);
  add_media_options(*command, options->media);
  command
      ->add_option("--mask-rule", options->mask_rule,
                   "Which recorded rule to compare: canonical, legacy or causal; without it the "
                   "first of them that is recorded")
      ->check(CLI::IsMember({"canonical", "legacy", "causal"}).description(""))
      ->type_name("RULE");
  command->add_flag("--isolate", options->isolate,
                    "Also run each layer from the reference's own state before it");
  add_tolerances(*command, options->tolerances);
  command->add_flag("--report-only", options->report_only, "Exit with 0 whatever differs");
  command->add_flag("--json", options->json, "Print one JSON object");
  command->callback([options, &action] { action = [options] { return run_conform(*options); }; });
}

}  // namespace nolens::cli
