// Panels in pieces of a few megabytes, each shared by all threads.
#include "quantize/convert_tensor.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "nolens/error.h"

#include "core/check.h"
#include "core/checked_math.h"
#include "core/escape.h"
#include "formats/finite.h"
#include "formats/gguf/quantize_blocks.h"
#include "platform/release_pages.h"
#include "quantize/block_codes.h"
#include "quantize/pack_panels.h"
#include "quantize/row_values.h"

namespace nolens {
namespace {

constexpr std::int64_t kPieceBytes = std::int64_t{16} << 20;

/// Rows of a weight whose values are new: the stored floats, rounded.
class Rounder {
 public:
  Rounder(const TensorPlan& plan, const NestedScales* nested)
      : plan_(plan), source_(matrix_of(*plan.source)), nested_(nested) {
    if (needs_scales(plan.dtype)) {
      scales_.codebook = codebook_of(plan.dtype);
      scales_.block_size = kCodeBlock;
      scales_.value_dtype = DType::kF32;
      scales_.nested = nested != nullptr;
    }
  }

  /// One panel into `out`.
  void pack(std::int64_t panel, std::span<std::byte> out) {
    const std::int64_t begin = panel * kPanelRows;
    const std::int64_t rows = std::min(kPanelRows, source_.rows - begin);
    read(begin, rows);
    codes_.resize(static_cast<std::size_t>(rows * row_bytes(plan_.dtype, source_.cols)));
    WeightMatrix rounded{codes_.data(), plan_.dtype, rows, source_.cols};
    if (needs_scales(plan_.dtype)) {
      absmax_.resize(values_.size() / static_cast<std::size_t>(kCodeBlock));
      find_absmax(values_, absmax_);
      quantize_codes(plan_.dtype, values_, absmax_, codes_);
      // With nested scales only their codes are read, those of this panel's first block first.
      scales_.absmax = nested_ != nullptr
                           ? nested_->codes.data() + begin * source_.cols / kCodeBlock
                           : reinterpret_cast<const unsigned char*>(absmax_.data());
      rounded.scales = &scales_;
    } else {
      quantize_row(plan_.dtype, values_, codes_);
    }
    pack_panels(rounded, 0, 1, out);
  }

  void round_row(std::int64_t row, std::span<std::byte> out) {
    read(row, 1);
    quantize_row(plan_.dtype, values_, out);
  }

  void find_scales(std::int64_t row, std::span<float> absmax) {
    read(row, 1);
    find_absmax(values_, absmax);
  }

 private:
  void read(std::int64_t begin, std::int64_t rows) {
    const auto cols = static_cast<std::size_t>(source_.cols);
    values_.resize(static_cast<std::size_t>(rows) * cols);
    for (std::int64_t r = 0; r < rows; ++r) {
      row_values(source_, begin + r,
                 std::span(values_).subspan(static_cast<std::size_t>(r) * cols, cols));
    }
    if (!all_finite(values_)) {
      throw Error(ErrorCode::kModel, plan_.source->file + ": tensor '" +
                                         escape_for_message(plan_.source->name) +
                                         "' has a value in rows " + std::to_string(begin) + " to " +
                                         std::to_string(begin + rows - 1) +
                                         " that is not finite; it cannot be quantised");
    }
  }

  const TensorPlan& plan_;
  WeightMatrix source_;
  const NestedScales* nested_;
  WeightScales scales_;
  std::vector<float> values_;
  std::vector<float> absmax_;
  std::vector<std::byte> codes_;
};

PanelFormat format_of(const TensorPlan& plan) {
  const auto format = plan.conversion == Conversion::kRepack
                          ? lossless_panels(matrix_of(*plan.source))
                          : panel_format(plan.dtype, plan.nested);
  NOLENS_CHECK(format);
  return *format;
}

class Converter {
 public:
  Converter(const TensorPlan& plan, ThreadPool& pool, const ConvertOptions& options,
            const ByteSink& sink)
      : plan_(plan),
        source_(matrix_of(*plan.source)),
        pool_(pool),
        options_(options),
        sink_(sink) {}

  void copy() {
    const auto unit = traits(plan_.dtype).bytes;
    const std::int64_t piece = kPieceBytes / unit * unit;
    for (std::int64_t begin = 0; begin < plan_.source->bytes; begin += piece) {
      const std::int64_t bytes = std::min(piece, plan_.source->bytes - begin);
      check_stored(begin, bytes);
      sink_({plan_.source->data + begin, static_cast<std::size_t>(bytes)});
      leave(begin, bytes);
    }
  }

  void repack() {
    const PanelFormat format = format_of(plan_);
    each_piece(
        panel_count(source_.rows), kPanelRows, panel_bytes(format, source_.cols),
        [&](std::int64_t first, std::int64_t begin, std::int64_t end, std::span<std::byte> out) {
          pack_panels(source_, first + begin, first + end, out);
        });
  }

  void round_panels(const NestedScales* nested) {
    const std::int64_t bytes = panel_bytes(format_of(plan_), source_.cols);
    each_piece(
        panel_count(source_.rows), kPanelRows, bytes,
        [&](std::int64_t first, std::int64_t begin, std::int64_t end, std::span<std::byte> out) {
          Rounder rounder(plan_, nested);
          for (std::int64_t panel = begin; panel < end; ++panel) {
            rounder.pack(first + panel, part(out, panel - begin, bytes));
          }
        });
  }

