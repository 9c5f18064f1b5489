// Which thread multiplies which panels, and where the results go.
#include "kernels/cpu/panel_products.h"

#include <algorithm>
#include <cstring>

#include "core/check.h"
#include "core/checked_math.h"
#include "kernels/cpu/for_each_chunk.h"
#include "kernels/cpu/grown.h"
#include "kernels/cpu/stored_rows.h"

namespace nolens {
namespace {

// Rows of x whose outputs of a pair of panels, 128 bytes each, stay in the level 2 cache beside what
// passes by.
constexpr std::int64_t kRowBlock = 512;
constexpr std::int64_t kPairFloats = 2 * kPanelRows * kRowBlock;
// Rows of x up to which a product is a stream from memory: threads take long pieces of it.
constexpr std::int64_t kStreamRows = 8;
constexpr std::int64_t kPiecesPerThread = 8;

std::int64_t panels_of(const WeightMatrix& w) {
  return ceil_div(w.rows, kPanelRows);
}

const unsigned char* panel(const WeightMatrix& w, std::int64_t index) {
  return reinterpret_cast<const unsigned char*>(w.data) + index * panel_bytes(w.panel_format(), w.cols);
}

/// One row of what a panel gave, to its columns of y.
void store_row(const float* from, std::int64_t column, std::span<const float> bias, Matrix y,
               std::int64_t m) {
  float* out = y.row(m) + column;
  const std::int64_t count = y.cols - column;
  if (bias.empty() && count >= kPanelRows) {
    std::memcpy(out, from, sizeof(float) * kPanelRows);
    return;
  }
  for (std::int64_t r = 0; r < std::min(kPanelRows, count); ++r) {
    out[r] = bias.empty() ? from[r] : from[r] + bias[static_cast<std::size_t>(column + r)];
  }
}

}  // namespace

/// Two panels of one matrix, or the same panel of two.
struct PanelProducts::Pair {
  const WeightMatrix* w[2];
  std::int64_t panel[2];  // negative: none
};

void PanelProducts::set_x(ConstMatrix x) {
  const std::int64_t groups = ceil_div(x.cols, kGroupColumns);
  const std::int64_t blocks = groups * x.rows;
  x_ = {grown(low_, blocks * kGroupColumns),
        grown(high_, blocks * kGroupColumns),
        grown(high_steps_, blocks),
        grown(sums_, blocks * kSplitSums),
        grown(x_scales_, blocks),
        x.rows};
  cols_ = x.cols;
  for_each_chunk(pool_, x.rows, std::max<std::int64_t>(1, 8192 / x.cols),
                 [&](std::int64_t begin, std::int64_t end, std::int64_t) {
                   for (std::int64_t m = begin; m < end; ++m) {
                     table_.quantize_split(x.row(m), x.cols, m, x_);
                   }
                 });
}

void PanelProducts::run_pair(const Pair& pair, std::int64_t m0, std::int64_t m1, float* const (&y)[2]) {
  PanelPairArgs args{};
  args.x = x_;
  args.m0 = m0;
  args.m1 = m1;
  args.k = cols_;
  const StoredRows stored[2] = {StoredRows(*pair.w[0]), StoredRows(*pair.w[1])};
  for (int i = 0; i < 2; ++i) {
    args.y[i] = y[i];
    if (pair.panel[i] >= 0) {
      args.panels[i] = panel(*pair.w[i], pair.panel[i]);
      args.scales[i] = stored[i].rows().scales;
      args.first_rows[i] = pair.panel[i] * kPanelRows;
    }
  }
  table_.panel_pair[static_cast<std::size_t>(pair.w[0]->panel_format())](args);
}

void PanelProducts::linear(std::span<const LinearPart> parts) {
  first_pairs_.assign(1, 0);
  for (const LinearPart& part : parts) {
    NOLENS_CHECK(part.w.layout == WeightLayout::kPanels && part.w.cols == cols_);
    NOLENS_CHECK(part.y.rows == x_.rows && part.y.cols == part.w.rows);
    first_pairs_.push_back(first_pairs_.back() + ceil_div(panels_of(part.w), std::int64_t{2}));
  }
  const std::int64_t pairs = first_pairs_.back();
  const std::int64_t chunk =
      x_.rows > kStreamRows ? 1 : ceil_div(pairs, pool_.num_threads() * kPiecesPerThread);
  float* scratch = grown(scratch_, kPairFloats * pool_.num_threads());
  for_each_chunk(pool_, pairs, chunk, [&](std::int64_t begin, std::int64_t end, std::int64_t slot) {
    float* const y[2] = {scratch + slot * kPairFloats, scratch + slot * kPairFloats + kPairFloats / 2};
    std::size_t p = 0;
    for (std::int64_t i = begin; i < end; ++i) {
      while (i >= first_pairs_[p + 1]) {
        ++p;
      }
      const LinearPart& part = parts[p];
      const std::int64_t first = 2 * (i - first_pairs_[p]);
      const std::int64_t second = first + 1 < panels_of(part.w) ? first + 1 : -1;
      for (std::int64_t m = 0; m < x_.rows; m += kRowBlock) {
        const std::int64_t m_end = std::min(x_.rows, m + kRowBlock);
        run_pair({{&part.w, &part.w}, {first, second}}, m, m_end, y);
        for (std::int64_t row = m; row < m_end; ++row) {
          const std::int64_t offset = (row - m) * kPanelRows;
          store_row(y[0] + offset, first * kPanelRows, part.bias, part.y, row);
          if (second >= 0) {
            store_row(y[1] + offset, second * kPanelRows, part.bias, part.y, row);
          }
        }
      }
    }
  });
}

void PanelProducts::gated_linear(const WeightMatrix& gate, const WeightMatrix& up, Activation activation,
                                 Matrix y) {
  NOLENS_CHECK(gate.layout == WeightLayout::kPanels && up.layout == WeightLayout::kPanels);
  NOLENS_CHECK(gate.panel_format() == up.panel_format() && gate.rows == up.rows && gate.cols == cols_ &&
               up.cols == cols_ && y.rows == x_.rows && y.cols == gate.rows);
  const auto activate = activation == Activation::kSilu ? table_.silu_gate : table_.gelu_gate;
  const std::int64_t panels = panels_of(gate);
  const std::int64_t chunk =
      x_.rows > kStreamRows ? 1 : ceil_div(panels, pool_.num_threads() * kPiecesPerThread);
  float* scratch = grown(scratch_, kPairFloats * pool_.num_threads());
  for_each_chunk(pool_, panels, chunk, [&](std::int64_t begin, std::int64_t end, std::int64_t slot) {
    float* const out[2] = {scratch + slot * kPairFloats,
                           scratch + slot * kPairFloats + kPairFloats / 2};
    for (std::int64_t p = begin; p < end; ++p) {
      for (std::int64_t m = 0; m < x_.rows; m += kRowBlock) {
        const std::int64_t m_end = std::min(x_.rows, m + kRowBlock);
        run_pair({{&gate, &up}, {p, p}}, m, m_end, out);
        activate(out[0], out[1], (m_end - m) * kPanelRows, out[0]);
        for (std::int64_t row = m; row < m_end; ++row) {
          store_row(out[0] + (row - m) * kPanelRows, p * kPanelRows, {}, y, row);
        }
      }
    }
  });
}

}  // namespace nolens
