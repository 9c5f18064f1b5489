#include "model_path.h"

#include <system_error>

#include "nolens/error.h"
#include "nolens/hub.h"

#include "files.h"
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

namespace {

/// A path stays a path; ORG/NAME[:FILE] that is no path means what 'nolens pull' has put into the
/// cache. Nothing is downloaded here.
fs::path resolve_model(const std::string& given) {
  std::error_code error;
  const auto name = parse_hub_name(given);
  if (!name || fs::exists(given, error)) {
    return given;
  }
  if (const auto cached = find_in_hub_cache(HubSettings::from_environment(), *name)) {
    return *cached;
  }
  if (name->repo.find('/') == std::string::npos) {
    return given;  // more likely a folder that is not there
  }
  throw Error(ErrorCode::kModel, quoted_path(given) +
                                     ": there is no such file or folder, and no such model in the "
                                     "cache; to download it, run nolens pull " +
                                     given);
}

}  // namespace

fs::path choose_model(const std::string& given) {
  if (!given.empty()) {
    return resolve_model(given);
  }
  const std::optional<fs::path> bundled = find_bundled("models/nolens-tiny");
  if (!bundled) {
    throw Error(
        ErrorCode::kModel,
        "the bundled demonstration model is not installed; name a model with --model MODEL");
  }
  print_error(
      "note: no --model given; the bundled demonstration model answers, which knows coloured "
      "shapes "
      "only. Use --model MODEL for real pictures.\n");
  return *bundled;
}

}  // namespace nolens::cli
