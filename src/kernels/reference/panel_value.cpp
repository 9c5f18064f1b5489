// Written by value from core/panel_layout.h, without a look at how panels are packed.
#include "kernels/reference/panel_value.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/float16.h"

namespace nolens {
namespace {

template <typename T>
T read(const unsigned char* bytes, std::int64_t index = 0) noexcept {
  T value;
  std::memcpy(&value, bytes + index * static_cast<std::int64_t>(sizeof(T)), sizeof(T));
  return value;
}

float half(const unsigned char* bytes, std::int64_t index) noexcept {
  return to_float(F16{read<std::uint16_t>(bytes, index)});
}

constexpr std::array<float, 16> kIq4Codebook = {-127, -104, -83, -65, -49, -35, -22, -10,
                                                1,    13,   25,  38,  53,  69,  89,  113};

/// The group that holds a value, and where in it.
struct Place {
  const unsigned char* group;
  GroupOffsets at;
  std::int64_t row;     ///< in the panel
  std::int64_t column;  ///< in the group
};

Place find_place(const WeightMatrix& w, std::int64_t row, std::int64_t col) noexcept {
  const PanelTraits& t = traits(w.panel_format());
  const std::int64_t before = col / kGroupColumns;
  const std::int64_t columns = std::min(kGroupColumns, w.cols - before * kGroupColumns);
  const auto* panel = reinterpret_cast<const unsigned char*>(w.data) +
                      row / kPanelRows * panel_bytes(w.panel_format(), w.cols);
  return {panel + before * group_offsets(t, kGroupColumns).bytes, group_offsets(t, columns),
          row % kPanelRows, col % kGroupColumns};
}

int code_at(const PanelTraits& t, const Place& p) noexcept {
  const std::int64_t step = p.column / kStepColumns;
  const std::int64_t byte = kStepColumns * p.row + p.column % kStepColumns;
  if (t.code_bits == 8) {
    return p.group[step * kCodeVectorBytes + byte];
  }
  const int two = p.group[step / 2 * kCodeVectorBytes + byte];
  const int low = step % 2 == 0 ? two & 15 : two >> 4;
  const std::int64_t high_bits = t.code_bits - 4;
  if (high_bits == 0) {
    return low;
  }
  const std::int64_t steps = 8 / high_bits;
  const int bits = p.group[p.at.high + step / steps * kCodeVectorBytes + byte];
  return low | ((bits >> (step % steps * high_bits)) & ((1 << high_bits) - 1)) << 4;
}

float nested_scale(const WeightScales& s, int code, std::int64_t block) noexcept {
  float scale = s.nested_codebook[static_cast<std::size_t>(code)] *
                read<float>(s.nested_absmax, block / s.nested_block_size);
  scale += s.nested_offset;
  return scale;
}

float rounded(float value, DType dtype) noexcept {
  switch (dtype) {
    case DType::kBf16: return to_float(to_bf16(value));
    case DType::kF16: return to_float(to_f16(value));
    default: return value;
  }
}

}  // namespace

float panel_value(const WeightMatrix& w, std::int64_t row, std::int64_t col) noexcept {
  const PanelTraits& t = traits(w.panel_format());
  const Place p = find_place(w, row, col);
  const int code = code_at(t, p);
  const std::int64_t index = p.column / t.block * kPanelRows + p.row;
  const unsigned char* scales = p.group + p.at.scales;
  const unsigned char* minimums = p.group + p.at.minimums;
  const unsigned char* super = p.group + p.at.super;
  const auto centred = static_cast<float>(code - t.zero);
  switch (t.scale) {
    case ScaleForm::kHalf: {
      const float factor = t.codebook ? kIq4Codebook[static_cast<std::size_t>(code)] : centred;
      const float value = half(scales, index) * factor;
      return t.minimum ? value + half(minimums, index) : value;
    }
    case ScaleForm::kByte: {
      const float scale = half(super, p.row) * static_cast<float>(scales[index]);
      const float minimum = half(super, kPanelRows + p.row) * static_cast<float>(minimums[index]);
      return scale * centred - minimum;
    }
    case ScaleForm::kSignedByte: {
      const auto signed_scale = static_cast<std::int8_t>(scales[index]);
      return half(super, p.row) * static_cast<float>(signed_scale) * centred;
    }
    case ScaleForm::kFloat:
    case ScaleForm::kNested: break;
  }
  const WeightScales& s = *w.scales;
  const float entry = s.codebook[static_cast<std::size_t>(code)];
  if (t.scale == ScaleForm::kFloat) {
    return rounded(entry * read<float>(scales, index), s.value_dtype);
  }
  if (row >= w.rows) {
    return entry * 0.0F;  // its scale has no place in nested_absmax
  }
  const std::int64_t block = (row * w.cols + col) / t.block;
  return rounded(entry * nested_scale(s, scales[index], block), s.value_dtype);
}

}  // namespace nolens
