// Random weights in panels.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>

#include <gtest/gtest.h>

#include "core/aligned_buffer.h"
#include "kernels/cpu/stored_rows.h"
#include "kernels/kernel_test_support.h"
#include "quantize/pack_panels.h"

namespace nolens {

/// Of one format.
class PanelWeights {
 public:
  PanelWeights(DType dtype, std::int64_t rows, std::int64_t cols, Random& random) {
    // Some block sizes of bitsandbytes have no panels: draw again.
    while (!format_.has_value()) {
      rows_.emplace(dtype, rows, cols, 1, random);
      format_ = lossless_panels(rows_->view());
    }
    view_ = rows_->view();
    panels_ = AlignedBuffer<std::byte>(panels_bytes(*format_, rows, cols));
    pack_panels(rows_->view(), 0, panel_count(rows), panels_.span());
    if (view_.scales != nullptr) {
      scales_ = panel_scales(*view_.scales, *format_);
      view_.scales = &scales_;
    }
    view_.data = panels_.data();
    view_.layout = WeightLayout::kPanels;
  }
  [[nodiscard]] const WeightMatrix& view() const noexcept { return view_; }
  [[nodiscard]] PanelFormat format() const noexcept { return *format_; }
  /// The same with the values that integer products use: codebooks rounded to one byte or two,
  /// without the rounding to the type that the weight had.
  [[nodiscard]] WeightMatrix rounded_view(bool byte_codebook) {
    WeightMatrix view = view_;
    if (view.scales != nullptr) {
      const StoredRows stored(view_);
      const BlockScales& bytes = *stored.rows().scales;
      byte_scales_ = scales_;
      byte_scales_.value_dtype = DType::kF32;
      for (std::size_t i = 0; i < 16; ++i) {
        const int fine = byte_codebook ? 0 : bytes.fine_bytes[i] - kCodebookZero;
        byte_scales_.codebook[i] =
            bytes.code_step * (static_cast<float>(bytes.code_bytes[i] - kCodebookZero) +
                               kFineStep * static_cast<float>(fine));
        EXPECT_LE(std::abs(byte_scales_.codebook[i] - scales_.codebook[i]),
                  bytes.code_step * (byte_codebook ? 0.501F : 1.01F * kFineStep));
      }
      view.scales = &byte_scales_;
    }
    return view;
  }

 private:
  std::optional<StoredWeights> rows_;
  std::optional<PanelFormat> format_;
  AlignedBuffer<std::byte> panels_;
  WeightScales scales_;
  WeightScales byte_scales_;
  WeightMatrix view_;
};

}  // namespace nolens
