#include "checkpoint.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <span>
#include <unistd.h>
#include <utility>
#include <vector>

#include "nolens/error.h"

#include "core/escape.h"
#include "formats/safetensors_writer.h"
#include "formats/tensor_store.h"
#include "platform/atomic_file.h"
#include "platform/mapped_file.h"

namespace nolens::train {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPrefix = "step-";
constexpr const char* kTensorFile = "state.safetensors";
constexpr const char* kStateFile = "state.json";
constexpr std::int64_t kFormat = 1;
constexpr std::size_t kKept = 2;
constexpr std::size_t kMaxStateBytes = 1U << 20U;

/// Complete checkpoints, newest first.
std::vector<fs::path> complete_checkpoints(const fs::path& directory) {
  std::vector<fs::path> found;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename().string();
    const bool digits =
        name.find_first_not_of("0123456789", std::strlen(kPrefix)) == std::string::npos;
    if (name.starts_with(kPrefix) && name.size() > std::strlen(kPrefix) && digits) {
      found.push_back(entry.path());
    }
  }
  std::sort(found.rbegin(), found.rend());
  return found;
}

void sync_folder(const fs::path& folder) {
  const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool fine = descriptor >= 0 && fsync(descriptor) == 0;
  if (descriptor >= 0) {
    close(descriptor);
  }
  if (!fine) {
    throw Error(ErrorCode::kResource, "cannot write the folder '" +
                                          escape_for_message(folder.string()) + "' to the disk");
  }
}

std::string checkpoint_name(std::int64_t step) {
  const std::string digits = std::to_string(step);
  return kPrefix + std::string(8 - std::min<std::size_t>(8, digits.size()), '0') + digits;
}

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

/// Every tensor of the state with its name; they share storage with the parameter set and
/// optimizer.
NamedTensors state_tensors(const ParameterSet& parameters, const AdamW& optimizer) {
  NamedTensors tensors;
  for (std::size_t i = 0; i < parameters.specs().size(); ++i) {
    tensors.emplace_back(parameters.specs()[i].name, parameters.view(parameters.values(), i));
  }
  tensors.emplace_back("optimizer.first_moment", optimizer.first_moment());
  tensors.emplace_back("optimizer.second_moment", optimizer.second_moment());
  if (optimizer.has_average()) {
    tensors.emplace_back("optimizer.average", optimizer.average());
  }
  return tensors;
}

void write_tensors(const fs::path& file, const NamedTensors& tensors) {
  std::vector<TensorSpec> specs;
  for (const auto& [name, tensor] : tensors) {
    specs.push_back({name, DType::kF32, tensor.sizes().vec()});
  }
  SafetensorsWriter writer(file, std::move(specs));
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor host = tensor.detach().to(at::kCPU).contiguous();
    writer.append(
        std::as_bytes(std::span(host.data_ptr<float>(), static_cast<std::size_t>(host.numel()))));
  }
  writer.commit();
}

/// Checks all tensors before the first is copied, so that a broken file changes nothing.
void read_tensors(const fs::path& file, const NamedTensors& tensors) {
  const TensorStore store = TensorStore::open_file(file);
  for (const auto& [name, tensor] : tensors) {
    const TensorView* stored = store.find(name);
    if (stored == nullptr || stored->dtype != DType::kF32 ||
        stored->shape != tensor.sizes().vec()) {
      throw Error(ErrorCode::kModel, "tensor '" + name + "' is missing or has another shape");
    }
  }
  for (const auto& [name, tensor] : tensors) {
    const TensorView* stored = store.find(name);
    const at::Tensor host = at::empty(stored->shape, at::kFloat);
    std::memcpy(host.data_ptr(), stored->data, static_cast<std::size_t>(stored->bytes));
    at::Tensor(tensor).copy_(host);
  }
}

/// A member of state.json. \throws Error{kModel}
template <typename T>
T member(const Json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end() || !found->is_number()) {
    throw Error(ErrorCode::kModel, std::string(kStateFile) + ": '" + key + "' is no number");
  }
  return found->get<T>();
}

