// A committed recording in memory, to be changed and written to a folder of the test's own.
#pragma once

#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/float16.h"
#include "formats/json.h"
#include "formats/safetensors_writer.h"
#include "formats/temporary_folder.h"
#include "formats/tensor_store.h"
#include "platform/mapped_file.h"
#include "support/tiny_model.h"

namespace nolens::testing {

inline std::filesystem::path golden_recording(const std::string& name) {
  return std::filesystem::path(NOLENS_SOURCE_DIR) / "tests" / "golden" / name;
}

struct RecordedTensor {
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};

/// Of tests/golden/<name>.
class Recording {
 public:
  explicit Recording(const std::string& name)
      : json(parse_json(
            read_file(golden_recording(name) / "case.json", 16U << 20U, ErrorCode::kInput),
            "case.json", ErrorCode::kInput)),
        source_(golden_recording(name)) {
    const TensorStore store = TensorStore::open_file(source_ / "expected.safetensors");
    for (const TensorView& view : store.tensors()) {
      RecordedTensor tensor{view.shape,
                            std::vector<float>(static_cast<std::size_t>(view.bytes) / 4)};
      std::memcpy(tensor.values.data(), view.data, static_cast<std::size_t>(view.bytes));
      tensors[view.name] = std::move(tensor);
    }
  }

  /// The model it was recorded with, float32 throughout.
  [[nodiscard]] std::shared_ptr<const Model> model() const {
    return Model::load(golden_recording(json.at("model").get<std::string>()),
                       {.num_threads = 2, .exact = true});
  }

  /// Writes `file` with the tensors of `names`, all if empty.
  void write_tensors(const std::filesystem::path& file, DType dtype = DType::kF32,
                     const std::vector<std::string>& names = {}) const {
    std::vector<TensorSpec> specs;
    for (const auto& [name, tensor] : tensors) {
      if (names.empty() || std::find(names.begin(), names.end(), name) != names.end()) {
        specs.push_back({name, dtype, tensor.shape});
      }
    }
    SafetensorsWriter writer(file, specs);
    for (const TensorSpec& spec : specs) {
      const std::vector<float>& values = tensors.at(spec.name).values;
      if (dtype == DType::kF32) {
        writer.append(std::as_bytes(std::span(values)));
        continue;
      }
      std::vector<std::uint16_t> bits;
      for (const float value : values) {
        bits.push_back(dtype == DType::kBf16 ? to_bf16(value).bits : to_f16(value).bits);
      }
      writer.append(std::as_bytes(std::span(bits)));
    }
    writer.commit();
  }

  /// Everything: case.json, expected.safetensors and the pictures.
  void write(const TemporaryFolder& folder, DType dtype = DType::kF32) const {
    write_case(folder);
    write_tensors(folder.path() / "expected.safetensors", dtype);
  }
  void write_case(const TemporaryFolder& folder) const {
    static_cast<void>(folder.add("case.json", json.dump()));
    for (const auto& entry : std::filesystem::directory_iterator(source_)) {
      if (entry.path().extension() == ".png") {
        std::filesystem::copy_file(entry.path(), folder.path() / entry.path().filename(),
                                   std::filesystem::copy_options::overwrite_existing);
      }
    }
  }

  Json json;
  std::map<std::string, RecordedTensor> tensors;

 private:
  std::filesystem::path source_;
};

}  // namespace nolens::testing
