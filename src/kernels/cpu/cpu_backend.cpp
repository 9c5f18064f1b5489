// Shapes, threads and scratch memory; the arithmetic is in the table. Attention's work list is in
// attention_plan.cpp.
#include "kernels/cpu/cpu_backend.h"

#include <algorithm>

#include "core/aligned_buffer.h"
#include "core/check.h"
#include "kernels/cpu/attention_plan.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/for_each_chunk.h"
#include "kernels/cpu/grown.h"
#include "kernels/cpu/kv_store.h"
#include "kernels/cpu/panel_products.h"
#include "kernels/cpu/stored_rows.h"

namespace nolens {
namespace {

// Multiplications of a product too small to share.
constexpr std::int64_t kSerialProduct = 64 * 1024;
// Outputs a thread takes at a time with many rows: x streams from the level 3 cache once per chunk,
// at 4 bytes per 32 multiplications and lane.
constexpr std::int64_t kOutputsPerChunk = 32;
// Rows of pixels that are floats at once where a product takes floats: a multiple of every register
// tile, and enough for the weights to be read from memory few times.
constexpr std::int64_t kPixelTile = 96;

void check_same_shape(ConstMatrix a, ConstMatrix b) {
  NOLENS_CHECK(a.rows == b.rows && a.cols == b.cols);
}

std::int64_t size_of(std::span<const float> values) noexcept {
  return static_cast<std::int64_t>(values.size());
}

class CpuKernels final : public Kernels {
 public:
  CpuKernels(const KernelTable& table, ThreadPool& pool, const KernelOptions& options)
      : table_(table), pool_(pool), options_(options), panels_(table, pool, !options.byte_codebook) {}

  [[nodiscard]] const char* name() const noexcept override { return table_.name; }

  void embed_rows(std::span<const TokenId> ids, const WeightMatrix& table, float scale,
                  Matrix y) override {
    check_weight(table);
    NOLENS_CHECK(static_cast<std::int64_t>(ids.size()) == y.rows && y.cols == table.cols);
    for (const TokenId id : ids) {
      NOLENS_CHECK(id >= 0 && id < table.rows);
    }
    const KernelTable::Expand expand =
        in_panels(table) ? table_.expand_panels[static_cast<std::size_t>(table.panel_format())]
                         : table_.expand[static_cast<std::size_t>(table.dtype)];
    const StoredRows stored(table);
    for_rows(pool_, y.rows, y.cols, [&](std::int64_t t) {
      expand(stored.rows(), ids[static_cast<std::size_t>(t)], 0, y.cols, scale, y.row(t));
    });
  }

  void rms_norm(ConstMatrix x, std::span<const float> weight, float eps, Matrix y) override {
    check_same_shape(x, y);
    check_norm({weight, eps}, x);
    for_rows(pool_, x.rows, x.cols, [&](std::int64_t t) {
      table_.rms_norm(x.row(t), weight.data(), eps, x.cols, y.row(t));
    });
  }

  void layer_norm(ConstMatrix x, std::span<const float> weight, std::span<const float> bias,
                  float eps, Matrix y) override {
    check_same_shape(x, y);
    NOLENS_CHECK(size_of(weight) == x.cols && size_of(bias) == x.cols);
    for_rows(pool_, x.rows, x.cols, [&](std::int64_t t) {
      table_.layer_norm(x.row(t), weight.data(), bias.data(), eps, x.cols, y.row(t));
    });
  }

  void rms_norm_heads(ConstMatrix x, std::int64_t heads, std::span<const float> weight, float eps,
                      Matrix y) override {
    check_same_shape(x, y);
    const std::int64_t head_dim = check_heads(heads, x);
    NOLENS_CHECK(weight.empty() || size_of(weight) == head_dim);
    for_rows(pool_, x.rows, x.cols, [&](std::int64_t t) {
      for (std::int64_t h = 0; h < heads; ++h) {
        const std::int64_t head = h * head_dim;
        table_.rms_norm(x.row(t) + head, weight.data(), eps, head_dim, y.row(t) + head);
      }
    });
  }

