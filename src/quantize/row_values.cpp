// Each format by the float operations of its library, in loops over a block.
#include "quantize/row_values.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "core/float16.h"
#include "quantize/unpack_codes.h"

namespace nolens {
namespace {

constexpr std::array<float, 16> kIq4Codebook = {-127, -104, -83, -65, -49, -35, -22, -10,
                                                1,    13,   25,  38,  53,  69,  89,  113};

template <typename T>
T load(const unsigned char* bytes, std::int64_t index) noexcept {
  T value;
  std::memcpy(&value, bytes + index * static_cast<std::int64_t>(sizeof(T)), sizeof(T));
  return value;
}

float half(std::uint16_t bits) noexcept {
  return to_float(F16{bits});
}

template <typename Stored>
void plain_values(const unsigned char* row, std::span<float> out) noexcept {
  for (std::size_t i = 0; i < out.size(); ++i) {
    if constexpr (std::is_same_v<Stored, float>) {
      out[i] = load<float>(row, static_cast<std::int64_t>(i));
    } else {
      out[i] = to_float(load<Stored>(row, static_cast<std::int64_t>(i)));
    }
  }
}

/// One block of a row that was taken apart.
void block_values(DType dtype, const RowGroup& group, std::size_t block,
                  std::span<float> out) noexcept {
  const PanelTraits& t = traits(*panel_format(dtype, false));
  const std::uint8_t* codes = group.codes.data() + block * out.size();
  float scale = 0.0F;
  float minimum = 0.0F;
  switch (t.scale) {
    case ScaleForm::kHalf:
      scale = half(group.half_scales[block]);
      minimum = t.minimum ? half(group.half_minimums[block]) : 0.0F;
      break;
    case ScaleForm::kByte:
      scale = half(group.super_scale) * static_cast<float>(group.byte_scales[block]);
      minimum = -(half(group.super_minimum) * static_cast<float>(group.byte_minimums[block]));
      break;
    default:
      scale = half(group.super_scale) *
              static_cast<float>(static_cast<std::int8_t>(group.byte_scales[block]));
      break;
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    const float factor = t.codebook ? kIq4Codebook[codes[i]]
                                    : static_cast<float>(static_cast<int>(codes[i]) - t.zero);
    out[i] = scale * factor;
  }
  for (std::size_t i = 0; t.minimum && i < out.size(); ++i) {
    out[i] += minimum;
  }
}

void blocks_values(const WeightMatrix& w, std::int64_t row, std::span<float> out) noexcept {
  RowGroup group{};
  const auto block = static_cast<std::size_t>(traits(*panel_format(w.dtype, false)).block);
  for (std::int64_t begin = 0; begin < w.cols; begin += kGroupColumns) {
    const std::int64_t columns = std::min(kGroupColumns, w.cols - begin);
    unpack_codes(w, row, begin, columns, group);
    for (std::size_t b = 0; b < static_cast<std::size_t>(columns) / block; ++b) {
      block_values(w.dtype, group, b,
                   out.subspan(static_cast<std::size_t>(begin) + b * block, block));
    }
  }
}

float rounded(float value, DType dtype) noexcept {
  switch (dtype) {
    case DType::kBf16: return to_float(to_bf16(value));
    case DType::kF16: return to_float(to_f16(value));
    default: return value;
  }
}

float code_scale(const WeightScales& s, std::int64_t block) noexcept {
  if (!s.nested) {
    return load<float>(s.absmax, block);
  }
  float scale = s.nested_codebook[s.absmax[block]] *
                load<float>(s.nested_absmax, block / s.nested_block_size);
  scale += s.nested_offset;
  return scale;
}

/// Blocks run over the flattened weight, so that a row may begin inside one.
void code_values(const WeightMatrix& w, std::int64_t row, std::span<float> out) noexcept {
  const WeightScales& s = *w.scales;
  const auto* data = reinterpret_cast<const unsigned char*>(w.data);
  std::int64_t block = -1;
  float scale = 0.0F;
  for (std::int64_t c = 0; c < w.cols; ++c) {
    const std::int64_t index = row * w.cols + c;
    if (index / s.block_size != block) {
      block = index / s.block_size;
      scale = code_scale(s, block);
    }
    const int byte = data[index / 2];
    const auto code = static_cast<std::size_t>(index % 2 == 0 ? byte >> 4 : byte & 15);
    out[static_cast<std::size_t>(c)] = rounded(s.codebook[code] * scale, s.value_dtype);
  }
}

void int8_values(const WeightMatrix& w, std::int64_t row, std::span<float> out) noexcept {
  constexpr float kPerUnit = 7.874015718698502e-3F;  // 1 / 127
  const auto* codes = reinterpret_cast<const unsigned char*>(w.data) + row * w.cols;
  const float scale = load<float>(w.scales->absmax, row);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const float scaled =
        static_cast<float>(load<std::int8_t>(codes, static_cast<std::int64_t>(i))) * scale;
    out[i] = scaled * kPerUnit;
  }
}

}  // namespace

void row_values(const WeightMatrix& w, std::int64_t row, std::span<float> out) noexcept {
  const auto* data = reinterpret_cast<const unsigned char*>(w.data) + row * w.bytes_per_row();
  switch (w.dtype) {
    case DType::kF32: return plain_values<float>(data, out);
    case DType::kF16: return plain_values<F16>(data, out);
    case DType::kBf16: return plain_values<Bf16>(data, out);
    case DType::kNf4:
    case DType::kFp4: return code_values(w, row, out);
    case DType::kInt8: return int8_values(w, row, out);
    default: return blocks_values(w, row, out);
  }
}

bool all_finite(std::span<const float> values) noexcept {
  constexpr std::uint32_t kExponent = 0x7F80'0000U;
  std::uint32_t bad = 0;
  for (const float value : values) {
    bad |= (std::bit_cast<std::uint32_t>(value) & kExponent) == kExponent ? 1U : 0U;
  }
  return bad == 0;
}

}  // namespace nolens
