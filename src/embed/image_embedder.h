// Patches -> soft tokens: the place where a picture becomes tokens.
//
// There is no vision tower. One linear projection with norms around it and a learned position per axis
// carries a patch's pixels into the decoder's width:
//
//   u    = LayerNorm(pixels; patch_ln1)                        over the raw patch
//   u    = LayerNorm(patch_dense(u); patch_ln2)                patch_values -> mm_embed_dim, bias
//   u    = LayerNorm(u + P[x, 0] + P[y, 1]; pos_norm)          x, y: column and row on the patch grid
//   soft = embedding_projection(RMSNorm(u))                    mm_embed_dim -> hidden_size
//
// Steps that a variant's config switches off are left out.
#pragma once

#include <vector>

#include "core/aligned_buffer.h"
#include "core/matrix.h"
#include "formats/tensor_store.h"
#include "kernels/kernels.h"
#include "nolens/config.h"
#include "preprocess/image_to_patches.h"

namespace nolens {

/// E mm_embed_dim, D hidden_size. A weight is empty where the config leaves its step out.
struct ImageEmbedderWeights {
  std::vector<float> patch_ln1_weight, patch_ln1_bias;  ///< [patch_values]
  WeightMatrix patch_dense;                             ///< [E, patch_values]
  std::vector<float> patch_dense_bias;                  ///< [E]
  std::vector<float> patch_ln2_weight, patch_ln2_bias;  ///< [E]
  WeightMatrix pos_embedding;                           ///< [.., E] in the order of position_table
  std::vector<float> pos_norm_weight, pos_norm_bias;    ///< [E]
  WeightMatrix embedding_projection;                    ///< [D, E]
};

/// Views into `store`, which must outlive the result.
ImageEmbedderWeights image_embedder_weights(const VisionConfig& config, const TensorStore& store);

class ImageEmbedder {
 public:
  ImageEmbedder(const VisionConfig& config, const ImageEmbedderWeights& weights, Kernels& kernels);
  /// soft [num_patches, hidden_size], unscaled.
  void embed(const PatchGrid& grid, Matrix soft);

 private:
  void position_rows(std::int64_t grid_width, std::int64_t begin, std::int64_t end, Matrix x_rows,
                     Matrix y_rows);
  void add_positions(const PatchGrid& grid, Matrix u);

  const VisionConfig& config_;
  const ImageEmbedderWeights& weights_;
  Kernels& kernels_;
};

/// Sinusoidal value of one coordinate: E/2 sines, then E/2 cosines of coordinate * 10000^(-2i/E).
/// Vaswani et al. 2017, section 3.5.   row [E]
void sinusoidal_position(std::int64_t coordinate, std::span<float> row);

}  // namespace nolens
