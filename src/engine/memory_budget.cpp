// memory_budget(): what is allocated where, added up.
//
// Each figure follows the code that allocates: KvCache::reserve, Activations, Context, the products
// and attention of kernels/cpu, ImageEmbedder. tests/engine/memory_budget_test.cpp compares the sum
// with what a session really allocates.
#include <algorithm>
#include <array>

#include "nolens/cost.h"

#include "core/checked_math.h"
#include "decoder/activations.h"
#include "decoder/kv_cache.h"
#include "engine/model_impl.h"
#include "kernels/kv_layout.h"

namespace nolens {
namespace {

constexpr std::int64_t kFloatBytes = 4;
constexpr std::int64_t kBf16Bytes = 2;
/// Of a row and 256 columns: two bytes a column, sums, scale, high steps (SplitRows).
constexpr std::int64_t kSplitGroupBytes = 2 * kGroupColumns + 28 * 4 + 4 + 8;
/// Of a thread, sums of 64 panels and up to 512 rows; of a step of up to 16 rows, hidden values:
/// kernels/cpu/panel_products.cpp.
constexpr std::int64_t kStripRowBytes = 64 * kPanelRows * kFloatBytes;
constexpr std::int64_t kStripRows = 512;
constexpr std::int64_t kFewRows = 16;
/// Of a thread: rows of queries with their head, two sums and a tile of scores,
/// kernels/cpu/attention_plan.cpp.
constexpr std::int64_t kQueryFloats = 32768;
constexpr std::int64_t kMostQueryRows = 64;
constexpr std::int64_t kNumbersPerQuery = 72;
/// Sums of a long context that threads share, kernels/cpu/attention_plan.cpp.
constexpr std::int64_t kSegmentPositions = 1024;
constexpr std::int64_t kMostPartialBytes = std::int64_t{32} << 20;
/// Of a token: its logit; where an answer is sampled, its changed logit and a candidate of 8 bytes.
constexpr std::int64_t kLogitBytes = kFloatBytes + kFloatBytes + 8;
/// Patches whose position rows are there at once, embed/image_embedder.cpp.
constexpr std::int64_t kPositionTile = 64;
/// Rows of pixels that are floats at once, kernels/cpu/cpu_backend.cpp.
constexpr std::int64_t kPixelTile = 96;

/// The decoder's weights that multiply a norm's output.
std::array<const WeightMatrix*, 5> outer_products(const LayerWeights& layer) {
  return {&layer.q_proj, &layer.k_proj, &layer.v_proj, &layer.gate_proj, &layer.up_proj};
}

/// Norms, which are floats whatever they are in the files.
std::int64_t norm_bytes(const DecoderWeights& weights) {
  std::size_t floats = weights.norm.size();
  for (const LayerWeights& layer : weights.layers) {
    floats += layer.input_layernorm.size() + layer.post_attention_layernorm.size() +
              layer.pre_feedforward_layernorm.size() + layer.post_feedforward_layernorm.size() +
              layer.q_norm.size() + layer.k_norm.size();
  }
  return static_cast<std::int64_t>(floats) * kFloatBytes;
}

std::int64_t file_bytes(const Model& model) {
  std::int64_t bytes = 0;
  for (const TensorGroup& group : model.tensor_groups()) {
    bytes += group.bytes;
  }
  return bytes;
}

/// Soft tokens of the largest picture.
std::int64_t picture_tokens(const ModelConfig& config, const MemoryUse& use) {
  const ImageProcessorConfig& processor = config.image_processor;
  if (processor.fixed_height > 0) {
    const std::int64_t side = config.vision->model_patch_size();
    return processor.fixed_height / side * (processor.fixed_width / side);
  }
  return use.image_tokens != 0 ? use.image_tokens : processor.max_soft_tokens;
}

/// Keys and values of the layers of one type.
std::int64_t cache_bytes(const TextConfig& text, LayerType type, KvType kv, std::int64_t context,
                         std::int64_t rows) {
  TextConfig part;
  part.sliding_window = text.sliding_window;
  std::copy_if(text.layers.begin(), text.layers.end(), std::back_inserter(part.layers),
               [type](const LayerConfig& layer) { return layer.type == type; });
  return KvCache::bytes_at(part, kv, context, rows);
}

/// A full layer's before it grew the last time: capacities double until the context is reached.
std::int64_t growth_bytes(const TextConfig& text, KvType kv, std::int64_t context,
                          std::int64_t rows) {
  const std::int64_t most = round_up(context, kKeyTile);
  std::int64_t before = round_up(rows, kKeyTile);
  while (2 * before < most) {
    before *= 2;
  }
  std::int64_t largest = 0;
  for (const LayerConfig& layer : text.layers) {
    if (layer.type == LayerType::kFullAttention && before < most) {
      largest = std::max(
          largest, before / kKeyTile * layer.num_key_value_heads *
                       (key_tile_bytes(kv, layer.head_dim) + value_tile_bytes(kv, layer.head_dim)));
    }
  }
  return largest;
}

/// Of a step's rotation angles, sines and cosines of each type of layer.
std::int64_t rope_floats(const TextConfig& text) {
  std::array<std::int64_t, 2> widths{};
  for (const LayerConfig& layer : text.layers) {
    widths[layer.type == LayerType::kSlidingAttention ? 0 : 1] = layer.head_dim;
  }
  return widths[0] + widths[1];
}

/// Of a row, what products make of it: the widest of each kind. Hidden columns of an MLP are there
/// beside their input.
struct RowBytes {
  std::int64_t outer = 0;
  std::int64_t inner = 0;
  std::int64_t rounded = 0;

