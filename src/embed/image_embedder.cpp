// The patch embedder of gemma4_unified and its simpler variants.
#include "embed/image_embedder.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "core/check.h"
#include "formats/tensor_values.h"

namespace nolens {

namespace {

/// PyTorch's default, which the reference does not override; rms_norm_eps is for the RMSNorm only.
constexpr float kLayerNormEps = 1e-5F;
/// Patches whose positions are looked up together: their two rows, 15 KiB each at width 3840, stay
/// in cache.
constexpr std::int64_t kPositionTile = 64;
constexpr std::span<const float> kNoWeight{};
constexpr std::span<const float> kNoBias{};

}  // namespace

ImageEmbedderWeights image_embedder_weights(const VisionConfig& config, const TensorStore& store) {
  const std::string root = "model.vision_embedder.";
  ImageEmbedderWeights w;
  if (config.patch_ln1) {
    w.patch_ln1_weight = float_values(store, root + "patch_ln1.weight");
    w.patch_ln1_bias = float_values(store, root + "patch_ln1.bias");
  }
  w.patch_dense = weight_matrix(store, root + "patch_dense.weight");
  if (config.patch_bias) {
    w.patch_dense_bias = float_values(store, root + "patch_dense.bias");
  }
  if (config.patch_ln2) {
    w.patch_ln2_weight = float_values(store, root + "patch_ln2.weight");
    w.patch_ln2_bias = float_values(store, root + "patch_ln2.bias");
  }
  if (config.position_embedding == PositionEmbedding::kLearned) {
    w.pos_embedding = weight_matrix(store, root + "pos_embedding");
  }
  if (config.pos_norm) {
    w.pos_norm_weight = float_values(store, root + "pos_norm.weight");
    w.pos_norm_bias = float_values(store, root + "pos_norm.bias");
  }
  if (config.embedding_projection) {
    w.embedding_projection = weight_matrix(store, "model.embed_vision.embedding_projection.weight");
  }
  return w;
}

ImageEmbedder::ImageEmbedder(const VisionConfig& config, const ImageEmbedderWeights& weights,
                             Kernels& kernels)
    : config_(config), weights_(weights), kernels_(kernels) {}

void sinusoidal_position(std::int64_t coordinate, std::span<float> row) {
  const std::size_t pairs = row.size() / 2;
  for (std::size_t i = 0; i < pairs; ++i) {
    const double angle =
        static_cast<double>(coordinate) *
        std::pow(10'000.0, -2.0 * static_cast<double>(i) / static_cast<double>(row.size()));
    row[i] = static_cast<float>(std::sin(angle));
    row[pairs + i] = static_cast<float>(std::cos(angle));
  }
}

/// The position rows of patches [begin, end), which lie on a grid of `grid_width` columns: those of
/// the columns to x_rows, those of the rows to y_rows.
void ImageEmbedder::position_rows(std::int64_t grid_width, std::int64_t begin, std::int64_t end,
                                  Matrix x_rows, Matrix y_rows) {
  if (config_.position_embedding == PositionEmbedding::kSinusoidal) {
    const auto row_size = static_cast<std::size_t>(x_rows.cols);
    for (std::int64_t i = begin; i < end; ++i) {
      sinusoidal_position(i % grid_width, {x_rows.row(i - begin), row_size});
      sinusoidal_position(i / grid_width, {y_rows.row(i - begin), row_size});
    }
    return;
  }
  // As a table of [2 * mm_posemb_size, E], where position p of an axis is row
  // axis * axis_stride + p * position_stride.
  const bool axis_first = config_.position_table == PositionTable::kAxisFirst;
  const std::int64_t axis_stride = axis_first ? config_.mm_posemb_size : 1;
  const std::int64_t position_stride = axis_first ? 1 : 2;
  const WeightMatrix table{weights_.pos_embedding.data, weights_.pos_embedding.dtype,
                           2 * config_.mm_posemb_size, x_rows.cols};
  std::vector<TokenId> x_ids;
  std::vector<TokenId> y_ids;
  for (std::int64_t i = begin; i < end; ++i) {
    x_ids.push_back(static_cast<TokenId>(i % grid_width * position_stride));
    y_ids.push_back(static_cast<TokenId>(axis_stride + i / grid_width * position_stride));
  }
  kernels_.embed_rows(x_ids, table, 1.0F, x_rows);
  kernels_.embed_rows(y_ids, table, 1.0F, y_rows);
}

/// u += P[x, 0] + P[y, 1], the two position rows added to each other first.   u [P, E]
void ImageEmbedder::add_positions(const PatchGrid& grid, Matrix u) {
  const std::int64_t tile = std::min(kPositionTile, u.rows);
  AlignedBuffer<float> rows(2 * tile * u.cols, Unset{});
  for (std::int64_t begin = 0; begin < u.rows; begin += tile) {
    const std::int64_t end = std::min(u.rows, begin + tile);
    const Matrix x_rows{rows.data(), end - begin, u.cols};
    const Matrix y_rows{rows.data() + tile * u.cols, end - begin, u.cols};
    position_rows(grid.grid_width, begin, end, x_rows, y_rows);
    kernels_.add(y_rows, x_rows);
    kernels_.add(x_rows, u.row_range(begin, end));
  }
}

void ImageEmbedder::embed(const PatchGrid& grid, Matrix soft) {
  const std::int64_t patches = grid.num_patches();
  const std::int64_t width = weights_.patch_dense.rows;
  NOLENS_CHECK(soft.rows == patches && grid.patch_values == weights_.patch_dense.cols);

  AlignedBuffer<float> hidden;
  Matrix u = soft;
  if (config_.embedding_projection) {
    hidden = AlignedBuffer<float>(patches * width, Unset{});
    u = {hidden.data(), patches, width};
  }
  RowNorm patch_ln1;
  if (config_.patch_ln1) {
    patch_ln1 = {weights_.patch_ln1_weight, weights_.patch_ln1_bias, kLayerNormEps};
  }
  kernels_.pixel_linear(grid.rows(), patch_ln1, weights_.patch_dense, weights_.patch_dense_bias, u);
  if (config_.patch_ln2) {
    kernels_.layer_norm(u, weights_.patch_ln2_weight, weights_.patch_ln2_bias, kLayerNormEps, u);
  }
  if (config_.position_embedding != PositionEmbedding::kNone) {
    add_positions(grid, u);
  }
  if (config_.pos_norm) {
    kernels_.layer_norm(u, weights_.pos_norm_weight, weights_.pos_norm_bias, kLayerNormEps, u);
  }
  if (config_.embedding_projection) {
    kernels_.rms_norm(u, kNoWeight, config_.rms_norm_eps, u);
    kernels_.linear(u, weights_.embedding_projection, kNoBias, soft);
  }
}

}  // namespace nolens
