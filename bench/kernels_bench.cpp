// Benchmarks of the CPU kernels: kernel/instruction set/type/shape/threads. Each checks its result
// before it is timed and reports its share of the peak measured at start.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

#include "core/aligned_buffer.h"
#include "core/checked_math.h"
#include "core/float16.h"
#include "kernels/cpu/cpu_backend.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/peak/peak.h"
#include "kernels/cpu/stored_rows.h"
#include "kernels/kv_layout.h"
#include "platform/thread_pool.h"
#include "shapes.h"

namespace nolens::bench {
namespace {

/// Cheap numbers in [-1, 1).
class Noise {
 public:
  float next() {
    state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<float>(static_cast<std::int32_t>(state_ >> 32)) * 0x1p-31F;
  }

 private:
  std::uint64_t state_ = 1;
};

AlignedBuffer<float> noise(std::int64_t count) {
  AlignedBuffer<float> values(count);
  Noise source;
  for (float& value : values.span()) {
    value = source.next();
  }
  return values;
}

/// Weights of one shape and format, and the value of each.
class BenchWeights {
 public:
  BenchWeights(DType dtype, std::int64_t rows, std::int64_t cols)
      : bytes_(rows * row_bytes(dtype, cols)),
        absmax_(noise(needs_scales(dtype) ? rows * ceil_div(cols, 64) : 0)) {
    view_ = {bytes_.data(), dtype, rows, cols};
    Noise source;
    std::byte* out = bytes_.data();
    for (std::int64_t i = 0; i < rows * cols; i += block_size(dtype)) {
      append(out, dtype, source);
      out += traits(dtype).bytes;
    }
    if (needs_scales(dtype)) {
      for (std::size_t i = 0; i < scales_.codebook.size(); ++i) {
        scales_.codebook[i] = source.next();
      }
      scales_.block_size = 64;
      scales_.absmax = reinterpret_cast<const unsigned char*>(absmax_.data());
      scales_.value_dtype = DType::kBf16;
      view_.scales = &scales_;
    }
  }
  [[nodiscard]] const WeightMatrix& view() const noexcept { return view_; }

 private:
  template <typename T>
  static void write(std::byte* out, const T& value) {
    std::memcpy(out, &value, sizeof(T));
  }
  static void append(std::byte* out, DType dtype, Noise& source) {
    switch (dtype) {
      case DType::kF32: return write(out, source.next());
      case DType::kF16: return write(out, to_f16(source.next()));
      case DType::kBf16: return write(out, to_bf16(source.next()));
      default: break;
    }
    for (std::int64_t i = 0; i < traits(dtype).bytes; ++i) {
      out[i] = static_cast<std::byte>(static_cast<std::int8_t>(source.next() * 127.0F));
    }
    const BlockHalves halves = block_halves(dtype);
    for (std::int64_t i = 0; i < halves.count; ++i) {
      write(out + halves.offset + 2 * i, to_f16(0.01F));
    }
  }

