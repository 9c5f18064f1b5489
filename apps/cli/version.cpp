// nolens version
#include "commands.h"
#include "terminal.h"

namespace nolens::cli {

void add_version(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("version", "Show version and build");
  command->callback([&action] {
    action = [] {
      print(std::string("nolens ") + NOLENS_VERSION + "\ncompiler " + __VERSION__ + "\n");
      return 0;
    };
  });
}

}  // namespace nolens::cli
