// A photograph-sized picture for benchmarks, made without a file.
#pragma once

#include <cstddef>
#include <vector>

namespace nolens::cli {

/// JPEG of 12 megapixels (4000x3000) with smooth parts, edges and noise, about as large as a
/// photograph's.
std::vector<std::byte> make_bench_picture();

}  // namespace nolens::cli
