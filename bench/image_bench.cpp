// Benchmarks of the picture path before the decoder: a 12-megapixel JPEG to patches, beside plain
// libjpeg-turbo on the same bytes, patches to soft tokens as a share of the machine's peak, and the
// hash by which a session knows a picture again.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>  // jpeglib.h needs FILE
#include <cstdlib>
#include <jpeglib.h>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

#include "nolens/media.h"

#include "core/float16.h"
#include "embed/image_embedder.h"
#include "engine/content_hash.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/peak/peak.h"
#include "platform/thread_pool.h"
#include "preprocess/image_to_patches.h"

namespace nolens::bench {
namespace {

constexpr std::int64_t kWidth = 4032;
constexpr std::int64_t kHeight = 3024;
constexpr std::int64_t kSoftTokens = 280;

class Noise {
 public:
  /// In [0, 1).
  float next() {
    state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<float>(state_ >> 40) * 0x1p-24F;
  }

 private:
  std::uint64_t state_ = 1;
};

/// Smooth noise: random values on a grid of `cell` pixels, blended between.
class Octave {
 public:
  Octave(std::int64_t cell, Noise& noise) : cell_(cell), columns_(kWidth / cell + 2) {
    values_.resize(static_cast<std::size_t>(columns_ * (kHeight / cell + 2)));
    std::generate(values_.begin(), values_.end(), [&] { return noise.next() - 0.5F; });
  }
  [[nodiscard]] float at(std::int64_t x, std::int64_t y) const {
    const float fx = static_cast<float>(x % cell_) / static_cast<float>(cell_);
    const float fy = static_cast<float>(y % cell_) / static_cast<float>(cell_);
    const auto corner = static_cast<std::size_t>(y / cell_ * columns_ + x / cell_);
    const auto below = corner + static_cast<std::size_t>(columns_);
    const float top = values_[corner] + fx * (values_[corner + 1] - values_[corner]);
    const float bottom = values_[below] + fx * (values_[below + 1] - values_[below]);
    return top + fy * (bottom - top);
  }

 private:
  std::int64_t cell_;
  std::int64_t columns_;
  std::vector<float> values_;
};

/// Clouds of all sizes, round things with hard edges, a gradient and a camera's noise.
std::vector<std::uint8_t> landscape() {
  Noise noise;
  std::vector<Octave> octaves;
  for (const std::int64_t cell : {1024, 512, 256, 128, 64, 32, 16, 8, 4}) {
    octaves.emplace_back(cell, noise);
  }
  std::vector<std::uint8_t> rgb;
  rgb.reserve(static_cast<std::size_t>(kWidth * kHeight * 3));
  for (std::int64_t y = 0; y < kHeight; ++y) {
    for (std::int64_t x = 0; x < kWidth; ++x) {
      float value = 60.0F + 80.0F * static_cast<float>(y) / static_cast<float>(kHeight);
      float weight = 110.0F;
      for (const Octave& octave : octaves) {
        value += weight * octave.at(x, y);
        weight *= 0.62F;
      }
      const std::int64_t dx = x % 504 - 252;
      const std::int64_t dy = y % 504 - 252;
      const bool inside = dx * dx + dy * dy < 120 * 120;
      const float tint[3] = {inside ? 40.0F : 0.0F, inside ? -30.0F : 8.0F, inside ? 5.0F : 20.0F};
      const float grain = 24.0F * (noise.next() - 0.5F);
      for (const float shift : tint) {
        rgb.push_back(static_cast<std::uint8_t>(std::clamp(value + shift + grain, 0.0F, 255.0F)));
      }
    }
  }
  return rgb;
}

std::vector<std::byte> as_jpeg(const std::vector<std::uint8_t>& rgb) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &bytes, &size);
  info.image_width = static_cast<JDIMENSION>(kWidth);
  info.image_height = static_cast<JDIMENSION>(kHeight);
  info.input_components = 3;
  info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, 90, TRUE);
  jpeg_start_compress(&info, TRUE);
  std::vector<std::uint8_t> line(static_cast<std::size_t>(kWidth * 3));
  while (info.next_scanline < info.image_height) {
    std::copy_n(rgb.begin() + static_cast<std::ptrdiff_t>(info.next_scanline) * kWidth * 3,
                line.size(), line.begin());
    JSAMPROW row = line.data();
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  const auto* begin = reinterpret_cast<const std::byte*>(bytes);
  std::vector<std::byte> file(begin, begin + size);
  std::free(bytes);
  return file;
}

