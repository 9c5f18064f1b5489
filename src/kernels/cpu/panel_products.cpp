// Which thread multiplies which panels, in which order, and where the results go.
//
// Many rows of x: a strip is some pairs of panels, so that rows of y are written in long pieces.
// All its pairs pass one stretch of columns before the next: which blocks of x have high parts is a
// pattern of branches that the processor learns, if it is short enough, and then need not guess.
//
// In an MLP a strip has whole groups of hidden columns, which become integers before they leave the
// cache: as floats they are nowhere.
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
// Of many rows: each pair of a strip gains from what the pairs before it taught. The sums, 4 KiB a
// row, pass the level 2 cache once a stretch; beyond that nothing was gained.
constexpr std::int64_t kStripPanels = 64;
constexpr std::int64_t kRowBlock = 512;
// Rows are split where there are too few panels for all threads, but not below this: a pair of
// panels must serve many rows.
constexpr std::int64_t kLeastRows = 64;
constexpr std::int64_t kStripsPerThread = 4;
// Groups of rows of x in a stretch: 8 branches each. Measured on Zen 4: 16800 groups are not
// learned, and the fewer there are, the sooner.
constexpr std::int64_t kStretchGroups = 1024;
// Panels whose outputs are a group of the next product's columns.
constexpr std::int64_t kGroupPanels = kGroupColumns / kPanelRows;

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

/// Panels of one or two matrices for all rows of x.
struct PanelProducts::Work {
  std::int64_t rows;
  std::int64_t panels;
  std::int64_t matrices;
  std::int64_t unit;   // panels of each matrix that a strip has a multiple of
  std::int64_t bytes;  // of a panel
};

namespace {

/// Rows of a block: all blocks of `rows` about equal, and whole tiles of four.
std::int64_t block_rows(std::int64_t rows, std::int64_t blocks) {
  return round_up(ceil_div(rows, blocks), 4);
}

}  // namespace

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

void PanelProducts::store_hidden(const Strip& strip, RowBlock rows) const {
  alignas(64) float values[kGroupColumns];
  for (std::int64_t i = 0; i < strip.count; i += kGroupPanels) {
    const std::int64_t group = (strip.begin + i) / kGroupPanels;
    const SplitRows to = inner_.group(group);
    const std::int64_t panels = std::min(kGroupPanels, strip.count - i);
    const std::int64_t columns =
        std::min(panels * kPanelRows, inner_.cols() - group * kGroupColumns);
    for (std::int64_t m = rows.begin; m < rows.end; ++m) {
      for (std::int64_t p = 0; p < panels; ++p) {
        std::memcpy(values + p * kPanelRows,
                    strip.sums_of(0, i + p, rows) + (m - rows.begin) * kPanelRows,
                    sizeof(float) * kPanelRows);
      }
      table_.quantize_split(values, columns, m, to);
    }
  }
}

void PanelProducts::quantize(ConstMatrix x, SplitMatrix& to) {
  to.resize(x.rows, x.cols);
  for_rows(pool_, x.rows, x.cols, [&](std::int64_t m) {
    table_.quantize_split(x.row(m), x.cols, m, to.values());
  });
}

void PanelProducts::quantize(ConstMatrix x, const RmsNorm& norm, SplitMatrix& to) {
  to.resize(x.rows, x.cols);
  float* normed = grown(scratch_, x.cols * pool_.num_threads());
  for_rows(pool_, x.rows, x.cols, [&](std::int64_t m, std::int64_t slot) {
    float* row = normed + slot * x.cols;
    table_.rms_norm(x.row(m), norm.weight.data(), norm.eps, x.cols, row);
    table_.quantize_split(row, x.cols, m, to.values());
  });
}

template <typename Body>
void PanelProducts::for_each_strip(const Work& work, const Body& body) {
  const bool few = work.rows <= kStreamRows;
  const std::int64_t most = (few ? kMostPanels : kStripPanels) / work.matrices;
  const std::int64_t least =
      few ? std::clamp(kLeastBytes / work.bytes / work.matrices, std::int64_t{1}, most) : work.unit;
  const std::int64_t units = ceil_div(work.panels, work.unit);
  const std::int64_t splits =
      std::clamp(ceil_div(kStripsPerThread * pool_.num_threads(), units), std::int64_t{1},
                 std::max(std::int64_t{1}, work.rows / kLeastRows));
  const std::int64_t split_rows = block_rows(work.rows, splits);
  const std::int64_t block = block_rows(split_rows, ceil_div(split_rows, kRowBlock));
  const std::int64_t room = work.matrices * most * kPanelRows * block;
  float* sums = grown(scratch_, room * pool_.num_threads());
  const auto run = [&](std::int64_t split, std::int64_t begin, std::int64_t end, float* memory) {
    const std::int64_t first = begin * work.unit;
    const Strip strip{{}, first, std::min(work.panels, end * work.unit) - first, memory};
    const std::int64_t last_row = std::min(work.rows, (split + 1) * split_rows);
    for (std::int64_t m = split * split_rows; m < last_row; m += block) {
      body(strip, RowBlock{m, std::min(last_row, m + block)});
    }
  };
  for_each_share(pool_, splits * units, ceil_div(least, work.unit), most / work.unit,
                 [&](std::int64_t begin, std::int64_t end, std::int64_t slot) {
                   while (begin < end) {
                     const std::int64_t split = begin / units;
                     const std::int64_t stop = std::min(end, (split + 1) * units);
                     run(split, begin - split * units, stop - split * units, sums + slot * room);
                     begin = stop;
                   }
                 });
}