void check_fingerprint(const Json& json, const std::map<std::string, Json>& fingerprint,
                       const fs::path& folder) {
  const auto options = json.find("options");
  for (const auto& [name, value] : fingerprint) {
    if (options == json.end() || !options->is_object() || !options->contains(name)) {
      throw Error(ErrorCode::kModel,
                  std::string(kStateFile) + ": option '" + name + "' is missing");
    }
    if (options->at(name) != value) {
      throw Error(ErrorCode::kUsage,
                  "the run in '" + escape_for_message(folder.string()) + "' has --" + name + " " +
                      escape_for_message(options->at(name).dump()) + ", not " + value.dump() +
                      "; resume with the same options or choose another --out");
    }
  }
}

}  // namespace

CheckpointFolder::CheckpointFolder(fs::path directory, std::map<std::string, Json> fingerprint)
    : directory_(std::move(directory)), fingerprint_(std::move(fingerprint)) {}

bool CheckpointFolder::has_any() const {
  return !complete_checkpoints(directory_).empty();
}

void CheckpointFolder::save(const RunState& state, const ParameterSet& parameters,
                            const AdamW& optimizer) const {
  const fs::path target = directory_ / checkpoint_name(state.step);
  const fs::path temporary = directory_ / (checkpoint_name(state.step) + ".tmp");
  std::error_code error;
  fs::remove_all(temporary, error);
  fs::create_directories(temporary, error);
  if (error) {
    throw Error(ErrorCode::kResource, "cannot create the checkpoint folder '" +
                                          escape_for_message(temporary.string()) +
                                          "': " + error.message());
  }
  write_tensors(temporary / kTensorFile, state_tensors(parameters, optimizer));
  Json json = {{"format", kFormat},
               {"step", state.step},
               {"updates", optimizer.updates()},
               {"skipped_steps", state.skipped_steps},
               {"best_score", state.best_score},
               {"options", Json(fingerprint_)}};
  write_file_atomically(temporary / kStateFile, json.dump(2) + "\n");
  fs::remove_all(target, error);
  fs::rename(temporary, target, error);
  if (error) {
    throw Error(ErrorCode::kResource, "cannot name the checkpoint '" +
                                          escape_for_message(target.string()) +
                                          "': " + error.message());
  }
  sync_folder(directory_);
  const std::vector<fs::path> all = complete_checkpoints(directory_);
  for (std::size_t i = kKept; i < all.size(); ++i) {
    fs::remove_all(all[i], error);
  }
}

std::optional<RunState> CheckpointFolder::load(
    ParameterSet& parameters, AdamW& optimizer,
    const std::function<void(const std::string&)>& warn) const {
  const at::NoGradGuard no_gradients;
  const std::vector<fs::path> all = complete_checkpoints(directory_);
  for (const fs::path& folder : all) {
    try {
      const Json json =
          parse_json(read_file(folder / kStateFile, kMaxStateBytes, ErrorCode::kModel), kStateFile,
                     ErrorCode::kModel);
      if (!json.is_object() || member<std::int64_t>(json, "format") != kFormat) {
        throw Error(ErrorCode::kModel, std::string(kStateFile) + " has an unknown format");
      }
      check_fingerprint(json, fingerprint_, folder);
      RunState state;
      state.step = member<std::int64_t>(json, "step");
      state.skipped_steps = member<std::int64_t>(json, "skipped_steps");
      state.best_score = member<double>(json, "best_score");
      const auto updates = member<std::int64_t>(json, "updates");
      read_tensors(folder / kTensorFile, state_tensors(parameters, optimizer));
      optimizer.set_updates(updates);
      return state;
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kUsage) {
        throw;
      }
      warn("the checkpoint '" + escape_for_message(folder.string()) + "' cannot be used (" +
           error.what() + "); trying the one before it");
    }
  }
  if (!all.empty()) {
    throw Error(ErrorCode::kModel, "no checkpoint in '" + escape_for_message(directory_.string()) +
                                       "' can be read; start anew with another --out");
  }
  return std::nullopt;
}

}  // namespace nolens::train
