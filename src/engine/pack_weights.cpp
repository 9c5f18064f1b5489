// Piece by piece, so that hardly anything is there twice.
#include "engine/pack_weights.h"

#include <algorithm>
#include <numeric>

#include "platform/release_pages.h"
#include "quantize/pack_panels.h"

namespace nolens {
namespace {

/// What is packed before the file's copy of it is given back.
constexpr std::int64_t kPieceBytes = std::int64_t{16} << 20;

/// Rows before `end` are not read again: their memory can serve others.
void release_rows(const WeightMatrix& weight, std::int64_t end) {
  const std::int64_t bytes = std::min(end, weight.rows) * weight.bytes_per_row();
  release_pages({weight.data, static_cast<std::size_t>(bytes)});
}

}  // namespace

void PackedWeights::pack(WeightMatrix& weight, ThreadPool& pool) {
  if (weight.empty() || weight.layout == WeightLayout::kPanels) {
    return;
  }
  const auto format = lossless_panels(weight);
  if (!format.has_value()) {
    return;
  }
  const std::int64_t bytes = panel_bytes(*format, weight.cols);
  const std::int64_t count = panel_count(weight.rows);
  const std::int64_t piece = std::max<std::int64_t>(1, kPieceBytes / bytes);
  AlignedBuffer<std::byte> panels(count * bytes, Unset{});
  for (std::int64_t first = 0; first < count; first += piece) {
    const std::int64_t last = std::min(count, first + piece);
    pool.parallel_for(last - first, 1, [&](std::int64_t begin, std::int64_t end) {
      pack_panels(weight, first + begin, first + end,
                  panels.span().subspan(static_cast<std::size_t>((first + begin) * bytes),
                                        static_cast<std::size_t>((end - begin) * bytes)));
    });
    release_rows(weight, last * kPanelRows);
  }
  replaced_bytes_ += weight.bytes();
  if (weight.scales != nullptr) {
    scales_.push_back(panel_scales(*weight.scales, *format));
    weight.scales = &scales_.back();
  }
  weight.data = panels.data();
  weight.layout = WeightLayout::kPanels;
  panels_.push_back(std::move(panels));
}

std::int64_t PackedWeights::bytes() const noexcept {
  return std::accumulate(panels_.begin(), panels_.end(), std::int64_t{0},
                         [](std::int64_t sum, const auto& panels) { return sum + panels.size(); });
}

void PackedWeights::pack(DecoderWeights& weights, ThreadPool& pool, const ProgressSink& progress) {
  const bool tied = weights.lm_head.data == weights.embed_tokens.data;
  pack(weights.embed_tokens, pool);
  if (tied) {
    weights.lm_head = weights.embed_tokens;
  } else {
    pack(weights.lm_head, pool);
  }
  for (std::size_t i = 0; i < weights.layers.size(); ++i) {
    LayerWeights& layer = weights.layers[i];
    for (WeightMatrix* weight : {&layer.q_proj, &layer.k_proj, &layer.v_proj, &layer.o_proj,
                                 &layer.gate_proj, &layer.up_proj, &layer.down_proj}) {
      pack(*weight, pool);
    }
    if (progress) {
      progress(static_cast<double>(i + 1) / static_cast<double>(weights.layers.size()));
    }
  }
}

}  // namespace nolens
