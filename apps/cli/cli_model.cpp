#include "cli_model.h"

namespace nolens::cli {

std::vector<CommandEntry> list_commands(CLI::App& app) {
  std::vector<CommandEntry> commands;
  for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) {
    CommandEntry entry{command->get_name(), command->get_description(), {}};
    for (const CLI::Option* option : command->get_options()) {
      OptionEntry row;
      for (const std::string& name : option->get_snames()) {
        row.names.push_back("-" + name);
      }
      for (const std::string& name : option->get_lnames()) {
        row.names.push_back("--" + name);
      }
      row.value = option->get_items_expected_max() > 0 ? option->get_type_name() : "";
      row.description = option->get_description();
      row.takes_path = row.value == "DIR" || row.value == "MODEL" || row.value == "FILE" ||
                       row.value == "X.npy" || row.names.empty();
      entry.options.push_back(std::move(row));
    }
    commands.push_back(std::move(entry));
  }
  return commands;
}

}  // namespace nolens::cli
