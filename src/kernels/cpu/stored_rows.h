// A weight as the kernels take it.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/matrix.h"
#include "kernels/cpu/cpu_kernels.h"

namespace nolens {

/// Entries of a codebook as bytes, step * (codes[i] - kCodebookZero), and what that leaves as bytes
/// of step * kFineStep. Both together have 16 bits.
struct ByteCodebook {
  float step = 1.0F;
  std::array<unsigned char, 16> codes{};
  std::array<unsigned char, 16> fine{};
};

/// With the step of least squared error among those that make the largest entry 95 to 127. Of NF4
/// it is 1/112, with 38 % less squared error than 1/127; of FP4 1/120, of which all entries but the
/// smallest are multiples.
inline ByteCodebook byte_codebook(const std::array<float, 16>& codebook) noexcept {
  float largest = 0.0F;
  for (const float entry : codebook) {
    largest = std::max(largest, std::abs(entry));
  }
  ByteCodebook best;
  best.codes.fill(static_cast<unsigned char>(kCodebookZero));
  best.fine = best.codes;
  if (!(largest > 0.0F) || !std::isfinite(largest)) {
    return best;
  }
  constexpr int kSteps = 32 * 16;
  float least = std::numeric_limits<float>::infinity();
  for (int i = 0; i < kSteps; ++i) {
    const float step = largest / (127.0F - static_cast<float>(i) / 16.0F);
    float error = 0.0F;
    for (const float entry : codebook) {
      const float rest = entry - step * std::nearbyint(entry / step);
      error += rest * rest;
    }
    if (error < least) {
      least = error;
      best.step = step;
    }
  }
  for (std::size_t i = 0; i < codebook.size(); ++i) {
    const long code = std::lrint(codebook[i] / best.step);
    const float rest = codebook[i] - best.step * static_cast<float>(code);
    const long fine = std::min(std::lrint(rest / (best.step * kFineStep)), 127L);
    best.codes[i] = static_cast<unsigned char>(code + kCodebookZero);
    best.fine[i] = static_cast<unsigned char>(fine + kCodebookZero);
  }
  return best;
}

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
  void set_code_bytes(const std::array<float, 16>& codebook) noexcept {
    // The weights of a model share a codebook, and products ask for it often.
    thread_local std::array<float, 16> last{};
    thread_local ByteCodebook bytes;
    if (codebook != last) {
      bytes = byte_codebook(codebook);
      last = codebook;
    }
    scales_.code_step = bytes.step;
    std::copy(bytes.codes.begin(), bytes.codes.end(), scales_.code_bytes);
    std::copy(bytes.fine.begin(), bytes.fine.end(), scales_.fine_bytes);
  }

  WeightRows rows_;
  BlockScales scales_{};
};

}  // namespace nolens