  void add(const WeightMatrix& weight, bool is_outer) {
    std::int64_t& panels = is_outer ? outer : inner;
    if (weight.layout == WeightLayout::kPanels) {
      panels = std::max(panels, ceil_div(weight.cols, kGroupColumns) * kSplitGroupBytes);
    } else if (weight.dtype == DType::kBf16) {
      rounded = std::max(rounded, weight.cols * kBf16Bytes);
    }
  }
};

/// What products make of a step's rows, and their sums. Exact ones work on the rows themselves.
std::int64_t product_bytes(const Model::Impl& impl, std::int64_t rows, std::int64_t threads) {
  if (impl.exact) {
    return 0;
  }
  RowBytes row;
  std::int64_t few = 0;
  for (const LayerWeights& layer : impl.weights.layers) {
    const GatedMlp mlp{layer.gate_proj, layer.up_proj, layer.down_proj,
                       impl.config.text.hidden_activation};
    const bool whole = !impl.runtime->kernels->mlp_needs_scratch(mlp);
    few = std::max(few, whole ? layer.down_proj.cols * kFloatBytes : 0);
    row.add(layer.o_proj, false);
    row.add(layer.down_proj, false);
    for (const WeightMatrix* weight : outer_products(layer)) {
      row.add(*weight, true);
    }
  }
  const std::int64_t block =
      round_up(ceil_div(rows, ceil_div(rows, kStripRows)), std::int64_t{4});
  const std::int64_t split = row.outer + row.inner;
  return rows * (split + row.rounded) + std::min(rows, kFewRows) * few +
         (split > 0 ? threads * block * kStripRowBytes : 0);
}

/// Rows in work of all threads, and the sums they share.
std::int64_t attention_bytes(const TextConfig& text, std::int64_t context, std::int64_t threads) {
  std::int64_t widest = 0;
  std::int64_t scratch = 0;
  for (const LayerConfig& layer : text.layers) {
    const std::int64_t rows =
        std::clamp(kQueryFloats / layer.head_dim, std::int64_t{1}, kMostQueryRows);
    widest = std::max(widest, layer.head_dim);
    scratch = std::max(scratch, rows * (3 * padded_head_dim(layer.head_dim) + kNumbersPerQuery));
  }
  const std::int64_t segments = ceil_div(context, kSegmentPositions);
  const std::int64_t sums =
      segments * text.num_attention_heads * (padded_head_dim(widest) + 2) * kFloatBytes;
  return threads * scratch * kFloatBytes + (segments > 1 && sums <= kMostPartialBytes ? sums : 0);
}

/// Of a message's picture after scale_pictures(): what would grow stays as it is.
std::int64_t scaled_bytes(const ModelConfig& config, const MemoryUse& use) {
  return std::min(3 * use.picture_pixels,
                  picture_tokens(config, use) * config.vision->patch_values());
}

std::int64_t picture_bytes(const Model::Impl& impl, const MemoryUse& use) {
  const WeightMatrix& dense = impl.image_weights.patch_dense;
  const std::int64_t tokens = picture_tokens(impl.config, use);
  const std::int64_t patch_values = impl.config.vision->patch_values();
  const std::int64_t hidden = impl.config.vision->embedding_projection ? tokens * dense.rows : 0;
  // Gone before there are positions, unless it is rounded.
  const bool rounds = dense.dtype == DType::kBf16 && !impl.exact;
  const std::int64_t tile = std::min(kPixelTile, tokens) * patch_values;
  const std::int64_t positions = 2 * std::min(kPositionTile, tokens) * dense.rows;
  const std::int64_t passing = rounds ? positions : std::max(tile, positions);
  return scaled_bytes(impl.config, use) + tokens * patch_values +
         (rounds ? tokens * patch_values * kBf16Bytes : 0) + (hidden + passing) * kFloatBytes;
}

}  // namespace

MemoryBudget memory_budget(const Model& model, const MemoryUse& use) {
  const Model::Impl& impl = model.impl();
  const TextConfig& text = impl.config.text;
  const KvType kv = impl.kv_type(use.kv_cache);
  const bool sees = impl.config.vision.has_value() && use.picture_pixels > 0;
  // A picture is computed in one step.
  const std::int64_t rows = std::min(
      use.context_length,
      std::max(use.prefill_chunk, sees ? picture_tokens(impl.config, use) : std::int64_t{0}));

  MemoryBudget budget;
  budget.weights_mapped = file_bytes(model) - impl.packed.replaced_bytes();
  budget.weights_packed = impl.packed.bytes() + norm_bytes(impl.weights);
  budget.full_layers = cache_bytes(text, LayerType::kFullAttention, kv, use.context_length, rows);
  budget.sliding_layers =
      cache_bytes(text, LayerType::kSlidingAttention, kv, use.context_length, rows);
  budget.growth = growth_bytes(text, kv, use.context_length, rows);
  budget.activations = Activations::bytes_at(text, impl.weights, *impl.runtime->kernels, rows) +
                       rows * (text.hidden_size + rope_floats(text)) * kFloatBytes +
                       product_bytes(impl, rows, model.num_threads()) +
                       attention_bytes(text, use.context_length, model.num_threads());
  budget.logits = text.vocab_size * kLogitBytes;
  if (sees) {
    budget.picture = picture_bytes(impl, use);
    const std::int64_t scaled = scaled_bytes(impl.config, use);
    budget.decoding = 3 * use.picture_pixels > scaled ? 3 * use.picture_pixels + scaled : scaled;
  }
  return budget;
}

}  // namespace nolens
