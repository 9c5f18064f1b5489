// The number sets of 4-bit codes and nested scales, with the bits bitsandbytes gives them.
#pragma once

#include <array>

namespace nolens {

/// NormalFloat: quantiles of a normal distribution. Dettmers et al. 2023 (QLoRA), appendix E.
inline constexpr std::array<float, 16> kNf4Codebook = {
    -1.0F,           -0x1.647362p-1F, -0x1.0cd66p-1F,  -0x1.946540p-2F,
    -0x1.23449ap-2F, -0x1.7a6a7ep-3F, -0x1.74f0e2p-4F, 0.0F,
    0x1.45f5fep-4F,  0x1.4995c6p-3F,  0x1.f809bap-3F,  0x1.5a0674p-2F,
    0x1.c34970p-2F,  0x1.200f56p-1F,  0x1.722766p-1F,  1.0F};

/// Sign, two bits of exponent, one of fraction, divided by 12; the smallest is 0.0625 of that grid.
inline constexpr std::array<float, 16> kFp4Codebook = {0.0F,
                                                       0x1.555556p-8F,
                                                       0x1.555556p-1F,
                                                       1.0F,
                                                       0x1.555556p-2F,
                                                       0.5F,
                                                       0x1.555556p-3F,
                                                       0.25F,
                                                       -0.0F,
                                                       -0x1.555556p-8F,
                                                       -0x1.555556p-1F,
                                                       -1.0F,
                                                       -0x1.555556p-2F,
                                                       -0.5F,
                                                       -0x1.555556p-3F,
                                                       -0.25F};

/// Entries for nested scales: a decimal exponent whose fraction has the fewer steps the smaller it
/// is, in ascending order. Dettmers 2016 (8-bit approximations), section 2.
[[nodiscard]] std::array<float, 256> dynamic_codebook();

}  // namespace nolens
