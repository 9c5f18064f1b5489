// nolens synth: a model with random weights and true shapes.
#include <memory>

#include "nolens/error.h"
#include "nolens/synthesize.h"

#include "commands.h"
#include "files.h"
#include "progress.h"
#include "terminal.h"

namespace nolens::cli {
namespace {

struct SynthOptions {
  SynthesizeOptions synthesize;
  std::string out;
  bool list = false;
};

int run_synth(const SynthOptions& options) {
  if (options.list) {
    for (const std::string& name : preset_names()) {
      print(name + "\n");
    }
    return 0;
  }
  if (options.synthesize.preset.empty() || options.out.empty()) {
    throw Error(ErrorCode::kUsage, "synth needs --preset and --out; --list shows the presets");
  }
  SynthesizeOptions synthesize = options.synthesize;
  synthesize.out = options.out;
  {
    Progress progress("writing");
    synthesize.progress = progress.sink();
    synthesize_model(synthesize);
  }
  print_error(quoted_path(options.out) + " is written\n");
  return 0;
}

}  // namespace

void add_synth(CLI::App& app, Action& action) {
  auto options = std::make_shared<SynthOptions>();
  SynthesizeOptions& synthesize = options->synthesize;
  CLI::App* command =
      app.add_subcommand("synth", "Write a model with random weights and the shape of a preset");
  const auto count = CLI::Range(std::int64_t{0}, std::int64_t{1} << 31U).description("");
  command->add_option("--preset", synthesize.preset, "Name of a preset, or a JSON file")
      ->type_name("PRESET");
  command->add_option("--layers", synthesize.num_layers, "Layers; 0 = the preset's")
      ->check(count)
      ->type_name("N");
  command->add_option("--vocab", synthesize.vocab_size, "Vocabulary; 0 = the preset's")
      ->check(count)
      ->type_name("N");
  command->add_option("--dtype", synthesize.dtype, "float32, float16 or bfloat16")
      ->check(CLI::IsMember({"float32", "float16", "bfloat16"}).description(""))
      ->type_name("TYPE");
  command->add_option("--format", synthesize.format, "safetensors, or gguf as llama.cpp reads it")
      ->check(CLI::IsMember({"safetensors", "gguf"}).description(""))
      ->type_name("FORMAT");
  command
      ->add_option("--type", synthesize.type,
                   "GGUF: type of the matrices: f32, f16, bf16, q8_0, q4_0, q4_1, q5_0, q5_1, q6_k or iq4_nl")
      ->type_name("TYPE");
  command->add_option("--seed", synthesize.seed, "Seed of the random weights")->type_name("N");
  command->add_option("-o,--out", options->out, "Directory to write; must be new or empty")
      ->type_name("DIR");
  command->add_flag("--list", options->list, "List the presets");
  command->callback([options, &action] { action = [options] { return run_synth(*options); }; });
}

}  // namespace nolens::cli
