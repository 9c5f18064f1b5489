// A weight as the kernels take it.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>

#include "core/matrix.h"
#include "kernels/cpu/cpu_kernels.h"

namespace nolens {

/// Owns what rows() points to; the weight and its scales must outlive it.
class StoredRows {
 public:
  explicit StoredRows(const WeightMatrix& w) noexcept
      : rows_{reinterpret_cast<const unsigned char*>(w.data), w.bytes_per_row(), nullptr, w.cols} {
    if (w.scales != nullptr) {
      const WeightScales& s = *w.scales;
      scales_ = {s.codebook.data(),
                 s.block_size,
                 s.absmax,
                 s.nested_codebook.data(),
                 s.nested ? s.nested_absmax : nullptr,
                 s.nested_block_size,
                 s.nested_offset,
                 s.value_dtype,
                 {},
                 0.0F,
                 w.rows};
      set_code_bytes(s.codebook);
      rows_.scales = &scales_;
    }
  }
  StoredRows(const StoredRows&) = delete;
  StoredRows& operator=(const StoredRows&) = delete;

  [[nodiscard]] const WeightRows& rows() const noexcept { return rows_; }

 private:
  /// The largest entry becomes 127.
  void set_code_bytes(const std::array<float, 16>& codebook) noexcept {
    float largest = 0.0F;
    for (const float entry : codebook) {
      largest = std::max(largest, std::abs(entry));
    }
    scales_.code_step = largest > 0.0F ? largest / 127.0F : 1.0F;
    for (std::size_t i = 0; i < codebook.size(); ++i) {
      scales_.code_bytes[i] =
          static_cast<unsigned char>(std::lrint(codebook[i] / scales_.code_step) + kCodebookZero);
    }
  }

  WeightRows rows_;
  BlockScales scales_{};
};

}  // namespace nolens
