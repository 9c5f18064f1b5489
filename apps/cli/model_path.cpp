#include "model_path.h"

#include <system_error>

#include "nolens/error.h"

#include "terminal.h"

namespace nolens::cli {

namespace fs = std::filesystem;

fs::path program_folder() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  return error ? fs::path() : program.parent_path();
}

std::optional<fs::path> find_bundled(const std::string& relative) {
  const fs::path folder = program_folder();
  std::error_code error;
  for (const fs::path& root :
       {folder / "../share/nolens", fs::path(NOLENS_SOURCE_DIR), folder / "../.."}) {
    const fs::path path = (root / relative).lexically_normal();
    if (fs::exists(path, error)) {
      return path;
    }
  }
  return std::nullopt;
}

fs::path choose_model(const std::string& given) {
  if (!given.empty()) {
    return given;
  }
  const std::optional<fs::path> bundled = find_bundled("models/nolens-tiny");
  if (!bundled) {
    throw Error(ErrorCode::kModel,
                "the bundled demonstration model is not installed; name a model with --model DIR");
  }
  print_error(
      "note: no --model given; the bundled demonstration model answers, which knows coloured "
      "shapes "
      "only. Use --model DIR for real pictures.\n");
  return *bundled;
}

}  // namespace nolens::cli
