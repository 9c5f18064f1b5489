// nolens man: the manual page, made from the option definitions.
#include "cli_model.h"
#include "commands.h"
#include "terminal.h"

namespace nolens::cli {
namespace {

/// Text for troff: minus signs stay minus signs, nothing becomes a request.
std::string roff(const std::string& text) {
  std::string result;
  for (const char letter : text) {
    if (letter == '-') {
      result += "\\-";
    } else if (letter == '\\') {
      result += "\\e";
    } else {
      result += letter;
    }
  }
  return result.starts_with('.') || result.starts_with('\'') ? "\\&" + result : result;
}

std::string option_rows(const CommandEntry& command) {
  std::string text;
  for (const OptionEntry& option : command.options) {
    text += ".TP\n";
    std::string names;
    for (const std::string& name : option.names) {
      names += (names.empty() ? "" : ", ") + ("\\fB" + roff(name) + "\\fR");
    }
    text += names;
    if (!option.value.empty()) {
      text += (names.empty() ? "" : " ") + ("\\fI" + roff(option.value) + "\\fR");
    }
    text += "\n" + roff(option.description) + "\n";
  }
  return text;
}

std::string man_page(const std::vector<CommandEntry>& commands) {
  std::string text = std::string(".TH NOLENS 1 \"\" \"nolens ") + NOLENS_VERSION + "\" \"\"\n";
  text +=
      ".SH NAME\nnolens \\- questions about text and pictures with encoder\\-free models\n"
      ".SH SYNOPSIS\n.B nolens\n.I COMMAND\n[\\fIOPTIONS\\fR]\n"
      ".SH DESCRIPTION\n"
      "stdout holds the answer only; progress, hints and errors go to stderr. Without "
      "\\fB\\-\\-model\\fR the bundled demonstration model answers, which knows coloured shapes "
      "only.\n"
      ".SH COMMANDS\n";
  for (const CommandEntry& command : commands) {
    text += ".SS nolens " + roff(command.name) + "\n" + roff(command.description) + ".\n";
    text += option_rows(command);
  }
  text +=
      ".SH EXIT STATUS\n"
      ".TP\n0\nsuccess\n.TP\n1\ninternal error, a bug\n.TP\n2\nwrong usage\n"
      ".TP\n3\nthe model, tokenizer or checkpoint is missing, broken or unknown\n"
      ".TP\n4\na picture, message or prompt is broken or does not fit\n"
      ".TP\n5\nmemory, disk or a limit\n.TP\n130, 143\ninterrupted\n"
      ".SH ENVIRONMENT\n"
      ".TP\nNOLENS_CPU\nforces an instruction set; \\fBnolens doctor\\fR lists those that run "
      "here\n"
      ".TP\nHF_TOKEN, HF_HOME, HF_HUB_CACHE, HF_ENDPOINT\nread by \\fBnolens pull\\fR and "
      "\\fB\\-\\-model\\fR as huggingface_hub reads them\n"
      ".TP\nNO_COLOR\nno colours on the terminal\n";
  return text;
}

}  // namespace

void add_man(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("man", "Print the manual page");
  command->callback([&app, &action] {
    action = [&app] {
      print(man_page(list_commands(app)));
      return 0;
    };
  });
}

}  // namespace nolens::cli