  AlignedBuffer<std::byte> bytes_;
  AlignedBuffer<float> absmax_;
  WeightScales scales_;
  WeightMatrix view_;
};

/// Weights are large: one benchmark's at a time.
const BenchWeights& weights(DType dtype, std::int64_t rows, std::int64_t cols) {
  static std::unique_ptr<BenchWeights> current;
  if (current == nullptr || current->view().dtype != dtype || current->view().rows != rows ||
      current->view().cols != cols) {
    current.reset();
    current = std::make_unique<BenchWeights>(dtype, rows, cols);
  }
  return *current;
}

const Peak& peak(const KernelTable& table, ThreadPool& pool) {
  static std::map<std::pair<std::string, int>, Peak> measured;
  const std::pair<std::string, int> key{table.name, pool.num_threads()};
  const auto found = measured.find(key);
  return found != measured.end()
             ? found->second
             : measured.emplace(key, measure_peak(table.name, pool)).first->second;
}

void report(benchmark::State& state, double ops, double peak_ops, double bytes, double peak_bytes) {
  using benchmark::Counter;
  const auto runs = static_cast<double>(state.iterations());
  state.counters["GFLOP/s"] = Counter(ops * runs * 1e-9, Counter::kIsRate);
  state.counters["GB/s"] = Counter(bytes * runs * 1e-9, Counter::kIsRate);
  state.counters["of_peak"] = Counter(ops * runs / peak_ops, Counter::kIsRate);
  state.counters["of_bandwidth"] = Counter(bytes * runs / peak_bytes, Counter::kIsRate);
}

/// Compares a few outputs with double precision.
bool product_is_right(ConstMatrix x, const WeightMatrix& w, ConstMatrix y, double tolerance) {
  std::vector<float> row(static_cast<std::size_t>(w.cols));
  const KernelTable& scalar = *runnable_tables().back();
  const StoredRows stored(w);
  for (const std::int64_t n : {std::int64_t{0}, w.rows / 2, w.rows - 1}) {
    scalar.expand[static_cast<std::size_t>(w.dtype)](stored.rows(), n, 0, w.cols, 1.0F, row.data());
    for (const std::int64_t m : {std::int64_t{0}, x.rows - 1}) {
      double exact = 0.0;
      double magnitude = 0.0;
      for (std::int64_t k = 0; k < w.cols; ++k) {
        const double product = static_cast<double>(x.row(m)[k]) *
                               static_cast<double>(row[static_cast<std::size_t>(k)]);
        exact += product;
        magnitude += std::abs(product);
      }
      if (!(std::abs(static_cast<double>(y.row(m)[n]) - exact) <= tolerance * magnitude)) {
        return false;
      }
    }
  }
  return true;
}

void linear(benchmark::State& state, const KernelTable& table, DType dtype, bool exact,
            ProductShape shape, std::int64_t rows, int threads) {
  ThreadPool pool(threads);
  const auto kernels = make_cpu_kernels(table, pool, {.exact = exact});
  const WeightMatrix& w = weights(dtype, shape.outputs, shape.inputs).view();
  const AlignedBuffer<float> x_values = noise(rows * shape.inputs);
  AlignedBuffer<float> y_values(rows * shape.outputs);
  const ConstMatrix x{x_values.data(), rows, shape.inputs};
  const Matrix y{y_values.data(), rows, shape.outputs};
  kernels->linear(x, w, {}, y);
  if (!product_is_right(x, w, y, exact ? 1e-5 : 1e-2)) {
    state.SkipWithError("wrong result");
    return;
  }
  const Peak& limit = peak(table, pool);
  for ([[maybe_unused]] auto _ : state) {
    kernels->linear(x, w, {}, y);
    benchmark::DoNotOptimize(y.data);
  }
  double peak_ops = limit.float_ops;
  if (!exact && dtype == DType::kBf16 && limit.bf16_ops > 0.0) {
    peak_ops = limit.bf16_ops;
  } else if (!exact && dtype == DType::kQ8_0 && limit.int8_ops > 0.0) {
    peak_ops = limit.int8_ops;
  }
  report(state, 2.0 * static_cast<double>(rows * shape.inputs * shape.outputs), peak_ops,
         static_cast<double>(w.bytes()), limit.read_bytes);
  state.counters["Gweights/s"] =
      benchmark::Counter(static_cast<double>(state.iterations() * w.rows * w.cols) * 1e-9,
                         benchmark::Counter::kIsRate);
}

void attention(benchmark::State& state, const KernelTable& table, KvType type, AttentionShape shape,
               int threads) {
  ThreadPool pool(threads);
  const auto kernels = make_cpu_kernels(table, pool, {});
  const std::int64_t width = shape.heads * shape.head_dim;
  const std::int64_t kv_width = shape.kv_heads * shape.head_dim;
  const std::int64_t capacity = round_up(shape.context, kKeyTile);
  const std::int64_t tiles = capacity / kKeyTile * shape.kv_heads;
  AlignedBuffer<std::byte> keys(tiles * key_tile_bytes(type, shape.head_dim));
  AlignedBuffer<std::byte> values(tiles * value_tile_bytes(type, shape.head_dim));
  const KvView view{type, keys.data(), values.data(), capacity, shape.kv_heads, shape.head_dim};
  const SequenceSlice fill{view, 0, shape.context, 0};
  const AlignedBuffer<float> kv = noise(shape.context * kv_width);
  kernels->store_kv({kv.data(), shape.context, kv_width}, {kv.data(), shape.context, kv_width},
                    {&fill, 1});
  const AlignedBuffer<float> q = noise(shape.rows * width);
  AlignedBuffer<float> y(shape.rows * width);
  std::vector<std::int64_t> first;
  std::vector<std::int64_t> last;
  std::int64_t seen = 0;
  for (std::int64_t p = shape.context - shape.rows; p < shape.context; ++p) {
    first.push_back(std::max<std::int64_t>(0, p - shape.window + 1));
    last.push_back(p);
    seen += last.back() - first.back() + 1;
  }
  const SequenceSlice slice{view, 0, shape.rows, shape.context - shape.rows};
  AttentionArgs args;
  args.q = {q.data(), shape.rows, width};
  args.sequences = {&slice, 1};
  args.first_visible = first;
  args.last_visible = last;
  args.num_attention_heads = shape.heads;
  args.num_key_value_heads = shape.kv_heads;
  args.head_dim = shape.head_dim;
  const Peak& limit = peak(table, pool);
  for ([[maybe_unused]] auto _ : state) {
    kernels->attention(args, {y.data(), shape.rows, width});
    benchmark::DoNotOptimize(y.data());
  }
  double peak_ops = limit.float_ops;
  if (type == KvType::kBf16 && limit.bf16_ops > 0.0) {
    peak_ops = limit.bf16_ops;
  } else if (type == KvType::kInt8 && limit.int8_ops > 0.0) {
    peak_ops = limit.int8_ops;
  }
  const double read = static_cast<double>(keys.size() + values.size()) *
                      static_cast<double>(std::min(shape.window + shape.rows, shape.context)) /
                      static_cast<double>(shape.context);
  report(state, 4.0 * static_cast<double>(seen * width), peak_ops, read, limit.read_bytes);
}

void rms_norm(benchmark::State& state, const KernelTable& table, std::int64_t rows, int threads) {
  ThreadPool pool(threads);
  const auto kernels = make_cpu_kernels(table, pool, {});
  const AlignedBuffer<float> x = noise(rows * kHiddenSize);
  AlignedBuffer<float> y(rows * kHiddenSize);
  for ([[maybe_unused]] auto _ : state) {
    kernels->rms_norm({x.data(), rows, kHiddenSize}, {}, 1e-6F, {y.data(), rows, kHiddenSize});
    benchmark::DoNotOptimize(y.data());
  }
  const Peak& limit = peak(table, pool);
  report(state, 3.0 * static_cast<double>(x.size()), limit.float_ops,
         8.0 * static_cast<double>(x.size()), limit.read_bytes);
}

void gelu(benchmark::State& state, const KernelTable& table, std::int64_t rows, int threads) {
  ThreadPool pool(threads);
  const auto kernels = make_cpu_kernels(table, pool, {});
  const AlignedBuffer<float> x = noise(rows * kIntermediateSize);
  AlignedBuffer<float> y(rows * kIntermediateSize);
  const ConstMatrix gate{x.data(), rows, kIntermediateSize};
  for ([[maybe_unused]] auto _ : state) {
    kernels->gated_activation(gate, gate, Activation::kGeluTanh,
                              {y.data(), rows, kIntermediateSize});
    benchmark::DoNotOptimize(y.data());
  }
  const Peak& limit = peak(table, pool);
  report(state, 45.0 * static_cast<double>(x.size()), limit.float_ops,
         12.0 * static_cast<double>(x.size()), limit.read_bytes);
}

constexpr const char* kKvNames[] = {"F32/", "F16/", "BF16/", "INT8/"};

template <typename Function, typename... Args>
void add(const std::string& name, Function function, Args... args) {
  benchmark::RegisterBenchmark(name.c_str(), function, args...)
      ->UseRealTime()
      ->Unit(benchmark::kMicrosecond);
}

void register_all() {
  const int cores = physical_cores();
  std::vector<int> thread_counts = {1};
  if (cores > 1) {
    thread_counts.push_back(cores);
  }
  for (const KernelTable* table : runnable_tables()) {
    for (const int threads : thread_counts) {
      const std::string isa = std::string("/") + table->name + "/";
      const std::string end = "/" + std::to_string(threads);
      for (const ProductShape& shape : kProducts) {
        for (std::size_t type = 0; type < kDTypeCount; ++type) {
          const auto dtype = static_cast<DType>(type);
          for (const bool exact : {false, true}) {
            const bool has_both =
                (dtype == DType::kBf16 && table->linear_bf16_rounded != nullptr) ||
                (dtype == DType::kQ8_0 && table->linear_q8_0_int8 != nullptr);
            if (!exact && !has_both) {
              continue;
            }
            for (const std::int64_t rows : kRowCounts) {
              add("linear" + isa + std::string(dtype_name(dtype)) + (exact ? "_exact/" : "/") +
                      std::to_string(rows) + "x" + std::to_string(shape.inputs) + "x" +
                      std::to_string(shape.outputs) + end,
                  [=](benchmark::State& state) {
                    linear(state, *table, dtype, exact, shape, rows, threads);
                  });
            }
          }
        }
      }
      for (const AttentionShape& shape : kAttentions) {
        for (const KvType type : {KvType::kF32, KvType::kF16, KvType::kBf16, KvType::kInt8}) {
          add("attention" + isa + kKvNames[static_cast<int>(type)] + shape.role + "_" +
                  std::to_string(shape.rows) + "x" + std::to_string(shape.context) + end,
              [=](benchmark::State& state) { attention(state, *table, type, shape, threads); });
        }
      }
      for (const std::int64_t rows : kRowCounts) {
        const std::string count = std::to_string(rows);
        add("rms_norm" + isa + "F32/" + count + "x" + std::to_string(kHiddenSize) + end,
            [=](benchmark::State& state) { rms_norm(state, *table, rows, threads); });
        add("gelu" + isa + "F32/" + count + "x" + std::to_string(kIntermediateSize) + end,
            [=](benchmark::State& state) { gelu(state, *table, rows, threads); });
      }
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
