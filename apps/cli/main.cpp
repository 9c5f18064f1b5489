// The program `nolens`: finds the command, runs it, turns errors into one line and an exit code.
#include <csignal>
#include <cstdio>
#include <exception>
#include <new>
#include <sstream>
#include <string>
#include <string_view>

#include "nolens/error.h"

#include "commands.h"
#include "interrupt.h"
#include "platform/standard_streams.h"
#include "platform/terminate.h"
#include "terminal.h"

namespace nolens::cli {
namespace {

void report(std::string message) {
  for (char& letter : message) {
    letter = letter == '\n' ? ' ' : letter;
  }
  while (message.ends_with(' ')) {
    message.pop_back();
  }
  print_error("error: " + message + "\n");
}

/// Help goes to stdout with code 0; anything else is a usage error.
int handle_parse_result(const CLI::App& app, const CLI::ParseError& error) {
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
    std::ostringstream help;
    const int code = app.exit(error, help, help);
    print(help.str());
    return code;
  }
  report(std::string(error.what()) + "; see nolens --help");
  return exit_code(ErrorCode::kUsage);
}

/// A better sentence than the parser's where the command is missing or unknown.
/// \throws Error{kUsage}
void check_command(CLI::App& app, int argc, char** argv) {
  std::string names;
  for (const CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) {
    if (argc > 1 && (*argv[1] == '-' || command->get_name() == argv[1])) {
      return;
    }
    names += (names.empty() ? "" : ", ") + command->get_name();
  }
  const std::string problem =
      argc > 1 ? "unknown command '" + std::string(argv[1]) + "'" : "a command is missing";
  throw Error(ErrorCode::kUsage, problem + "; expected one of " + names);
}

int interrupted_code() {
  return caught_signal() == SIGTERM ? 128 + SIGTERM : exit_code(ErrorCode::kInterrupted);
}

int run(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "train") {
    exec_train(argv + 2);
  }
  catch_signals();
  CLI::App app("Answers questions about text and pictures with encoder-free multimodal models.");
  app.name("nolens");
  app.get_formatter()->column_width(32);
  app.require_subcommand(1);
  Action action;
  for (const auto add : {add_ask, add_chat, add_serve, add_transcribe, add_info, add_tokenize, add_logits, add_conform,
                         add_pull, add_quantize, add_verify, add_synth, add_eval, add_bench, add_train, add_doctor, add_completion, add_man, add_version}) {
    add(app, action);
  }
  // Set last: commands inherit what stands here when they are added.
  app.footer("nolens COMMAND --help shows the options of a command.");
  check_command(app, argc, argv);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return handle_parse_result(app, error);
  }
  catch_signals();
  return action();
}

}  // namespace
}  // namespace nolens::cli

namespace {

constexpr const char* kNotEnoughMemory =
    "error: not enough memory; try a smaller --ctx or --image-tokens\n";

}  // namespace

int main(int argc, char** argv) {
  using nolens::ErrorCode;
  using nolens::exit_code;
  nolens::open_missing_standard_streams();
  nolens::report_memory_shortage_on_terminate(kNotEnoughMemory);
  try {
    return nolens::cli::run(argc, argv);
  } catch (const nolens::cli::OutputClosed&) {
    return 0;
  } catch (const nolens::Error& error) {
    if (error.code() == ErrorCode::kInterrupted) {
      return nolens::cli::interrupted_code();
    }
    nolens::cli::report(error.what());
    return exit_code(error.code());
  } catch (const std::bad_alloc&) {
    nolens::cli::print_error(kNotEnoughMemory);
    return exit_code(ErrorCode::kResource);
  } catch (const std::exception& error) {
    nolens::cli::report(std::string("internal error: ") + error.what() +
                        "; this is a bug, please report it");
    return exit_code(ErrorCode::kInternal);
  }
}
