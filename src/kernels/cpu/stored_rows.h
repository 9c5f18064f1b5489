// A weight as the kernels take it.
#pragma once

#include "core/matrix.h"
#include "kernels/cpu/cpu_kernels.h"

namespace nolens {

/// Owns what rows() points to; the weight and its scales must outlive it.
class StoredRows {
 public:
  explicit StoredRows(const WeightMatrix& w) noexcept
      : rows_{reinterpret_cast<const unsigned char*>(w.data), w.bytes_per_row(), nullptr} {
    if (w.scales != nullptr) {
      const WeightScales& s = *w.scales;
      scales_ = {s.codebook.data(),
                 s.block_size,
                 s.absmax,
                 s.nested_codebook.data(),
                 s.nested ? s.nested_absmax : nullptr,
                 s.nested_block_size,
                 s.nested_offset,
                 s.value_dtype};
      rows_.scales = &scales_;
    }
  }
  StoredRows(const StoredRows&) = delete;
  StoredRows& operator=(const StoredRows&) = delete;

  [[nodiscard]] const WeightRows& rows() const noexcept { return rows_; }

 private:
  WeightRows rows_;
  BlockScales scales_{};
};

}  // namespace nolens
