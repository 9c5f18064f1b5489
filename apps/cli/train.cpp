// nolens train: starts the separate program nolens-train, the only one that needs LibTorch.
#include <cerrno>
#include <filesystem>
#include <string>
#include <system_error>
#include <unistd.h>

#include "nolens/error.h"

#include "commands.h"
#include "files.h"
#include "model_path.h"

namespace nolens::cli {

void exec_train(char** arguments) {
  std::error_code error;
  const std::filesystem::path folder = program_folder();
  for (const std::filesystem::path& program :
       {folder / "nolens-train", folder / "train" / "nolens-train"}) {
    if (!std::filesystem::exists(program, error)) {
      continue;
    }
    // The element before the first argument is "train"; the new program finds its name there.
    std::string name = program.string();
    arguments[-1] = name.data();
    execv(name.c_str(), arguments - 1);
    throw Error(ErrorCode::kResource, quoted_path(program) + " cannot be started: " +
                                          std::generic_category().message(errno));
  }
  throw Error(
      ErrorCode::kUsage,
      "nolens-train was not built; configure with -DNOLENS_WITH_TORCH=ON (needs LibTorch) and "
      "build again");
}

void add_train(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "train", "Start nolens-train with all arguments that follow, if it was built");
  command->prefix_command();
  // main() hands over before the command line is parsed; this serves help and completion.
  command->callback([&action] { action = [] { return 0; }; });
}

}  // namespace nolens::cli
