// Which thread multiplies which panels, in which order, and where the results go.
//
// Many rows of x: a strip is a few pairs of panels, so that rows of y are written in long pieces.
// All its pairs pass one stretch of columns before the next: which blocks of x have high parts is a
// pattern of branches that the processor learns, if it is short enough, and then need not guess.
//
// Few rows: the weights are a stream from memory, and a strip is a long piece of it. Gate and up
// then follow each other, for two streams at a time would be fetched less well.
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

// Rows of x up to which panels go one by one: with 16 rows a streamed panel takes as long as half
// of an expanded pair.
constexpr std::int64_t kStreamRows = 16;
// Then the shortest piece of a stream, 5 to 10 microseconds of a thread's share of the bandwidth,
// and the longest, whose sums take no more room than those of a strip.
constexpr std::int64_t kLeastBytes = 128 * 1024;
constexpr std::int64_t kMostPanels = 256;
// Of many rows. Their sums, 1 KiB a row, stay in the level 2 cache beside what passes by.
constexpr std::int64_t kStripPanels = 16;
constexpr std::int64_t kRowBlock = 512;
// Groups of rows of x in a stretch: 8 branches each. Measured on Zen 4: 4200 are learned, 16800 are
// not.
constexpr std::int64_t kStretchGroups = 2100;

