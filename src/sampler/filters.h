// Filters between scores and the draw. Each one only removes candidates; their order is by id.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "nolens/config.h"

namespace nolens {

/// A token that may still be chosen.
struct Candidate {
  TokenId id = 0;
  float weight = 0.0F;  ///< exp((score - largest) / temperature), in (0, 1]; 1 for the likeliest
};

/// Largest value of every block of kScoreBlock scores; NaN is not expected.
inline constexpr std::size_t kScoreBlock = 64;
[[nodiscard]] std::vector<float> block_maxima(std::span<const float> scores);

/// The k-th largest of `scores`, 1 <= k <= size, without sorting them: `maxima`, their
/// block_maxima(), bound the answer from below, so few scores are left to look at.
[[nodiscard]] float kth_largest(std::span<const float> scores, std::span<const float> maxima,
                                std::int64_t k);

/// Candidates with score >= `threshold`, weighed; those whose weight is 0 in float32 are left out.
/// `maxima` are the block_maxima() of `scores`, the largest one finite; temperature > 0. The old
/// content of `candidates` is dropped, its memory used again.
void weigh(std::span<const float> scores, std::span<const float> maxima, float threshold,
           float temperature, std::vector<Candidate>& candidates);

/// Keeps the smallest set of likeliest candidates whose share reaches `top_p` (Holtzman et al.
/// 2020, eq. 2). Of equally likely ones the lower ids are kept. `candidates` is not empty.
void keep_top_p(std::vector<Candidate>& candidates, float top_p);

/// Keeps candidates at least `min_p` times as likely as the likeliest (Nguyen et al. 2024).
void keep_min_p(std::vector<Candidate>& candidates, float min_p);

/// The candidate at share `position` in [0, 1) of the whole. `candidates` is not empty.
[[nodiscard]] TokenId draw(std::span<const Candidate> candidates, double position);

}  // namespace nolens