void PanelProducts::multiply(const SplitMatrix& x, const Strip& strip, RowBlock rows) const {
  const StoredRows stored[2] = {StoredRows(*strip.w[0]),
                                StoredRows(strip.w[1] == nullptr ? *strip.w[0] : *strip.w[1])};
  PanelPairArgs args{};
  args.x = x.values();
  args.m0 = rows.begin;
  args.m1 = rows.end;
  args.k = x.cols();
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
  if (x.rows() <= kStreamRows) {
    args.k1 = x.cols();
    for (std::int64_t i = 0; i < matrices * strip.count; ++i) {
      set(0, i / strip.count, i % strip.count);
      run(args);
    }
    return;
  }
  const std::int64_t step = matrices == 2 ? 1 : 2;
  const std::int64_t stretch =
      std::max<std::int64_t>(1, kStretchGroups / rows.count()) * kGroupColumns;
  for (args.k0 = 0; args.k0 < x.cols(); args.k0 = args.k1) {
    args.k1 = std::min(x.cols(), args.k0 + stretch);
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
      const bool more = !last || args.k1 < x.cols();
      args.next[0] = more ? bytes(0, next) + offset : nullptr;
      args.next[1] = more ? bytes(matrices - 1, next + 2 - matrices) + offset : nullptr;
      run(args);
    }
  }
}

void PanelProducts::multiply_parts(const SplitMatrix& x, std::span<const LinearPart> parts) {
  NOLENS_CHECK(!parts.empty());
  first_panels_.assign(1, 0);
  for (const LinearPart& part : parts) {
    NOLENS_CHECK(part.w.layout == WeightLayout::kPanels && part.w.cols == x.cols());
    NOLENS_CHECK(part.y.rows == x.rows() && part.y.cols == part.w.rows);
    first_panels_.push_back(first_panels_.back() + panels_of(part.w));
  }
  const Work work{x.rows(), first_panels_.back(), 1, x.rows() <= kStreamRows ? 1 : 2,
                  panel_bytes(parts[0].w.panel_format(), x.cols())};
  for_each_strip(work, [&](const Strip& all, RowBlock rows) {
    for (std::size_t p = 0; p < parts.size(); ++p) {
      const std::int64_t first = first_panels_[p];
      const std::int64_t from = std::max(all.begin, first);
      const std::int64_t to = std::min(all.begin + all.count, first_panels_[p + 1]);
      if (from < to) {
        const Strip strip{{&parts[p].w, nullptr}, from - first, to - from, all.sums};
        multiply(x, strip, rows);
        store(strip, rows, parts[p].bias, parts[p].y);
      }
    }
  });
}

void PanelProducts::multiply_gated(const GatedMlp& weights, Strip strip, RowBlock rows) const {
  const auto activate =
      weights.activation == Activation::kSilu ? table_.silu_gate : table_.gelu_gate;
  strip.w[0] = &weights.gate;
  strip.w[1] = &weights.up;
  multiply(normed_, strip, rows);
  for (std::int64_t i = 0; i < strip.count; ++i) {
    float* sums = strip.sums_of(0, i, rows);
    activate(sums, strip.sums_of(1, i, rows), rows.count() * kPanelRows, sums);
  }
}

void PanelProducts::linear(ConstMatrix x, const LinearPart& part) {
  quantize(x, inner_);
  multiply_parts(inner_, {&part, 1});
}

void PanelProducts::normed_linear(ConstMatrix x, const RmsNorm& norm,
                                  std::span<const LinearPart> parts) {
  quantize(x, norm, normed_);
  multiply_parts(normed_, parts);
}

void PanelProducts::mlp(ConstMatrix x, const RmsNorm& norm, const GatedMlp& weights, Matrix y) {
  const WeightMatrix& gate = weights.gate;
  const WeightMatrix& up = weights.up;
  NOLENS_CHECK(gate.layout == WeightLayout::kPanels && up.layout == WeightLayout::kPanels);
  NOLENS_CHECK(gate.panel_format() == up.panel_format() && gate.rows == up.rows &&
               gate.cols == x.cols && up.cols == x.cols);
  quantize(x, norm, normed_);
  const std::int64_t bytes = panel_bytes(gate.panel_format(), x.cols);
  if (x.rows <= kStreamRows) {
    const Matrix few{grown(few_rows_, x.rows * gate.rows), x.rows, gate.rows};
    for_each_strip({x.rows, panels_of(gate), 2, 1, bytes}, [&](const Strip& strip, RowBlock rows) {
      multiply_gated(weights, strip, rows);
      store(strip, rows, {}, few);
    });
    quantize(few, inner_);
  } else {
    inner_.resize(x.rows, gate.rows);
    for_each_strip({x.rows, panels_of(gate), 2, kGroupPanels, bytes},
                   [&](const Strip& strip, RowBlock rows) {
                     multiply_gated(weights, strip, rows);
                     store_hidden(strip, rows);
                   });
  }
  const LinearPart down{weights.down, {}, y};
  multiply_parts(inner_, {&down, 1});
}

}  // namespace nolens