std::int64_t panels_of(const WeightMatrix& w) {
  return ceil_div(w.rows, kPanelRows);
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

struct PanelProducts::RowBlock {
  std::int64_t begin;
  std::int64_t end;

  [[nodiscard]] std::int64_t count() const { return end - begin; }
};

/// Panels [begin, begin + count) of one matrix, or the same ones of two. The sums of panel p of
/// matrix i go to sums + (i * count + p - begin) * 16 * rows.
struct PanelProducts::Strip {
  const WeightMatrix* w[2];  // the second may be null
  std::int64_t begin;
  std::int64_t count;
  float* sums;

  [[nodiscard]] float* sums_of(std::int64_t matrix, std::int64_t panel, RowBlock rows) const {
    return sums + (matrix * count + panel) * kPanelRows * rows.count();
  }
};

/// Row after row, because rows of y are far apart.
void PanelProducts::store(const Strip& strip, RowBlock rows, std::span<const float> bias,
                          Matrix y) {
  for (std::int64_t m = rows.begin; m < rows.end; ++m) {
    for (std::int64_t i = 0; i < strip.count; ++i) {
      store_row(strip.sums_of(0, i, rows) + (m - rows.begin) * kPanelRows,
                (strip.begin + i) * kPanelRows, bias, y, m);
    }
  }
}

void PanelProducts::set_x(ConstMatrix x) {
  const std::int64_t blocks = ceil_div(x.cols, kGroupColumns) * x.rows;
  x_ = {grown(low_, blocks * kGroupColumns),
        grown(high_, blocks * kGroupColumns),
        grown(high_steps_, blocks),
        grown(sums16_, blocks * 16),
        grown(sums32_, blocks * 8),
        grown(sums64_, blocks * 4),
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

template <typename Body>
void PanelProducts::for_each_strip(std::int64_t panels, std::int64_t matrices, std::int64_t size,
                                   const Body& body) {
  const bool few = x_.rows <= kStreamRows;
  const std::int64_t most = (few ? kMostPanels : kStripPanels) / matrices;
  const std::int64_t room = matrices * most * kPanelRows * row_block();
  float* sums = grown(scratch_, room * pool_.num_threads());
  // Of many rows a strip has whole pairs of panels, and gate and up make one.
  const std::int64_t unit = few || matrices == 2 ? 1 : 2;
  const std::int64_t least =
      few ? std::clamp(kLeastBytes / size / matrices, std::int64_t{1}, most) : std::int64_t{1};
  for_each_share(pool_, ceil_div(panels, unit), least, most / unit,
                 [&](std::int64_t begin, std::int64_t end, std::int64_t slot) {
                   body(begin * unit, std::min(panels, end * unit), sums + slot * room);
                 });
}

std::int64_t PanelProducts::row_block() const {
  return ceil_div(ceil_div(x_.rows, ceil_div(x_.rows, kRowBlock)), std::int64_t{4}) * 4;
}

void PanelProducts::multiply(const Strip& strip, RowBlock rows) const {
  const StoredRows stored[2] = {StoredRows(*strip.w[0]),
                                StoredRows(strip.w[1] == nullptr ? *strip.w[0] : *strip.w[1])};
  PanelPairArgs args{};
  args.x = x_;
  args.m0 = rows.begin;
  args.m1 = rows.end;
  args.k = cols_;
  args.fine_codebook = fine_codebook_;
  const auto bytes = [&](std::int64_t matrix, std::int64_t panel) {
    const WeightMatrix& w = *strip.w[matrix];
    return reinterpret_cast<const unsigned char*>(w.data) +
           (strip.begin + panel) * panel_bytes(w.panel_format(), w.cols);
  };
  const auto set = [&](int slot, std::int64_t matrix, std::int64_t panel) {
    args.panels[slot] = bytes(matrix, panel);
    args.scales[slot] = stored[matrix].rows().scales;
    args.first_rows[slot] = (strip.begin + panel) * kPanelRows;
    args.y[slot] = strip.sums_of(matrix, panel, rows);
  };
  const PanelFormat format = strip.w[0]->panel_format();
  const auto run = table_.panel_pair[static_cast<std::size_t>(format)];
  const std::int64_t matrices = strip.w[1] == nullptr ? 1 : 2;
  if (x_.rows <= kStreamRows) {
    args.k1 = cols_;
    for (std::int64_t i = 0; i < matrices * strip.count; ++i) {
      set(0, i / strip.count, i % strip.count);
      run(args);
    }
    return;
  }
  const std::int64_t step = matrices == 2 ? 1 : 2;
  const std::int64_t stretch =
      std::max<std::int64_t>(1, kStretchGroups / rows.count()) * kGroupColumns;
  for (args.k0 = 0; args.k0 < cols_; args.k0 = args.k1) {
    args.k1 = std::min(cols_, args.k0 + stretch);
    for (std::int64_t p = 0; p < strip.count; p += step) {
      const bool alone = matrices == 1 && p + 1 == strip.count;
      set(0, 0, p);
      args.panels[1] = nullptr;
      if (!alone) {
        set(1, matrices - 1, p + 2 - matrices);
      }
      const bool last = p + step >= strip.count;
      const std::int64_t next = last ? 0 : p + step;
      const std::int64_t offset = panel_bytes(format, last ? args.k1 : args.k0);
      const bool more = !last || args.k1 < cols_;
      args.next[0] = more ? bytes(0, next) + offset : nullptr;
      args.next[1] = more ? bytes(matrices - 1, next + 2 - matrices) + offset : nullptr;
      run(args);
    }
  }
}

void PanelProducts::linear(std::span<const LinearPart> parts) {
  NOLENS_CHECK(!parts.empty());
  first_panels_.assign(1, 0);
  for (const LinearPart& part : parts) {
    NOLENS_CHECK(part.w.layout == WeightLayout::kPanels && part.w.cols == cols_);
    NOLENS_CHECK(part.y.rows == x_.rows && part.y.cols == part.w.rows);
    first_panels_.push_back(first_panels_.back() + panels_of(part.w));
  }
  const auto multiply_part = [&](const LinearPart& part, std::int64_t begin, std::int64_t end,
                                 float* sums) {
    const Strip strip{{&part.w, nullptr}, begin, end - begin, sums};
    for (std::int64_t m = 0; m < x_.rows; m += row_block()) {
      const RowBlock rows{m, std::min(x_.rows, m + row_block())};
      multiply(strip, rows);
      store(strip, rows, part.bias, part.y);
    }
  };
  const auto run = [&](std::int64_t begin, std::int64_t end, float* sums) {
    for (std::size_t p = 0; p < parts.size(); ++p) {
      const std::int64_t first = first_panels_[p];
      const std::int64_t from = std::max(begin, first);
      const std::int64_t to = std::min(end, first_panels_[p + 1]);
      if (from < to) {
        multiply_part(parts[p], from - first, to - first, sums);
      }
    }
  };
  for_each_strip(first_panels_.back(), 1, panel_bytes(parts[0].w.panel_format(), cols_), run);
}

void PanelProducts::gated_linear(const WeightMatrix& gate, const WeightMatrix& up,
                                 Activation activation, Matrix y) {
  NOLENS_CHECK(gate.layout == WeightLayout::kPanels && up.layout == WeightLayout::kPanels);
  NOLENS_CHECK(gate.panel_format() == up.panel_format() && gate.rows == up.rows &&
               gate.cols == cols_ && up.cols == cols_ && y.rows == x_.rows && y.cols == gate.rows);
  const auto activate = activation == Activation::kSilu ? table_.silu_gate : table_.gelu_gate;
  const auto run = [&](std::int64_t begin, std::int64_t end, float* memory) {
    const Strip strip{{&gate, &up}, begin, end - begin, memory};
    for (std::int64_t m = 0; m < x_.rows; m += row_block()) {
      const RowBlock rows{m, std::min(x_.rows, m + row_block())};
      multiply(strip, rows);
      for (std::int64_t i = 0; i < strip.count; ++i) {
        float* sums = strip.sums_of(0, i, rows);
        activate(sums, strip.sums_of(1, i, rows), rows.count() * kPanelRows, sums);
      }
      store(strip, rows, {}, y);
    }
  };
  for_each_strip(panels_of(gate), 2, panel_bytes(gate.panel_format(), cols_), run);
}

}  // namespace nolens
