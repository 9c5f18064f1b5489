// A group of one row is taken apart into a byte a code, then laid into its place in steps of four
// codes.
#include "quantize/pack_panels.h"

#include <algorithm>
#include <cstring>

#include "core/check.h"
#include "quantize/unpack_codes.h"

namespace nolens {
namespace {

using Byte = std::uint8_t;
constexpr std::int64_t kCodebookBlock = 64;

template <typename T>
T load(const Byte* bytes) noexcept {
  T value;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

template <typename T>
void store(Byte* bytes, T value) noexcept {
  std::memcpy(bytes, &value, sizeof(value));
}

/// Four codes of a step to their row's four bytes of a vector.
void place_bytes(const Byte* codes, std::int64_t columns, Byte* out) noexcept {
  for (std::int64_t c = 0; c < columns; c += 4) {
    store(out + c * kPanelRows, load<std::uint32_t>(codes + c));
  }
}

void place_halves(const Byte* codes, std::int64_t columns, Byte* out) noexcept {
  for (std::int64_t c = 0; c < columns; c += 8) {
    const auto eight = load<std::uint64_t>(codes + c) & 0x0F0F'0F0F'0F0F'0F0FU;
    store(out + c * (kPanelRows / 2), static_cast<std::uint32_t>(eight | eight >> 28U));
  }
}

/// Bits of each code from the fourth: `kBits` of them, 8 / kBits steps a vector.
template <unsigned kBits>
void place_high(const Byte* codes, std::int64_t columns, Byte* out) noexcept {
  constexpr unsigned kSteps = 8 / kBits;
  constexpr std::uint32_t kMask = kBits == 1 ? 0x0101'0101U : 0x0303'0303U;
  for (std::int64_t c = 0; c < columns; c += 4 * kSteps, out += kCodeVectorBytes) {
    std::uint32_t four = 0;
    for (unsigned s = 0; s < kSteps; ++s) {
      four |= (load<std::uint32_t>(codes + c + 4 * s) >> 4U & kMask) << (kBits * s);
    }
    store(out, four);
  }
}

template <typename T>
void place_scales(const T* scales, std::int64_t blocks, Byte* out) noexcept {
  for (std::int64_t b = 0; b < blocks; ++b) {
    store(out + b * kPanelRows * static_cast<std::int64_t>(sizeof(T)), scales[b]);
  }
}

float nested_scale(const WeightScales& s, std::int64_t block) noexcept {
  float scale = s.nested_codebook[s.absmax[block]] *
                load<float>(s.nested_absmax + block / s.nested_block_size * 4);
  scale += s.nested_offset;
  return scale;
}

class Packer {
 public:
  Packer(const WeightMatrix& rows, PanelFormat format)
      : rows_(rows), format_(format), traits_(traits(format)) {
    if (traits_.codebook && rows.scales != nullptr) {
      const auto& codebook = rows.scales->codebook;
      const auto* zero = std::find(codebook.begin(), codebook.end(), 0.0F);
      zero_code_ = static_cast<Byte>(zero == codebook.end() ? 0 : zero - codebook.begin());
    }
  }

  void pack_panel(std::int64_t panel, Byte* out) const noexcept {
    for (std::int64_t begin = 0; begin < rows_.cols; begin += kGroupColumns) {
      const std::int64_t columns = std::min(kGroupColumns, rows_.cols - begin);
      const GroupOffsets offsets = group_offsets(traits_, columns);
      const std::int64_t scale_end =
          offsets.super + (has_super_scale(traits_.scale) ? (traits_.minimum ? 64 : 32) : 0);
      std::memset(out + scale_end, 0, static_cast<std::size_t>(offsets.bytes - scale_end));
      RowGroup group{};
      for (std::int64_t r = 0; r < kPanelRows; ++r) {
        const std::int64_t row = panel * kPanelRows + r;
        if (row < rows_.rows) {
          unpack_codes(rows_, row, begin, columns, group);
        } else {
          group = {};
          group.codes.fill(zero_code_);
        }
        place_codes(group, columns, offsets, r, out);
        place_row_scales(group, row, begin, columns, offsets, out, r);
      }
      out += offsets.bytes;
    }
  }

 private:
  void place_codes(const RowGroup& group, std::int64_t columns, const GroupOffsets& offsets,
                   std::int64_t r, Byte* out) const noexcept {
    const Byte* codes = group.codes.data();
    Byte* high = out + offsets.high + 4 * r;
    switch (traits_.code_bits) {
      case 8: return place_bytes(codes, columns, out + 4 * r);
      case 6: place_high<2>(codes, columns, high); break;
      case 5: place_high<1>(codes, columns, high); break;
      default: break;
    }
    place_halves(codes, columns, out + 4 * r);
  }

  void place_row_scales(const RowGroup& group, std::int64_t row, std::int64_t begin,
                        std::int64_t columns, const GroupOffsets& offsets, Byte* out,
                        std::int64_t r) const noexcept {
    const std::int64_t blocks = columns / traits_.block;
    Byte* scales = out + offsets.scales + r * scale_bytes(traits_.scale);
    Byte* minimums = out + offsets.minimums + r * scale_bytes(traits_.scale);
    switch (traits_.scale) {
      case ScaleForm::kHalf:
        place_scales(group.half_scales.data(), blocks, scales);
        if (traits_.minimum) {
          place_scales(group.half_minimums.data(), blocks, minimums);
        }
        return;
      case ScaleForm::kByte:
      case ScaleForm::kSignedByte:
        place_scales(group.byte_scales.data(), blocks, scales);
        store(out + offsets.super + 2 * r, group.super_scale);
        if (traits_.minimum) {
          place_scales(group.byte_minimums.data(), blocks, minimums);
          store(out + offsets.super + 2 * kPanelRows + 2 * r, group.super_minimum);
        }
        return;
      case ScaleForm::kFloat:
      case ScaleForm::kNested: return place_codebook_scales(row, begin, blocks, scales);
    }
  }

  void place_codebook_scales(std::int64_t row, std::int64_t begin, std::int64_t blocks,
                             Byte* out) const noexcept {
    const WeightScales& s = *rows_.scales;
    for (std::int64_t b = 0; b < blocks; ++b) {
      const bool beyond = row >= rows_.rows;
      const std::int64_t block =
          beyond ? 0 : (row * rows_.cols + begin + b * kCodebookBlock) / s.block_size;
      if (format_ == PanelFormat::kNestedCodes) {
        out[b * kPanelRows] = beyond ? Byte{0} : s.absmax[block];
      } else {
        const float scale = s.nested ? nested_scale(s, block) : load<float>(s.absmax + 4 * block);
        store(out + b * kPanelRows * 4, beyond ? 0.0F : scale);
      }
    }
  }

  const WeightMatrix& rows_;
  PanelFormat format_;
  const PanelTraits& traits_;
  Byte zero_code_ = 0;  // for rows beyond the matrix whose scale cannot be 0
};

}  // namespace

std::optional<PanelFormat> lossless_panels(const WeightMatrix& rows) noexcept {
  if (rows.layout != WeightLayout::kRows || (needs_scales(rows.dtype) && rows.scales == nullptr)) {
    return std::nullopt;
  }
  bool nested = false;
  if (needs_scales(rows.dtype)) {
    if (rows.scales->block_size % kCodebookBlock != 0) {
      return std::nullopt;
    }
    nested = rows.scales->nested && rows.scales->block_size == kCodebookBlock;
  }
  const auto format = panel_format(rows.dtype, nested);
  return format && fits_panels(*format, rows.cols) ? format : std::nullopt;
}

WeightScales panel_scales(const WeightScales& scales, PanelFormat format) noexcept {
  WeightScales beside;
  beside.codebook = scales.codebook;
  beside.block_size = kCodebookBlock;
  beside.value_dtype = scales.value_dtype;
  if (format == PanelFormat::kNestedCodes) {
    beside.nested = true;
    beside.nested_codebook = scales.nested_codebook;
    beside.nested_absmax = scales.nested_absmax;
    beside.nested_block_size = scales.nested_block_size;
    beside.nested_offset = scales.nested_offset;
  }
  return beside;
}

void pack_panels(const WeightMatrix& rows, std::int64_t begin, std::int64_t end,
                 std::span<std::byte> out) {
  const auto format = lossless_panels(rows);
  NOLENS_CHECK(format && begin >= 0 && begin <= end && end <= panel_count(rows.rows));
  const std::int64_t bytes = panel_bytes(*format, rows.cols);
  NOLENS_CHECK(static_cast<std::int64_t>(out.size()) == (end - begin) * bytes);
  const Packer packer(rows, *format);
  auto* panels = reinterpret_cast<Byte*>(out.data());
  for (std::int64_t panel = begin; panel < end; ++panel, panels += bytes) {
    packer.pack_panel(panel, panels);
  }
}

}  // namespace nolens
