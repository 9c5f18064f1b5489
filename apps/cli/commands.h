// The commands of the program. Each function defines one subcommand with its options and, once the
// command line is parsed, leaves what is to be done in `action`.
#pragma once

#include <functional>

#include <CLI/CLI.hpp>

namespace nolens::cli {

/// Runs the chosen command and returns the exit code. \throws Error and what else went wrong.
using Action = std::function<int()>;

void add_ask(CLI::App& app, Action& action);
void add_chat(CLI::App& app, Action& action);
void add_info(CLI::App& app, Action& action);
void add_tokenize(CLI::App& app, Action& action);
void add_logits(CLI::App& app, Action& action);
void add_pull(CLI::App& app, Action& action);
void add_quantize(CLI::App& app, Action& action);
void add_verify(CLI::App& app, Action& action);
void add_conform(CLI::App& app, Action& action);
void add_synth(CLI::App& app, Action& action);
void add_bench(CLI::App& app, Action& action);
void add_eval(CLI::App& app, Action& action);
void add_train(CLI::App& app, Action& action);
void add_transcribe(CLI::App& app, Action& action);
void add_serve(CLI::App& app, Action& action);
void add_doctor(CLI::App& app, Action& action);
void add_completion(CLI::App& app, Action& action);
void add_man(CLI::App& app, Action& action);
void add_version(CLI::App& app, Action& action);

/// Replaces this process by nolens-train; `arguments` are those after "train".
/// \throws Error{kUsage} if it was not built, Error{kResource} if it cannot be started.
[[noreturn]] void exec_train(char** arguments);

}  // namespace nolens::cli
