// A preset document, {"config": …, "processor_config": …, "generation_config": …}, or config.json
// alone. What is accepted must have tensors whose sizes can be added up.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "nolens/error.h"

#include "formats/config_reader.h"
#include "formats/json.h"
#include "formats/tensor_specs.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const nolens::Json document =
        nolens::parse_json(text, "fuzz.json", nolens::ErrorCode::kModel,
                           nolens::JsonLimits{.max_bytes = 1U << 20U, .max_depth = 32});
    const bool is_preset = document.is_object() && document.contains("config");
    const auto part = [&](const char* key) {
      return is_preset && document.contains(key) ? document.at(key) : nolens::Json();
    };
    const nolens::ModelConfig config =
        nolens::model_config_from_json(is_preset ? part("config") : document,
                                       part("generation_config"), part("processor_config"), "fuzz");
    if (nolens::count_parameters(nolens::tensor_specs(config)) <= 0) {
      std::abort();  // validate() promises sizes that do not overflow
    }
  } catch (const nolens::Error&) {  // the only way to refuse a document
  }
  return 0;
}
