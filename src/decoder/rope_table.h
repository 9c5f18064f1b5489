// Positions -> cosines and sines of the rotary embedding.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/matrix.h"
#include "nolens/config.h"

namespace nolens {

/// Angular frequency of each pair, [head_dim / 2], radians per position, as the reference rounds it:
/// exponent, power and reciprocal in float32.
///   kDefault:      theta^(-2i/head_dim)
///   kProportional: the same for the first int(partial_rotary_factor * head_dim / 2) pairs, 0 after;
///                  the divisor stays head_dim, so this is not "rotate the first dimensions".
/// All are divided by `factor`.
std::vector<float> rope_frequencies(const RopeParameters& rope, std::int64_t head_dim);

/// cos[t, i], sin[t, i] of float32(positions[t]) * frequencies[i], the product rounded to float32 as
/// in the reference, the functions correctly rounded from double.   cos, sin [T, S/2]
void fill_rope_table(std::span<const float> frequencies, std::span<const std::int64_t> positions,
                     Matrix cos, Matrix sin);

}  // namespace nolens
