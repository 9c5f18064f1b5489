#include "checkpoint.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "nolens/error.h"

#include "checksum.h"
#include "core/escape.h"
#include "formats/safetensors_writer.h"
#include "formats/tensor_store.h"
#include "platform/atomic_file.h"
#include "platform/list_folder.h"
#include "platform/mapped_file.h"

namespace nolens::train {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "step-";
constexpr const char* kTensorFile = "state.safetensors";
constexpr const char* kStateFile = "state.json";
constexpr const char* kUnfinished = ".tmp";
constexpr std::int64_t kFormat = 2;
constexpr std::size_t kKept = 2;
constexpr std::size_t kMaxStateBytes = 1U << 20U;

struct Checkpoint {
  std::int64_t step = 0;
  fs::path folder;
};

/// Complete checkpoints, newest first: by their step, since clocks and names of other lengths lie.
std::vector<Checkpoint> complete_checkpoints(const fs::path& directory) {
  std::vector<Checkpoint> found;
  int ignored = 0;
  for (const std::string& name : list_folder(directory, ignored)) {
    Checkpoint checkpoint{0, directory / name};
    const char* const end_of_name = name.data() + name.size();
    if (name.starts_with(kPrefix) && name.size() > kPrefix.size()) {
      const auto parsed =
          std::from_chars(name.data() + kPrefix.size(), end_of_name, checkpoint.step);
      if (parsed.ec == std::errc() && parsed.ptr == end_of_name && checkpoint.step >= 0) {
        found.push_back(checkpoint);
      }
    }
  }
  std::sort(found.begin(), found.end(),
            [](const Checkpoint& a, const Checkpoint& b) { return a.step > b.step; });
  return found;
}

/// A checkpoint loses its name, durably, before its files, so that a removal that is cut short
/// leaves no half of one behind.
void remove_checkpoint(const fs::path& folder) {
  const fs::path unnamed = fs::path(folder) += std::string(".old") + kUnfinished;
  std::error_code error;
  fs::rename(folder, unnamed, error);
  if (!error) {
    sync_folder(folder.parent_path());
    fs::remove_all(unnamed, error);
  }
}

/// What a killed run left while it wrote or removed a checkpoint.
void remove_unfinished(const fs::path& directory) {
  int ignored = 0;
  std::error_code error;
  for (const std::string& name : list_folder(directory, ignored)) {
    if (name.starts_with(kPrefix) && name.ends_with(kUnfinished)) {
      fs::remove_all(directory / name, error);
    }
  }
}

std::string checkpoint_name(std::int64_t step) {
  const std::string digits = std::to_string(step);
  return std::string(kPrefix) + std::string(8 - std::min<std::size_t>(8, digits.size()), '0') +
         digits;
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

/// Returns the checksum of names and values.
std::string write_tensors(const fs::path& file, const NamedTensors& tensors) {
  std::vector<TensorSpec> specs;
  for (const auto& [name, tensor] : tensors) {
    specs.push_back({name, DType::kF32, tensor.sizes().vec()});
  }
  SafetensorsWriter writer(file, std::move(specs));
  Checksum checksum;
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor host = tensor.detach().to(at::kCPU).contiguous();
    const auto bytes =
        std::as_bytes(std::span(host.data_ptr<float>(), static_cast<std::size_t>(host.numel())));
    checksum.add(name);
    checksum.add(bytes);
    writer.append(bytes);
  }
  writer.commit();
  return checksum.text();
}

/// Checks all tensors before the first is copied, so that a broken file changes nothing.
void read_tensors(const fs::path& file, const std::string& expected_checksum,
                  const NamedTensors& tensors) {
  const TensorStore store = TensorStore::open_file(file);
  Checksum checksum;
  for (const auto& [name, tensor] : tensors) {
    const TensorView* stored = store.find(name);
    if (stored == nullptr || stored->dtype != DType::kF32 ||
        stored->shape != tensor.sizes().vec()) {
      throw Error(ErrorCode::kModel, "tensor '" + name + "' is missing or has another shape");
    }
    checksum.add(name);
    checksum.add(std::span(stored->data, static_cast<std::size_t>(stored->bytes)));
  }
  if (checksum.text() != expected_checksum) {
    throw Error(
        ErrorCode::kModel,
        std::string(kTensorFile) + " is damaged: its checksum is not the one it was written with");
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

std::string checksum_of(const Json& state) {
  Checksum checksum;
  checksum.add(state.dump());
  return checksum.text();
}

/// The member 'state' of state.json. \throws Error{kModel} if it is not as it was written
Json read_state(const fs::path& folder) {
  Json json = parse_json(read_file(folder / kStateFile, kMaxStateBytes, ErrorCode::kModel),
                         kStateFile, ErrorCode::kModel);
  if (!json.is_object() || member<std::int64_t>(json, "format") != kFormat) {
    throw Error(ErrorCode::kModel, std::string(kStateFile) + " has an unknown format");
  }
  if (!json["state"].is_object() || json["checksum"] != checksum_of(json["state"])) {
    throw Error(
        ErrorCode::kModel,
        std::string(kStateFile) + " is damaged: its checksum is not the one it was written with");
  }
  return std::move(json["state"]);
}

/// \throws Error{kUsage} that lists every option with another value.
void check_fingerprint(const Json& json, const std::map<std::string, Json>& fingerprint,
                       const fs::path& folder) {
  const auto options = json.find("options");
  std::string differences;
  for (const auto& [name, value] : fingerprint) {
    if (options == json.end() || !options->is_object() || !options->contains(name)) {
      throw Error(ErrorCode::kModel,
                  std::string(kStateFile) + ": option '" + name + "' is missing");
    }
    if (options->at(name) != value) {
      differences += (differences.empty() ? "--" : ", --") + name + " " +
                     escape_for_message(options->at(name).dump()) + ", not " + value.dump();
    }
  }
  if (!differences.empty()) {
    throw Error(ErrorCode::kUsage, "the run in '" + escape_for_message(folder.string()) + "' has " +
                                       differences +
                                       "; resume with the same options or choose another --out");
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
  const fs::path temporary = fs::path(target) += kUnfinished;
  remove_unfinished(directory_);
  create_folders(temporary);
  const std::string tensors =
      write_tensors(temporary / kTensorFile, state_tensors(parameters, optimizer));
  const Json body = {{"step", state.step},
                     {"updates", optimizer.updates()},
                     {"skipped_steps", state.skipped_steps},
                     {"best_score", state.best_score},
                     {"tensors", tensors},
                     {"options", Json(fingerprint_)}};
  const Json json = {{"format", kFormat}, {"state", body}, {"checksum", checksum_of(body)}};
  write_file_atomically(temporary / kStateFile, json.dump(2) + "\n");
  std::error_code error;
  if (fs::exists(target, error)) {
    // Of the same step: one that could not be read, or the run would not be at this step again.
    remove_checkpoint(target);
  }
  fs::rename(temporary, target, error);
  if (error) {
    throw Error(ErrorCode::kResource, "cannot name the checkpoint '" +
                                          escape_for_message(target.string()) +
                                          "': " + error.message());
  }
  sync_folder(directory_);
  // Later ones could not be read when this run began and say nothing about what can be read now.
  std::size_t kept = 0;
  for (const Checkpoint& checkpoint : complete_checkpoints(directory_)) {
    if (checkpoint.step <= state.step && ++kept > kKept) {
      remove_checkpoint(checkpoint.folder);
    }
  }
}

std::optional<RunState> CheckpointFolder::load(
    ParameterSet& parameters, AdamW& optimizer,
    const std::function<void(const std::string&)>& warn) const {
  const at::NoGradGuard no_gradients;
  const std::vector<Checkpoint> all = complete_checkpoints(directory_);
  for (const auto& [step, folder] : all) {
    try {
      const Json json = read_state(folder);
      check_fingerprint(json, fingerprint_, folder);
      RunState state;
      state.step = member<std::int64_t>(json, "step");
      state.skipped_steps = member<std::int64_t>(json, "skipped_steps");
      state.best_score = member<double>(json, "best_score");
      const auto updates = member<std::int64_t>(json, "updates");
      read_tensors(folder / kTensorFile, json.value("tensors", std::string()),
                   state_tensors(parameters, optimizer));
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
