// Single rows of panels as floats, with the exact bits of the format's definition: for embedding
// tables and for products in float32.
#pragma once

#include "kernels/cpu/generic/code_formats.inl"
#include "kernels/cpu/generic/linear.inl"
#include "kernels/cpu/generic/panel_expand.inl"

namespace nolens {
namespace {

/// For PanelDot and expand_row; k0 is a multiple of 256.
template <PanelFormat kFormat>
struct PanelRowFormat {
  static constexpr PanelTraits kT = kTraits<kFormat>;

  static void expand(const WeightRows& w, std::int64_t row, std::int64_t k0, std::int64_t count,
                     float* y) noexcept {
    const std::int64_t panel = row / kPanelRows;
    const std::int64_t r = row % kPanelRows;
    const PanelSource source{w.data + panel * bytes_of_panel<kFormat>(w.cols), w.scales,
                             panel * kPanelRows, w.cols};
    constexpr std::int64_t kGroupBytes = group_offsets(kT, kGroupColumns).bytes;
    ExpandedGroup scales;
    OuterScales outer;
    for (std::int64_t k = k0; k < k0 + count; k += kGroupColumns) {
      const unsigned char* group = source.data + k / kGroupColumns * kGroupBytes;
      const GroupShape shape = group_shape<kFormat>(w.cols, k);
      expand_scales<kFormat>(source, group, k, shape, 1.0F, outer, scales);
      const std::int64_t columns = smaller(shape.columns, k0 + count - k);
      for (std::int64_t step = 0; step < columns / kStepColumns; ++step) {
        for (std::int64_t i = 0; i < kStepColumns; ++i) {
          const std::int64_t column = step * kStepColumns + i;
          const std::int64_t block = column / kT.block;
          const int code = code_at(group, shape.at.high, step, 4 * r + i);
          y[k - k0 + column] =
              value(source, code, scales.scales[block][r], scales.minimums[block][r]);
        }
      }
    }
  }

 private:
  static int code_at(const unsigned char* group, std::int64_t high_offset, std::int64_t step,
                     std::int64_t byte) noexcept {
    if constexpr (kT.code_bits == 8) {
      return group[step * kCodeVectorBytes + byte];
    }
    const int both = group[step / 2 * kCodeVectorBytes + byte];
    const int low = step % 2 == 0 ? both & 15 : both >> 4;
    const unsigned char* high = group + high_offset + byte;
    if constexpr (kT.code_bits == 5) {
      return low | ((high[step / 8 * kCodeVectorBytes] >> (step % 8)) & 1) << 4;
    } else if constexpr (kT.code_bits == 6) {
      return low | ((high[step / 4 * kCodeVectorBytes] >> (step % 4 * 2)) & 3) << 4;
    }
    return low;
  }

  static float value(const PanelSource& source, int code, float scale, float minimum) noexcept {
    if constexpr (kFormat == PanelFormat::kIQ4_NL) {
      return scale * static_cast<float>(kIq4Bytes[code] - kT.zero);
    } else if constexpr (kT.codebook) {
      return rounded(source.scales->codebook[code] * scale, source.scales->value_dtype);
    } else if constexpr (kT.minimum) {
      return scale * static_cast<float>(code) + minimum;
    } else {
      return scale * static_cast<float>(code - kT.zero);
    }
  }

  /// To the type that a bitsandbytes weight had before.
  static float rounded(float value, DType dtype) noexcept {
    if (dtype == DType::kF32) {
      return value;
    }
    float lanes[Vec::kLanes];
    store(lanes, dtype == DType::kBf16 ? round_to_bf16(set1(value)) : round_to_half(set1(value)));
    return lanes[0];
  }
};

template <PanelFormat kFormat>
constexpr void set_panel_rows(KernelTable& table) noexcept {
  table.expand_panels[static_cast<int>(kFormat)] = expand_row<PanelRowFormat<kFormat>>;
  table.linear_panels[static_cast<int>(kFormat)] = linear_of_blocks<PanelRowFormat<kFormat>>;
}

}  // namespace
}  // namespace nolens
