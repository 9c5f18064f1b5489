#include "loading.h"

#include <chrono>
#include <string>

#include <sys/resource.h>

#include "model_path.h"
#include "progress.h"
#include "terminal.h"

namespace nolens::cli {

LoadedModel load_model(const ModelOptions& options) {
  const std::filesystem::path path = choose_model(options.model);
  Progress progress("loading");
  LoadOptions load;
  load.num_threads = options.threads;
  load.affinity = options.affinity;
  load.exact = options.exact;
  load.byte_codebook = options.codebook_bits == 8;
  load.mmproj = options.mmproj;
  load.progress = progress.sink();
  load.log = [verbose = options.verbose](LogLevel level, std::string_view message) {
    if (level == LogLevel::kWarning || verbose) {
      print_error(std::string(level == LogLevel::kWarning ? "warning: " : "") +
                  std::string(message) + "\n");
    }
  };
  const auto start = std::chrono::steady_clock::now();
  LoadedModel loaded;
  loaded.model = Model::load(path, load);
  loaded.milliseconds = milliseconds_since(start);
  return loaded;
}

std::int64_t peak_rss_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return std::int64_t{usage.ru_maxrss} * 1024;  // Linux counts in KiB
}

double milliseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

}  // namespace nolens::cli
