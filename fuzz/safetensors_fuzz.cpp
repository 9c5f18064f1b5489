// safetensors header parsing, then a look at every byte that the header promises.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "nolens/error.h"

#include "formats/finite.h"
#include "formats/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const std::byte> file = std::as_bytes(std::span(data, size));
  try {
    for (const nolens::SafetensorsEntry& entry :
         nolens::parse_safetensors_header(file, "fuzz.safetensors").tensors) {
      if (entry.begin < 0 || entry.begin > entry.end ||
          entry.end > static_cast<std::int64_t>(size)) {
        std::abort();  // the one thing the parser promises
      }
      nolens::TensorView view;
      view.dtype = entry.usable.value_or(nolens::DType::kBf16);
      view.data = file.data() + entry.begin;
      view.bytes = entry.end - entry.begin;
      static_cast<void>(nolens::find_nonfinite(view));
    }
  } catch (const nolens::Error&) {  // the only way to refuse a file
  }
  return 0;
}