  void linear(ConstMatrix x, const WeightMatrix& w, std::span<const float> bias,
              Matrix y) override {
    check_weight(w);
    NOLENS_CHECK(x.cols == w.cols && x.rows == y.rows && y.cols == w.rows);
    NOLENS_CHECK(bias.empty() || size_of(bias) == w.rows);
    if (x.rows == 0 || w.rows == 0) {
      return;
    }
    if (multiplies_panels(w)) {
      panels_.linear(x, {w, bias, y});
    } else if (rounds_to_bf16(w)) {
      linear_bf16_rounded(x, w, bias, y);
    } else if (!options_.exact && w.dtype == DType::kQ8_0 && table_.linear_q8_0_int8 != nullptr) {
      linear_int8(x, w, bias, y);
    } else {
      const KernelTable::Linear kernel =
          in_panels(w) ? table_.linear_panels[static_cast<std::size_t>(w.panel_format())]
                       : table_.linear[static_cast<std::size_t>(w.dtype)];
      const StoredRows stored(w);
      LinearArgs<float> args{x.data,      x.stride, x.rows,   x.cols, stored.rows(),
                             bias.data(), y.data,   y.stride, 0,      0};
      for_outputs(x.rows, w, [&](std::int64_t begin, std::int64_t end) {
        LinearArgs<float> part = args;
        part.n0 = begin;
        part.n1 = end;
        kernel(part);
      });
    }
  }

  void normed_linear(ConstMatrix x, const RmsNorm& norm, std::span<const LinearPart> parts,
                     Matrix scratch) override {
    check_same_shape(x, scratch);
    check_norm(norm, x);
    const auto in_one_go = [this](const LinearPart& part) { return multiplies_panels(part.w); };
    if (x.rows > 0 && std::all_of(parts.begin(), parts.end(), in_one_go)) {
      for (const LinearPart& part : parts) {
        check_weight(part.w);
        NOLENS_CHECK(part.bias.empty() || size_of(part.bias) == part.w.rows);
      }
      panels_.normed_linear(x, norm, parts);
      return;
    }
    rms_norm(x, norm.weight, norm.eps, scratch);
    for (const LinearPart& part : parts) {
      linear(scratch, part.w, part.bias, part.y);
    }
  }

  void mlp(ConstMatrix x, const RmsNorm& norm, const GatedMlp& weights, Matrix scratch,
           Matrix y) override {
    check_same_shape(x, y);
    check_norm(norm, x);
    if (!mlp_needs_scratch(weights)) {
      for (const WeightMatrix* w : {&weights.gate, &weights.up, &weights.down}) {
        check_weight(*w);
      }
      if (x.rows > 0) {
        panels_.mlp(x, norm, weights, y);
      }
      return;
    }
    NOLENS_CHECK(scratch.rows == 2 * x.rows && scratch.cols == weights.gate.rows);
    const Matrix gate = scratch.row_range(0, x.rows);
    const Matrix up = scratch.row_range(x.rows, scratch.rows);
    rms_norm(x, norm.weight, norm.eps, y);
    linear(y, weights.gate, {}, gate);
    linear(y, weights.up, {}, up);
    gated_activation(gate, up, weights.activation, gate);
    linear(gate, weights.down, {}, y);
  }

  [[nodiscard]] bool mlp_needs_scratch(const GatedMlp& weights) const noexcept override {
    return !multiplies_panels(weights.gate) || !multiplies_panels(weights.up) ||
           !multiplies_panels(weights.down) ||
           weights.gate.panel_format() != weights.up.panel_format();
  }

  void pixel_linear(const PixelRows& x, const RowNorm& norm, const WeightMatrix& w,
                    std::span<const float> bias, Matrix y) override {
    check_weight(w);
    NOLENS_CHECK(x.cols == w.cols && x.rows == y.rows && y.cols == w.rows);
    NOLENS_CHECK(bias.empty() || size_of(bias) == w.rows);
    NOLENS_CHECK(norm.weight.empty() || size_of(norm.weight) == x.cols);
    NOLENS_CHECK(size_of(norm.bias) == size_of(norm.weight));
    if (rounds_to_bf16(w)) {
      round_pixels(x, norm);
      multiply_rounded(x.rows, w, bias, y);
      return;
    }
    const std::int64_t tile = std::min(kPixelTile, x.rows);
    AlignedBuffer<float> values(tile * x.cols, Unset{});
    for (std::int64_t begin = 0; begin < x.rows; begin += tile) {
      const std::int64_t end = std::min(x.rows, begin + tile);
      const Matrix rows{values.data(), end - begin, x.cols};
      for_rows(pool_, rows.rows, x.cols,
               [&](std::int64_t t) { make_values(x, begin + t, norm, rows.row(t)); });
      linear(rows, w, bias, y.row_range(begin, end));
    }
  }

  void rope(ConstMatrix cos, ConstMatrix sin, std::int64_t heads, Matrix x) override {
    const std::int64_t head_dim = check_heads(heads, x);
    NOLENS_CHECK(head_dim % 2 == 0);
    check_same_shape(cos, sin);
    NOLENS_CHECK(cos.rows == x.rows && cos.cols == head_dim / 2);
    for_rows(pool_, x.rows, x.cols, [&](std::int64_t t) {
      for (std::int64_t h = 0; h < heads; ++h) {
        table_.rope(cos.row(t), sin.row(t), head_dim / 2, x.row(t) + h * head_dim);
      }
    });
  }

