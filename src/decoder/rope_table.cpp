// Rotary frequencies and their table.
#include "decoder/rope_table.h"

#include <cmath>

namespace nolens {

std::vector<float> rope_frequencies(const RopeParameters& rope, std::int64_t head_dim) {
  const std::int64_t pairs = head_dim / 2;
  std::int64_t turning = pairs;
  if (rope.rope_type == RopeType::kProportional) {
    turning = static_cast<std::int64_t>(rope.partial_rotary_factor * static_cast<double>(head_dim) /
                                        2.0);
  }
  std::vector<float> frequencies(static_cast<std::size_t>(pairs), 0.0F);
  for (std::int64_t i = 0; i < turning && i < pairs; ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(head_dim);
    const auto power =
        static_cast<float>(std::pow(rope.rope_theta, static_cast<double>(exponent)));
    frequencies[static_cast<std::size_t>(i)] = 1.0F / power / static_cast<float>(rope.factor);
  }
  return frequencies;
}

void fill_rope_table(std::span<const float> frequencies, std::span<const std::int64_t> positions,
                     Matrix cos, Matrix sin) {
  for (std::size_t t = 0; t < positions.size(); ++t) {
    float* cos_row = cos.row(static_cast<std::int64_t>(t));
    float* sin_row = sin.row(static_cast<std::int64_t>(t));
    for (std::size_t i = 0; i < frequencies.size(); ++i) {
      const float angle = static_cast<float>(positions[t]) * frequencies[i];
      cos_row[i] = static_cast<float>(std::cos(static_cast<double>(angle)));
      sin_row[i] = static_cast<float>(std::sin(static_cast<double>(angle)));
    }
  }
}

}  // namespace nolens
