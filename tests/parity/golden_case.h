// Reads a case of tests/golden: case.json, expected.safetensors and the model it names.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "formats/json.h"
#include "formats/tensor_store.h"
#include "nolens/model.h"
#include "platform/mapped_file.h"

namespace nolens::testing {

inline std::filesystem::path golden_directory() {
  return std::filesystem::path(NOLENS_SOURCE_DIR) / "tests" / "golden";
}

class GoldenCase {
 public:
  explicit GoldenCase(const std::string& name)
      : folder(golden_directory() / name),
        json(parse_json(read_file(folder / "case.json", 16U << 20U, ErrorCode::kInput), "case.json",
                        ErrorCode::kInput)),
        expected_(TensorStore::open_file(folder / "expected.safetensors")) {}

  /// The model of the case; two threads, float32 throughout.
  [[nodiscard]] std::shared_ptr<const Model> load_model() const {
    return Model::load(golden_directory() / json.at("model").get<std::string>(),
                       {.num_threads = 2, .exact = true});
  }
  [[nodiscard]] bool has(const std::string& name) const { return expected_.find(name) != nullptr; }
  /// A recorded tensor, flat.
  [[nodiscard]] std::vector<float> tensor(const std::string& name) const {
    const TensorView* view = expected_.find(name);
    if (view == nullptr || view->dtype != DType::kF32) {
      ADD_FAILURE() << folder << " has no float32 tensor " << name;
      return {};
    }
    std::vector<float> values(static_cast<std::size_t>(view->bytes) / sizeof(float));
    std::memcpy(values.data(), view->data, values.size() * sizeof(float));
    return values;
  }
  [[nodiscard]] Prompt prompt() const {
    return render_chat(parse_messages(json.at("messages").dump(), folder), {});
  }
  [[nodiscard]] std::vector<TokenId> ids(const char* field) const {
    return json.at(field).get<std::vector<TokenId>>();
  }

  std::filesystem::path folder;
  Json json;

 private:
  TensorStore expected_;
};

/// Largest absolute difference; infinite if the sizes differ or a value is NaN.
inline float max_difference(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size()) {
    return INFINITY;
  }
  float largest = 0.0F;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const float difference = std::fabs(a[i] - b[i]);
    largest = difference <= largest ? largest : difference;
    if (std::isnan(difference)) {
      return INFINITY;
    }
  }
  return largest;
}

}  // namespace nolens::testing