  void store_kv(ConstMatrix k, ConstMatrix v, std::span<const SequenceSlice> sequences) override {
    check_same_shape(k, v);
    for (const SequenceSlice& sequence : sequences) {
      check_sequence(sequence, k.rows);
      NOLENS_CHECK(k.cols == sequence.kv.num_heads * sequence.kv.head_dim);
      const KvStore store(table_, sequence.kv);
      for_rows(pool_, sequence.row_count, k.cols, [&](std::int64_t i) {
        store.write(sequence.first_position + i, k.row(sequence.first_row + i),
                    v.row(sequence.first_row + i));
      });
    }
  }

  void attention(const AttentionArgs& args, Matrix y) override {
    check_same_shape(args.q, y);
    check_attention(args);
    const AttentionPlan& plan = plan_.make(args, pool_.num_threads());
    float* scratch =
        grown(scratch_, plan.scratch_floats * pool_.num_threads() + plan.partial_floats);
    float* partials = scratch + plan.scratch_floats * pool_.num_threads();
    const AttentionRun run(table_, args, plan, partials, y);
    for_each_chunk(pool_, static_cast<std::int64_t>(plan.items.size()), 1,
                   [&](std::int64_t index, std::int64_t, std::int64_t slot) {
                     run.item(index, scratch + slot * plan.scratch_floats);
                   });
    for_each_chunk(pool_, static_cast<std::int64_t>(plan.merges.size()), 1,
                   [&](std::int64_t index, std::int64_t, std::int64_t slot) {
                     run.merge(index, scratch + slot * plan.scratch_floats);
                   });
  }

  void gated_activation(ConstMatrix gate, ConstMatrix up, Activation activation,
                        Matrix y) override {
    check_same_shape(gate, up);
    check_same_shape(gate, y);
    const auto kernel = activation == Activation::kSilu ? table_.silu_gate : table_.gelu_gate;
    for_pieces(pool_, y, [&](std::int64_t t, std::int64_t begin, std::int64_t n) {
      kernel(gate.row(t) + begin, up.row(t) + begin, n, y.row(t) + begin);
    });
  }

  void add(ConstMatrix x, Matrix y) override {
    check_same_shape(x, y);
    for_rows(pool_, y.rows, y.cols, [&](std::int64_t t) { table_.add(x.row(t), y.cols, y.row(t)); });
  }

  void add_rms_norm(ConstMatrix x, const RmsNorm& norm, float factor, Matrix y) override {
    check_same_shape(x, y);
    check_norm(norm, x);
    float* normed = grown(scratch_, x.cols * pool_.num_threads());
    for_rows(pool_, x.rows, x.cols, [&](std::int64_t t, std::int64_t slot) {
      float* row = normed + slot * x.cols;
      table_.rms_norm(x.row(t), norm.weight.data(), norm.eps, x.cols, row);
      table_.add(row, x.cols, y.row(t));
      table_.scale(factor, x.cols, y.row(t));
    });
  }

  void softcap(float cap, Matrix x) override {
    NOLENS_CHECK(cap > 0.0F);
    for_pieces(pool_, x, [&](std::int64_t t, std::int64_t begin, std::int64_t n) {
      table_.softcap(cap, n, x.row(t) + begin);
    });
  }

 private:
  static void check_weight(const WeightMatrix& w) {
    NOLENS_CHECK(!w.empty() && w.rows >= 0 && w.cols > 0 && w.cols % block_size(w.dtype) == 0);
    NOLENS_CHECK(!needs_scales(w.dtype) || w.scales != nullptr);
    NOLENS_CHECK(!in_panels(w) || (panel_format(w.dtype, false).has_value() &&
                                   fits_panels(w.panel_format(), w.cols)));
  }

  static void check_norm(const RmsNorm& norm, ConstMatrix x) {
    NOLENS_CHECK(norm.weight.empty() || size_of(norm.weight) == x.cols);
  }

  static bool in_panels(const WeightMatrix& w) noexcept { return w.layout == WeightLayout::kPanels; }

  [[nodiscard]] bool multiplies_panels(const WeightMatrix& w) const noexcept {
    return !options_.exact && in_panels(w);
  }

  [[nodiscard]] bool rounds_to_bf16(const WeightMatrix& w) const noexcept {
    return !options_.exact && !in_panels(w) && w.dtype == DType::kBf16 &&
           table_.linear_bf16_rounded != nullptr;
  }

