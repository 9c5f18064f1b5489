// A safetensors file whose quantised weights are put together, then a look at both ends of each.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "nolens/error.h"

#include "formats/bitsandbytes.h"
#include "formats/finite.h"
#include "formats/safetensors.h"
#include "kernels/reference/weight_value.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const std::byte> file = std::as_bytes(std::span(data, size));
  try {
    std::vector<nolens::TensorView> tensors;
    std::vector<nolens::RawTensor> raw;
    for (const auto& entry : nolens::parse_safetensors_header(file, "fuzz").tensors) {
      const std::byte* begin = file.data() + entry.begin;
      const std::int64_t bytes = entry.end - entry.begin;
      if (entry.usable) {
        tensors.push_back({entry.name, *entry.usable, entry.shape, begin, bytes, "fuzz"});
      } else {
        raw.push_back({entry.name, entry.dtype, entry.shape, begin, bytes, "fuzz"});
      }
    }
    const nolens::ScalesList scales = nolens::resolve_bitsandbytes(tensors, raw);
    for (const nolens::TensorView& tensor : tensors) {
      if (tensor.scales == nullptr) {
        continue;
      }
      static_cast<void>(nolens::find_nonfinite(tensor));
      const nolens::WeightMatrix w{tensor.data, tensor.dtype, tensor.shape[0], tensor.shape[1],
                                   tensor.scales};
      // Summed so that the reads stay.
      volatile float sum = nolens::weight_value(w, 0, 0);
      sum = sum + nolens::weight_value(w, w.rows - 1, w.cols - 1);
    }
  } catch (const nolens::Error&) {  // the only way to refuse a file
  }
  return 0;
}
