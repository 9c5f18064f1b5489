// The command line as data, for completion and the manual page.
#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace nolens::cli {

struct OptionEntry {
  std::vector<std::string> names;  ///< "-m", "--model"; empty for a positional argument
  std::string value;               ///< "DIR"; empty for a flag
  std::string description;
  bool takes_path = false;  ///< the value is a file or folder
};

struct CommandEntry {
  std::string name;
  std::string description;
  std::vector<OptionEntry> options;
};

/// All commands with their options, in the order of the help.
std::vector<CommandEntry> list_commands(CLI::App& app);

}  // namespace nolens::cli
