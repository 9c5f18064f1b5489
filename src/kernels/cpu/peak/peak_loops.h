// Loops that do nothing but keep one unit of the processor busy, built for each instruction set from
// peak_loops.cpp. As cpu_kernels.h, this header may define data only.
#pragma once

#include <cstdint>

namespace nolens {

/// kPeakAccumulators independent chains of one instruction, all operands in registers.
struct PeakLoop {
  float (*run)(std::int64_t rounds) noexcept;  ///< null: no such instruction. The result means nothing
  double ops;                                  ///< of one instruction; multiply and add are two
};

/// More than latency times throughput of any instruction here, and fewer than registers.
inline constexpr int kPeakAccumulators = 12;

struct PeakLoops {
  PeakLoop fp32;
  PeakLoop bf16;
  PeakLoop int8;
  /// Sum of `count` values, a multiple of 64: reads memory as fast as it comes.
  std::uint64_t (*read)(const std::uint64_t* data, std::int64_t count) noexcept;
};

namespace peak_loops {
namespace scalar { extern const PeakLoops kLoops; }
namespace avx2 { extern const PeakLoops kLoops; }
namespace avx2vnni { extern const PeakLoops kLoops; }
namespace avx512 { extern const PeakLoops kLoops; }
namespace avx512vnni { extern const PeakLoops kLoops; }
namespace avx512bf16 { extern const PeakLoops kLoops; }
namespace neon { extern const PeakLoops kLoops; }
namespace neon_dotprod { extern const PeakLoops kLoops; }
namespace neon_i8mm { extern const PeakLoops kLoops; }
}  // namespace peak_loops

}  // namespace nolens
