// Shapes of real models: benchmarks use these, not powers of two.
#pragma once

#include <cstdint>

namespace nolens::bench {

/// A weight [outputs, inputs] of the 12B model (hidden 3840, FFN 15360, 16 heads of 256).
struct ProductShape {
  const char* role;
  std::int64_t inputs;
  std::int64_t outputs;
};
inline constexpr ProductShape kProducts[] = {
    {"gate_proj", 3840, 15360},
    {"down_proj", 15360, 3840},
    {"q_proj", 3840, 4096},
    {"patch_dense", 6912, 3840},
};

/// One token of decoding, one picture's soft tokens.
inline constexpr std::int64_t kRowCounts[] = {1, 8, 256};

/// Attention of one layer: the last `rows` positions of a context, each of which sees the `window`
/// positions up to its own.
struct AttentionShape {
  const char* role;
  std::int64_t heads;
  std::int64_t kv_heads;
  std::int64_t head_dim;
  std::int64_t window;
  std::int64_t rows;
  std::int64_t context;
};
inline constexpr std::int64_t kNoWindow = std::int64_t{1} << 40;
inline constexpr AttentionShape kAttentions[] = {
    {"sliding", 16, 8, 256, 1024, 280, 280},   {"full", 16, 1, 512, kNoWindow, 280, 280},
    {"sliding", 16, 8, 256, 1024, 1120, 1120}, {"full", 16, 1, 512, kNoWindow, 1120, 1120},
    {"sliding", 16, 8, 256, 1024, 1, 4096},    {"full", 16, 1, 512, kNoWindow, 1, 1024},
    {"full", 16, 1, 512, kNoWindow, 1, 4096},  {"full", 16, 1, 512, kNoWindow, 1, 16384},
};

inline constexpr std::int64_t kHiddenSize = 3840;
inline constexpr std::int64_t kIntermediateSize = 15360;

}  // namespace nolens::bench