const std::vector<std::byte>& photo() {
  static const std::vector<std::byte> file = as_jpeg(landscape());
  return file;
}

/// What everybody pays: libjpeg-turbo with the settings of src/media/jpeg.cpp, into memory that is
/// already there.
void decode_plainly(const std::vector<std::byte>& file, std::vector<std::uint8_t>& rgb) {
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_decompress(&info);
  jpeg_mem_src(&info, reinterpret_cast<const unsigned char*>(file.data()),
               static_cast<unsigned long>(file.size()));
  jpeg_read_header(&info, TRUE);
  info.out_color_space = JCS_RGB;
  info.dct_method = JDCT_ISLOW;
  info.do_fancy_upsampling = TRUE;
  jpeg_start_decompress(&info);
  rgb.resize(static_cast<std::size_t>(kWidth * kHeight * 3));
  while (info.output_scanline < info.output_height) {
    JSAMPROW row = rgb.data() + std::int64_t{info.output_scanline} * kWidth * 3;
    jpeg_read_scanlines(&info, &row, 1);
  }
  jpeg_finish_decompress(&info);
  jpeg_destroy_decompress(&info);
}

template <typename Body>
double seconds_of(const Body& body) {
  const auto start = std::chrono::steady_clock::now();
  body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Both ways in turn, so that a busy machine slows both. `above_ms` compares the best of each,
/// `median_above_ms` is the middle of the differences.
void jpeg_to_patches(benchmark::State& state, int threads) {
  ThreadPool pool(threads);
  const std::vector<std::byte>& file = photo();
  std::vector<std::uint8_t> rgb;
  std::vector<double> above;
  double plain_best = 1e9;
  double best = 1e9;
  double decode_best = 1e9;
  for ([[maybe_unused]] auto _ : state) {
    const double plain = seconds_of([&] { decode_plainly(file, rgb); });
    double decode = 0.0;
    const double ours = seconds_of([&] {
      Image image;
      decode = seconds_of([&] { image = Image::decode(file, "photo"); });
      const PatchGrid grid = image_to_patches(image, {}, {}, kSoftTokens, "photo", &pool);
      benchmark::DoNotOptimize(grid.pixels.data());
    });
    state.SetIterationTime(ours);
    plain_best = std::min(plain_best, plain);
    best = std::min(best, ours);
    decode_best = std::min(decode_best, decode);
    above.push_back(ours - plain);
  }
  state.counters["plain_ms"] = 1e3 * plain_best;
  state.counters["decode_ms"] = 1e3 * decode_best;
  state.counters["best_ms"] = 1e3 * best;
  state.counters["above_ms"] = 1e3 * (best - plain_best);
  state.counters["median_above_ms"] = 1e3 * median(std::move(above));
  state.counters["file_MB"] = 1e-6 * static_cast<double>(file.size());
}

/// What recognising a picture of 12 megapixels costs, each time it is in a prompt unscaled.
void hash_of_pixels(benchmark::State& state) {
  const Image image = Image::from_rgb8(kWidth, kHeight, landscape());
  double best = 1e9;
  for ([[maybe_unused]] auto _ : state) {
    ContentHash hash;
    best = std::min(best, seconds_of([&] { hash = content_hash(image, kSoftTokens); }));
    benchmark::DoNotOptimize(hash);
  }
  state.counters["best_ms"] = 1e3 * best;
  state.counters["GB/s"] = 1e-9 * static_cast<double>(image.rgb().size()) / best;
}

/// A weight of bfloat16 values in (-1/2, 1/2) / 16.
class Weight {
 public:
  Weight(std::int64_t rows, std::int64_t cols) : values_(rows * cols), rows_(rows), cols_(cols) {
    Noise noise;
    for (std::uint16_t& value : values_.span()) {
      value = to_bf16((noise.next() - 0.5F) / 16.0F).bits;
    }
  }
  [[nodiscard]] WeightMatrix view() const {
    WeightMatrix view;
    view.data = reinterpret_cast<const std::byte*>(values_.data());
    view.dtype = DType::kBf16;
    view.rows = rows_;
    view.cols = cols_;
    return view;
  }

 private:
  AlignedBuffer<std::uint16_t> values_;
  std::int64_t rows_;
  std::int64_t cols_;
};

/// The 12B model's embedder: patches of 48 x 48 x 3, width and hidden size 3840.
struct Embedder12B {
  static constexpr std::int64_t kSize = 3840;
  VisionConfig config = [] {
    VisionConfig vision;
    vision.mm_embed_dim = kSize;
    vision.mm_posemb_size = 1120;
    return vision;
  }();
  Weight dense{kSize, config.patch_values()};
  Weight positions{2 * config.mm_posemb_size, kSize};
  Weight projection{kSize, kSize};
  ImageEmbedderWeights weights;

  Embedder12B() {
    const auto patch = static_cast<std::size_t>(config.patch_values());
    const auto size = static_cast<std::size_t>(kSize);
    weights.patch_ln1_weight.assign(patch, 1.0F);
    weights.patch_ln1_bias.assign(patch, 0.1F);
    weights.patch_dense = dense.view();
    weights.patch_dense_bias.assign(size, 0.1F);
    weights.patch_ln2_weight.assign(size, 1.0F);
    weights.patch_ln2_bias.assign(size, 0.1F);
    weights.pos_embedding = positions.view();
    weights.pos_norm_weight.assign(size, 1.0F);
    weights.pos_norm_bias.assign(size, 0.1F);
    weights.embedding_projection = projection.view();
  }
};

void patches_to_soft_tokens(benchmark::State& state, const KernelTable& table, int threads) {
  static const Embedder12B model;
  ThreadPool pool(threads);
  const auto kernels = make_cpu_kernels(table, pool, {});
  ImageEmbedder embedder(model.config, model.weights, *kernels);
  Noise noise;
  std::vector<std::uint8_t> rgb(960 * 672 * 3);
  std::generate(rgb.begin(), rgb.end(),
                [&] { return static_cast<std::uint8_t>(noise.next() * 256.0F); });
  const PatchGrid grid =
      image_to_patches(Image::from_rgb8(960, 672, std::move(rgb)), {}, {}, kSoftTokens, "noise");
  AlignedBuffer<float> soft(grid.num_patches() * Embedder12B::kSize);
  const Matrix out{soft.data(), grid.num_patches(), Embedder12B::kSize};
  embedder.embed(grid, out);
  const Peak limit = measure_peak(table.name, pool);
  double best = 1e9;
  for ([[maybe_unused]] auto _ : state) {
    best = std::min(best, seconds_of([&] { embedder.embed(grid, out); }));
  }
  const auto products = static_cast<double>(grid.num_patches() * Embedder12B::kSize *
                                            (grid.patch_values + Embedder12B::kSize));
  const double peak = limit.bf16_ops > 0.0 ? limit.bf16_ops : limit.float_ops;
  state.counters["tokens"] = static_cast<double>(grid.num_patches());
  state.counters["best_ms"] = 1e3 * best;
  state.counters["GFLOP/s"] = 2e-9 * products / best;
  state.counters["peak_GFLOP/s"] = 1e-9 * peak;
  state.counters["of_peak"] = 2.0 * products / best / peak;
}

void register_all() {
  benchmark::RegisterBenchmark("hash_of_pixels", hash_of_pixels)->Unit(benchmark::kMillisecond);
  const int cores = physical_cores();
  std::vector<int> thread_counts = {1};
  if (cores > 1) {
    thread_counts.push_back(cores);
  }
  for (const int threads : thread_counts) {
    const std::string end = "/" + std::to_string(threads);
    benchmark::RegisterBenchmark(("jpeg_to_patches" + end).c_str(),
                                 [=](benchmark::State& state) { jpeg_to_patches(state, threads); })
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
    for (const KernelTable* table : runnable_tables()) {
      benchmark::RegisterBenchmark(
          ("patches_to_soft_tokens/" + std::string(table->name) + end).c_str(),
          [=](benchmark::State& state) { patches_to_soft_tokens(state, *table, threads); })
          ->UseRealTime()
          ->Unit(benchmark::kMillisecond);
    }
  }
}

}  // namespace
}  // namespace nolens::bench

int main(int argc, char** argv) {
  nolens::bench::register_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 2;
  }
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
