// A .nolens file: everything that loading reads of it, then a look at both ends of each weight.
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "nolens/error.h"

#include "core/aligned_buffer.h"
#include "formats/checksum.h"
#include "formats/nolens_file.h"
#include "kernels/reference/panel_value.h"
#include "kernels/reference/weight_value.h"

namespace {

/// Makes the checksum of the header true, which otherwise no change of the input would get past.
void correct_checksum(std::span<std::byte> file) {
  constexpr std::size_t kSum = 8;
  nolens::SafetensorsHeader header = nolens::parse_safetensors_header(file, "fuzz");
  if (header.tensors.empty()) {
    return;
  }
  const auto data = static_cast<std::size_t>(header.tensors.front().begin);
  const auto sums = static_cast<std::size_t>(header.tensors.back().begin);
  if (file.size() < sums + kSum) {
    return;
  }
  nolens::Checksum head;
  head.update(file.first(data));
  head.update(file.subspan(sums, file.size() - sums - kSum));
  const std::uint64_t value = head.value();
  std::memcpy(file.data() + file.size() - kSum, &value, kSum);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    nolens::AlignedBuffer<std::byte> file(static_cast<std::int64_t>(size));
    if (size > 0) {
      std::memcpy(file.data(), data, size);
    }
    correct_checksum(file.span());
    const auto read = nolens::NolensFile::parse(file.span(), "fuzz");
    volatile float sum = 0.0F;  // so that the reads stay
    for (const nolens::TensorView& tensor : read->tensors()) {
      if (tensor.shape.size() != 2 || tensor.bytes == 0) {
        continue;
      }
      const nolens::WeightMatrix w{tensor.data,     tensor.dtype,  tensor.shape[0],
                                   tensor.shape[1], tensor.scales, tensor.layout};
      const auto value =
          w.layout == nolens::WeightLayout::kPanels ? nolens::panel_value : nolens::weight_value;
      sum = sum + value(w, 0, 0) + value(w, w.rows - 1, w.cols - 1);
    }
    read->verify({});
  } catch (const nolens::Error&) {  // the only way to refuse a file
  }
  return 0;
}
