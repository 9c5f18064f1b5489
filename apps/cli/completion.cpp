// nolens completion SHELL: a script made from the option definitions.
#include <memory>

#include "cli_model.h"
#include "commands.h"
#include "terminal.h"

namespace nolens::cli {
namespace {

/// Text between single quotes for a POSIX shell; `escape` replaces a quote inside.
std::string single_quoted(const std::string& text, const std::string& escape) {
  std::string result = "'";
  for (const char letter : text) {
    result += letter == '\'' ? escape : std::string(1, letter);
  }
  return result + "'";
}

std::string all_names(const CommandEntry& command) {
  std::string names;
  for (const OptionEntry& option : command.options) {
    for (const std::string& name : option.names) {
      names += (names.empty() ? "" : " ") + name;
    }
  }
  return names;
}

std::string bash_script(const std::vector<CommandEntry>& commands) {
  std::string names;
  std::string cases;
  for (const CommandEntry& command : commands) {
    names += (names.empty() ? "" : " ") + command.name;
    cases += "    " + command.name + ") options='" + all_names(command) + "' ;;\n";
  }
  return "# bash completion for nolens: source this file, or put it into /etc/bash_completion.d.\n"
         "_nolens() {\n"
         "  local current=${COMP_WORDS[COMP_CWORD]} options=''\n"
         "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
         "    COMPREPLY=($(compgen -W '" +
         names +
         "' -- \"$current\"))\n"
         "    return\n"
         "  fi\n"
         "  case ${COMP_WORDS[1]} in\n" +
         cases +
         "  esac\n"
         "  case $current in\n"
         "    -*) COMPREPLY=($(compgen -W \"$options\" -- \"$current\")) ;;\n"
         "    *) COMPREPLY=($(compgen -f -- \"$current\")) ;;\n"
         "  esac\n"
         "}\n"
         "complete -o filenames -F _nolens nolens\n";
}

/// Brackets and colons have a meaning in zsh's specifications.
std::string zsh_text(const std::string& text) {
  std::string result;
  for (const char letter : text) {
    if (letter == '[' || letter == ']' || letter == ':' || letter == '\\') {
      result += '\\';
    }
    result += letter;
  }
  return result;
}

std::string zsh_script(const std::vector<CommandEntry>& commands) {
  std::string descriptions;
  std::string cases;
  for (const CommandEntry& command : commands) {
    descriptions +=
        "    " +
        single_quoted(zsh_text(command.name) + ":" + zsh_text(command.description), "'\\''") + "\n";
    cases += "    " + command.name + ") _arguments";
    for (const OptionEntry& option : command.options) {
      for (const std::string& name : option.names) {
        std::string spec = name + "[" + zsh_text(option.description) + "]";
        if (!option.value.empty()) {
          spec += ":" + zsh_text(option.value) + ":" + (option.takes_path ? "_files" : "");
        }
        cases += " \\\n      " + single_quoted(spec, "'\\''");
      }
    }
    cases += " \\\n      '*:file:_files' ;;\n";
  }
  return "#compdef nolens\n"
         "# zsh completion for nolens: save as _nolens in a folder of $fpath.\n"
         "_nolens() {\n"
         "  local -a commands\n"
         "  commands=(\n" +
         descriptions +
         "  )\n"
         "  if (( CURRENT == 2 )); then\n"
         "    _describe command commands\n"
         "    return\n"
         "  fi\n"
         "  local command=$words[2]\n"
         "  shift words\n"
         "  (( CURRENT-- ))\n"
         "  case $command in\n" +
         cases +
         "  esac\n"
         "}\n"
         "_nolens \"$@\"\n";
}

std::string fish_script(const std::vector<CommandEntry>& commands) {
  std::string text =
      "# fish completion for nolens: save as ~/.config/fish/completions/nolens.fish.\n";
  for (const CommandEntry& command : commands) {
    text += "complete -c nolens -f -n __fish_use_subcommand -a " + command.name + " -d " +
            single_quoted(command.description, "\\'") + "\n";
  }
  for (const CommandEntry& command : commands) {
    for (const OptionEntry& option : command.options) {
      if (option.names.empty()) {
        continue;
      }
      text += "complete -c nolens -n '__fish_seen_subcommand_from " + command.name + "'";
      for (const std::string& name : option.names) {
        text += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      }
      text += option.value.empty() ? "" : option.takes_path ? " -r -F" : " -x";
      text += " -d " + single_quoted(option.description, "\\'") + "\n";
    }
  }
  return text;
}

}  // namespace

void add_completion(CLI::App& app, Action& action) {
  auto shell = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("completion", "Print a completion script for a shell");
  command->add_option("shell", *shell, "bash, zsh or fish")
      ->type_name("SHELL")
      ->check(CLI::IsMember({"bash", "zsh", "fish"}).description(""))
      ->required();
  command->callback([shell, &app, &action] {
    action = [shell, &app] {
      const std::vector<CommandEntry> commands = list_commands(app);
      print(*shell == "bash"  ? bash_script(commands)
            : *shell == "zsh" ? zsh_script(commands)
                              : fish_script(commands));
      return 0;
    };
  });
}

}  // namespace nolens::cli
