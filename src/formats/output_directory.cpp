#include "formats/output_directory.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "platform/atomic_file.h"
#include "platform/list_folder.h"
#include "platform/quoted_path.h"

namespace nolens {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPurpose = "nolens synth";

/// Whether a run that was killed may have left a file of this name. config.json is not among them:
/// with it the model is whole, and somebody may use it.
bool may_be_left_over(const std::string& name) {
  return (name.starts_with("model") && name.ends_with(".safetensors")) ||
         (name.starts_with("mmproj") && name.ends_with(".gguf")) ||
         (name.starts_with(".") && name.ends_with(".tmp")) ||
         name == "model.safetensors.index.json" || name == "tokenizer.json" ||
         name == "tokenizer_config.json" || name == "generation_config.json" ||
         name == "processor_config.json";
}

}  // namespace

OutputDirectory::OutputDirectory(fs::path path, Unopened /*tag*/) : path_(std::move(path)) {}

// Delegates, so that the destructor cleans up when the body throws.
OutputDirectory::OutputDirectory(fs::path path) : OutputDirectory(std::move(path), Unopened{}) {
  make();
  lock_.emplace(path_, kPurpose);
  take_over();
  if (is_new_) {
    sync_folder(path_.has_parent_path() ? path_.parent_path() : fs::path("."));
  }
}

OutputDirectory::~OutputDirectory() {
  std::error_code ignored;
  for (const std::string& name : files_) {
    fs::remove(path_ / name, ignored);
  }
  lock_.reset();
  if (is_new_) {
    fs::remove(path_, ignored);
  }
}

fs::path OutputDirectory::add(const std::string& name) {
  files_.push_back(name);
  return path_ / name;
}

void OutputDirectory::keep() noexcept {
  files_.clear();
  is_new_ = false;
}

void OutputDirectory::make() {
  std::error_code error;
  const fs::file_status status = fs::status(path_, error);
  if (fs::is_directory(status)) {
    return;
  }
  if (fs::exists(status)) {
    throw Error(ErrorCode::kUsage, quoted_path(path_) + " is a file; name a new directory");
  }
  is_new_ = fs::create_directory(path_, error);
  if (error) {
    throw Error(write_error_code(error.value()),
                "cannot make the directory " + quoted_path(path_) + ": " + error.message());
  }
}

void OutputDirectory::take_over() {
  int error = 0;
  std::vector<std::string> found = list_folder(path_, error);
  if (error != 0) {
    throw Error(write_error_code(error),
                "cannot read the directory " + quoted_path(path_) + ": " + errno_text(error));
  }
  std::erase(found, FolderLock::kFileName);
  const bool is_left_over = lock_->abandoned_by() == kPurpose &&
                            std::all_of(found.begin(), found.end(), [](const fs::path& file) {
                              return may_be_left_over(file.filename().native());
                            });
  if (!found.empty() && !is_left_over) {
    throw Error(ErrorCode::kUsage,
                quoted_path(path_) + " is not empty; name a new directory, or empty it");
  }
  std::error_code ignored;
  for (const std::string& name : found) {
    fs::remove(path_ / name, ignored);
  }
}

}  // namespace nolens