  void round_rows() {
    const std::int64_t bytes = row_bytes(plan_.dtype, source_.cols);
    each_piece(
        source_.rows, 1, bytes,
        [&](std::int64_t first, std::int64_t begin, std::int64_t end, std::span<std::byte> out) {
          Rounder rounder(plan_, nullptr);
          for (std::int64_t row = begin; row < end; ++row) {
            rounder.round_row(first + row, part(out, row - begin, bytes));
          }
        });
  }

  /// A pass of its own: the offset is a mean over the whole weight.
  NestedScales find_nested_scales() {
    const auto blocks = static_cast<std::size_t>(source_.cols / kCodeBlock);
    std::vector<float> absmax(static_cast<std::size_t>(source_.rows) * blocks);
    const std::int64_t step = std::max<std::int64_t>(1, kPieceBytes / source_.bytes_per_row());
    for (std::int64_t first = 0; first < source_.rows; first += step) {
      const std::int64_t count = std::min(step, source_.rows - first);
      pool_.parallel_for(count, 1, [&](std::int64_t begin, std::int64_t end) {
        Rounder rounder(plan_, nullptr);
        for (std::int64_t row = first + begin; row < first + end; ++row) {
          rounder.find_scales(
              row, std::span(absmax).subspan(static_cast<std::size_t>(row) * blocks, blocks));
        }
      });
      options_.tick(0);
      release(first * source_.bytes_per_row(), count * source_.bytes_per_row());
    }
    return nest_scales(absmax);
  }

 private:
  static std::span<std::byte> part(std::span<std::byte> out, std::int64_t index,
                                   std::int64_t bytes) {
    return out.subspan(static_cast<std::size_t>(index * bytes), static_cast<std::size_t>(bytes));
  }

  /// Units of `unit_rows` rows that become `unit_bytes` bytes, a few megabytes at a time.
  /// make(first, begin, end, out) makes units [first + begin, first + end).
  template <typename Make>
  void each_piece(std::int64_t units, std::int64_t unit_rows, std::int64_t unit_bytes,
                  const Make& make) {
    const std::int64_t source_unit = unit_rows * source_.bytes_per_row();
    const std::int64_t step =
        std::max<std::int64_t>(1, kPieceBytes / std::max(unit_bytes, source_unit));
    std::vector<std::byte> buffer;
    for (std::int64_t first = 0; first < units; first += step) {
      const std::int64_t count = std::min(step, units - first);
      const std::int64_t at = first * source_unit;
      const std::int64_t bytes = std::min(count * source_unit, source_.bytes() - at);
      if (plan_.conversion == Conversion::kRepack) {
        check_stored(at, bytes);
      }
      buffer.resize(static_cast<std::size_t>(count * unit_bytes));
      pool_.parallel_for(count, 1, [&](std::int64_t begin, std::int64_t end) {
        make(first, begin, end,
             std::span(buffer).subspan(static_cast<std::size_t>(begin * unit_bytes),
                                       static_cast<std::size_t>((end - begin) * unit_bytes)));
      });
      sink_(buffer);
      leave(at, bytes);
    }
  }

  /// What is taken over bit for bit is looked at as loading does. \throws Error{kModel}
  void check_stored(std::int64_t begin, std::int64_t bytes) const {
    TensorView piece = *plan_.source;
    if (!needs_scales(piece.dtype)) {
      piece.data += begin;
      piece.bytes = bytes;
    } else if (begin > 0) {
      return;  // its scales were all looked at with the first piece
    }
    if (find_nonfinite(piece)) {
      check_finite(*plan_.source);
    }
  }

  void release(std::int64_t begin, std::int64_t bytes) const {
    if (options_.release_sources) {
      release_pages({source_.data + begin, static_cast<std::size_t>(bytes)});
    }
  }
  void leave(std::int64_t begin, std::int64_t bytes) const {
    release(begin, bytes);
    options_.tick(bytes);
  }

  const TensorPlan& plan_;
  WeightMatrix source_;
  ThreadPool& pool_;
  const ConvertOptions& options_;
  const ByteSink& sink_;
};

/// The nested scales of a weight that keeps its own.
std::vector<float> kept_scales(const WeightScales& scales, std::int64_t values) {
  const std::int64_t count =
      ceil_div(ceil_div(values, scales.block_size), scales.nested_block_size);
  std::vector<float> kept(static_cast<std::size_t>(count));
  std::memcpy(kept.data(), scales.nested_absmax, kept.size() * sizeof(float));
  kept.push_back(scales.nested_offset);
  return kept;
}

}  // namespace

std::int64_t converted_bytes(const TensorPlan& plan) {
  const WeightMatrix source = matrix_of(*plan.source);
  if (plan.conversion == Conversion::kCopy) {
    return plan.source->bytes;
  }
  return is_plain(plan.dtype) ? source.rows * row_bytes(plan.dtype, source.cols)
                              : panels_bytes(format_of(plan), source.rows, source.cols);
}

std::vector<float> convert_tensor(const TensorPlan& plan, ThreadPool& pool,
                                  const ConvertOptions& options, const ByteSink& sink) {
  Converter converter(plan, pool, options, sink);
  const WeightMatrix source = matrix_of(*plan.source);
  if (plan.conversion != Conversion::kRound) {
    plan.conversion == Conversion::kCopy ? converter.copy() : converter.repack();
    return plan.nested ? kept_scales(*source.scales, source.rows * source.cols)
                       : std::vector<float>{};
  }
  if (is_plain(plan.dtype)) {
    converter.round_rows();
    return {};
  }
  if (!plan.nested) {
    converter.round_panels(nullptr);
    return {};
  }
  NestedScales nested = converter.find_nested_scales();
  converter.round_panels(&nested);
  nested.absmax.push_back(nested.offset);
  return std::move(nested.absmax);
}

}  // namespace nolens
