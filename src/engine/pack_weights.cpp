// Weight by weight, so that at most one is there twice.
#include "engine/pack_weights.h"

#include "platform/release_pages.h"
#include "quantize/pack_panels.h"

namespace nolens {

void PackedWeights::pack(WeightMatrix& weight, ThreadPool& pool) {
  if (weight.empty() || weight.layout == WeightLayout::kPanels) {
    return;
  }
  const auto format = lossless_panels(weight);
  if (!format.has_value()) {
    return;
  }
  const std::int64_t bytes = panel_bytes(*format, weight.cols);
  AlignedBuffer<std::byte> panels(panel_count(weight.rows) * bytes, Unset{});
  pool.parallel_for(panel_count(weight.rows), 1, [&](std::int64_t begin, std::int64_t end) {
    pack_panels(weight, begin, end,
                panels.span().subspan(static_cast<std::size_t>(begin * bytes),
                                      static_cast<std::size_t>((end - begin) * bytes)));
  });
  // From here on the file's copy is not read again: its memory can serve others.
  release_pages({weight.data, static_cast<std::size_t>(weight.bytes())});
  if (weight.scales != nullptr) {
    scales_.push_back(panel_scales(*weight.scales, *format));
    weight.scales = &scales_.back();
  }
  weight.data = panels.data();
  weight.layout = WeightLayout::kPanels;
  panels_.push_back(std::move(panels));
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