  static std::int64_t check_heads(std::int64_t heads, ConstMatrix x) {
    NOLENS_CHECK(heads > 0 && x.cols % heads == 0);
    return x.cols / heads;
  }

  /// body(first output, end) for a product of `rows` rows with w.
  template <typename Body>
  void for_outputs(std::int64_t rows, const WeightMatrix& w, const Body& body) {
    const std::int64_t n = w.rows;
    if (rows * w.cols * n <= kSerialProduct) {
      body(std::int64_t{0}, n);
      return;
    }
    // Few rows: long streams through memory, a few per thread so that a slow thread takes fewer.
    const std::int64_t share = round_up(ceil_div(n, pool_.num_threads() * std::int64_t{8}), 16);
    const std::int64_t chunk = rows <= table_.tile_m ? share : std::min(share, kOutputsPerChunk);
    for_each_chunk(pool_, n, chunk,
                   [&](std::int64_t begin, std::int64_t end, std::int64_t) { body(begin, end); });
  }

  void linear_bf16_rounded(ConstMatrix x, const WeightMatrix& w, std::span<const float> bias,
                           Matrix y) {
    std::uint16_t* rounded = grown(rounded_, x.rows * x.cols);
    for_rows(pool_, x.rows, x.cols,
             [&](std::int64_t t) { table_.round_bf16(x.row(t), x.cols, rounded + t * x.cols); });
    multiply_rounded(x.rows, w, bias, y);
  }

  /// The values of row t, normed.
  void make_values(const PixelRows& x, std::int64_t t, const RowNorm& norm, float* values) const {
    table_.pixel_values(x.row(t), x.scale.factor, x.scale.divisor, x.cols, values);
    if (!norm.weight.empty()) {
      table_.layer_norm(values, norm.weight.data(), norm.bias.data(), norm.eps, x.cols, values);
    }
  }

  /// x, normed, to rounded_. Each thread holds the values of one row at a time.
  void round_pixels(const PixelRows& x, const RowNorm& norm) {
    float* values = grown(scratch_, x.cols * pool_.num_threads());
    std::uint16_t* rounded = grown(rounded_, x.rows * x.cols);
    for_each_chunk(pool_, x.rows, 1, [&](std::int64_t t, std::int64_t, std::int64_t slot) {
      float* row = values + slot * x.cols;
      make_values(x, t, norm, row);
      table_.round_bf16(row, x.cols, rounded + t * x.cols);
    });
  }

  /// The product of rounded_ with w.
  void multiply_rounded(std::int64_t rows, const WeightMatrix& w, std::span<const float> bias,
                        Matrix y) {
    if (rows == 0 || w.rows == 0) {
      return;
    }
    for_outputs(rows, w, [&](std::int64_t begin, std::int64_t end) {
      table_.linear_bf16_rounded({rounded_.data(), w.cols, rows, w.cols, StoredRows(w).rows(),
                                  bias.data(), y.data, y.stride, begin, end});
    });
  }

  void linear_int8(ConstMatrix x, const WeightMatrix& w, std::span<const float> bias, Matrix y) {
    const std::int64_t blocks = x.cols / kQ8_0BlockSize;
    const Int8Rows q{grown(int8_values_, x.rows * x.cols), grown(int8_scales_, x.rows * blocks),
                     grown(int8_sums_, x.rows * blocks)};
    for_rows(pool_, x.rows, x.cols, [&](std::int64_t t) {
      table_.quantize_int8(x.row(t), blocks, q.q + t * x.cols, q.scales + t * blocks,
                           q.sums + t * blocks);
    });
    for_outputs(x.rows, w, [&](std::int64_t begin, std::int64_t end) {
      table_.linear_q8_0_int8(
          {q, x.rows, x.cols, StoredRows(w).rows(), bias.data(), y.data, y.stride, begin, end});
    });
  }

  const KernelTable& table_;
  ThreadPool& pool_;
  KernelOptions options_;
  PanelProducts panels_;
  AttentionPlanner plan_;
  AlignedBuffer<float> scratch_;
  AlignedBuffer<std::uint16_t> rounded_;
  AlignedBuffer<std::int8_t> int8_values_;
  AlignedBuffer<float> int8_scales_;
  AlignedBuffer<std::int32_t> int8_sums_;
};

}  // namespace

std::unique_ptr<Kernels> make_cpu_kernels(const KernelTable& table, ThreadPool& pool,
                                          const KernelOptions& options) {
  return std::make_unique<CpuKernels>(table, pool, options);
}

std::unique_ptr<Kernels> make_cpu_kernels(ThreadPool& pool, const KernelOptions& options) {
  return make_cpu_kernels(choose_table(), pool, options);
}

}  // namespace nolens
