// A scale is tried by the least-squares error of the codes it gives: with codes q, values x and
// weights w, the best scale is sum(w q x) / sum(w q q), and what it gains is sum(w q x)^2 / sum(w q
// q).
#include "formats/gguf/quantize_searched.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "core/float16.h"

namespace nolens {
namespace {

/// The smallest magnitude that counts.
constexpr float kTiny = 1e-15F;

template <typename T>
void store(std::byte* out, const T& value) noexcept {
  std::memcpy(out, &value, sizeof(T));
}

/// The value furthest from zero, with its sign; the first of several.
float furthest(std::span<const float> values) noexcept {
  float best = 0.0F;
  for (const float value : values) {
    best = std::fabs(value) > std::fabs(best) ? value : best;
  }
  return best;
}

struct Fit {
  float product = 0.0F;  ///< sum(w q x)
  float square = 0.0F;   ///< sum(w q q)

  /// Ties between scales are decided by the last bits, so the order of the factors counts: the
  /// caller gives weight * code * value as ggml multiplies it.
  void add(float weight, float code, float weighted_product) noexcept {
    product += weighted_product;
    square += weight * code * code;
  }
};

// ---- IQ4_NL

constexpr std::array<int, 16> kIq4Entries = {-127, -104, -83, -65, -49, -35, -22, -10,
                                             1,    13,   25,  38,  53,  69,  89,  113};
constexpr int kIq4Tries = 7;
/// All midpoints are multiples of one half: the index of a value is found by the half below it.
constexpr int kHalves = 512;
constexpr int kHalvesBias = 256;

constexpr std::array<std::uint8_t, kHalves> kIq4Nearest = [] {
  std::array<std::uint8_t, kHalves> table{};
  for (int half = 0; half < kHalves; ++half) {
    for (std::size_t i = 0; i + 1 < kIq4Entries.size(); ++i) {
      // A value half way between two entries gets the upper one.
      table[static_cast<std::size_t>(half)] = static_cast<std::uint8_t>(
          table[static_cast<std::size_t>(half)] +
          (half - kHalvesBias >= kIq4Entries[i] + kIq4Entries[i + 1] ? 1 : 0));
    }
  }
  return table;
}();

std::size_t nearest_iq4(float value) noexcept {
  const float halves = std::min(std::max(2.0F * value, -256.0F), 255.0F);
  // Cut towards zero after the bias has made it positive, that is, rounded down.
  return kIq4Nearest[static_cast<std::size_t>(static_cast<int>(halves + 256.0F))];
}

Fit fit_iq4(std::span<const float, 32> values, float inverse) noexcept {
  Fit fit;
  for (const float value : values) {
    const auto entry = static_cast<float>(kIq4Entries[nearest_iq4(inverse * value)]);
    fit.add(value * value, entry, value * value * entry * value);
  }
  return fit;
}

// ---- Q6_K

constexpr std::size_t kRun = 16;
constexpr int kMaxCode = 32;

/// Rounds to nearest, ties to even, for magnitudes up to 2^22: the sum has no bits for a fraction.
int nearest_int(float value) noexcept {
  constexpr float kNoFraction = 12582912.0F;  // 1.5 * 2^23
  const float sum = value + kNoFraction;
  std::int32_t bits = 0;
  std::memcpy(&bits, &sum, sizeof(bits));
  return (bits & 0x007F'FFFF) - 0x0040'0000;
}

int code_of(float value) noexcept {
  return std::clamp(nearest_int(value), -kMaxCode, kMaxCode - 1);
}

Fit fit_run(std::span<const float, kRun> values, float inverse) noexcept {
  Fit fit;
  for (const float value : values) {
    const auto code = static_cast<float>(code_of(inverse * value));
    fit.add(value * value, code, value * value * value * code);
  }
  return fit;
}

struct RunScale {
  float scale = 0.0F;    ///< 0 = all values are tiny
  float inverse = 0.0F;  ///< gives the codes that the scale is the best for
};

RunScale find_run_scale(std::span<const float, kRun> values) noexcept {
  const float most = furthest(values);
  if (std::fabs(most) < kTiny) {
    return {};
  }
  const float inverse = -static_cast<float>(kMaxCode) / most;
  const Fit first = fit_run(values, inverse);
  RunScale found{first.square != 0.0F ? first.product / first.square : 0.0F, inverse};
  float best = found.scale * first.product;
  for (int i = -9; i <= 9; ++i) {
    if (i == 0) {
      continue;
    }
    const float other = -(static_cast<float>(kMaxCode) + 0.1F * static_cast<float>(i)) / most;
    const Fit fit = fit_run(values, other);
    if (fit.square > 0.0F && fit.product * fit.product > best * fit.square) {
      found = {fit.product / fit.square, other};
      best = found.scale * fit.product;
    }
  }
  return found;
}

/// Codes of a run whose scale was stored as `scale`. Where that is 0 the codes do not matter; ggml
/// leaves those of the search.
void find_run_codes(std::span<const float, kRun> values, const RunScale& run, float scale,
                    std::uint8_t* codes) noexcept {
  for (std::size_t j = 0; j < kRun; ++j) {
    const int code = scale != 0.0F ? code_of(values[j] / scale) : code_of(run.inverse * values[j]);
    codes[j] =
        static_cast<std::uint8_t>(scale == 0.0F && run.inverse == 0.0F ? 0 : code + kMaxCode);
  }
}

/// Low four bits, then high two, in the order of the format.
void store_q6_codes(const std::array<std::uint8_t, 256>& codes, std::byte* out) noexcept {
  for (std::size_t part = 0; part < 2; ++part) {
    const std::uint8_t* c = codes.data() + 128 * part;
    for (std::size_t l = 0; l < 32; ++l) {
      const unsigned a = c[l];
      const unsigned b = c[l + 32];
      const unsigned d = c[l + 64];
      const unsigned e = c[l + 96];
      out[64 * part + l] = static_cast<std::byte>((a & 15U) | (d & 15U) << 4U);
      out[64 * part + 32 + l] = static_cast<std::byte>((b & 15U) | (e & 15U) << 4U);
      out[128 + 32 * part + l] =
          static_cast<std::byte>(a >> 4U | (b >> 4U) << 2U | (d >> 4U) << 4U | (e >> 4U) << 6U);
    }
  }
}

}  // namespace

void quantize_iq4_nl(std::span<const float, 32> values, std::byte* out) noexcept {
  const float most = furthest(values);
  float scale = 0.0F;
  if (std::fabs(most) >= kTiny) {
    const auto lowest = static_cast<float>(kIq4Entries[0]);
    const Fit first = fit_iq4(values, 1.0F / (-most / lowest));
    scale = first.product / first.square;
    float best = scale * first.product;
    for (int i = -kIq4Tries; i <= kIq4Tries; ++i) {
      const Fit fit = fit_iq4(values, (static_cast<float>(i) + lowest) / most);
      if (fit.square > 0.0F && fit.product * fit.product > best * fit.square) {
        scale = fit.product / fit.square;
        best = scale * fit.product;
      }
    }
  }
  const float inverse = scale != 0.0F ? 1.0F / scale : 0.0F;
  store(out, to_f16(scale));
  for (std::size_t j = 0; j < 16; ++j) {
    const std::size_t low = nearest_iq4(inverse * values[j]);
    const std::size_t high = nearest_iq4(inverse * values[j + 16]);
    out[2 + j] = static_cast<std::byte>(low | high << 4U);
  }
}

void quantize_q6_k(std::span<const float, 256> values, std::byte* out) noexcept {
  std::array<RunScale, 16> runs{};
  std::array<float, 16> scales{};
  for (std::size_t i = 0; i < runs.size(); ++i) {
    runs[i] = find_run_scale(values.subspan(i * kRun).first<kRun>());
    scales[i] = runs[i].scale;
  }
  const float most = furthest(scales);
  std::memset(out, 0, 210);
  if (std::fabs(most) < kTiny) {
    return;
  }
  const float inverse = -128.0F / most;
  const F16 half = to_f16(1.0F / inverse);
  std::array<std::uint8_t, 256> codes{};
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const int stored = std::min(127, nearest_int(inverse * scales[i]));
    out[192 + i] = static_cast<std::byte>(static_cast<std::int8_t>(stored));
    find_run_codes(values.subspan(i * kRun).first<kRun>(), runs[i],
                   to_float(half) * static_cast<float>(stored), codes.data() + i * kRun);
  }
  store_q6_codes(codes, out);
  store(out + 208, half);
}

}  // namespace nolens
