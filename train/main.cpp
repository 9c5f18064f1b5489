// nolens-train: trains an encoder-free multimodal decoder. docs/training.md describes its use.
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <malloc.h>
#include <string>
#include <system_error>
#include <unistd.h>

#include "nolens/error.h"

#include "core/escape.h"
#include "distributed.h"
#include "options.h"
#include "trainer.h"

namespace {

constexpr int kKeptBytes = 1 << 30;

/// A store left by an earlier run would make ranks meet ghosts.
std::filesystem::path fresh_store(const std::filesystem::path& out) {
  std::error_code error;
  std::filesystem::create_directories(out, error);
  if (error) {
    throw nolens::Error(nolens::ErrorCode::kUsage, "cannot create the run folder '" +
                                                       nolens::escape_for_message(out.string()) +
                                                       "': " + error.message());
  }
  std::filesystem::path store = out / "ranks.store";
  std::filesystem::remove(store, error);
  return store;
}

/// OpenMP and OpenBLAS read their environment when they are loaded, so the program starts itself
/// once more with the right one: as many threads as asked for, and none that spins while it waits,
/// which would halve the speed wherever a core is shared.
void restart_with_environment(char** argv, int threads) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr && std::getenv("OPENBLAS_NUM_THREADS") != nullptr) {
    return;
  }
  setenv("OMP_WAIT_POLICY", "PASSIVE", 0);
  setenv("OPENBLAS_NUM_THREADS", std::to_string(threads).c_str(), 0);
  execv("/proc/self/exe", argv);
}

/// All ranks but the first are quiet about failures that the first one meets too.
int report_failure(int rank, const nolens::Error& error) {
  if (rank == 0 || error.code() == nolens::ErrorCode::kInternal) {
    std::cerr << "nolens-train: " << error.what() << '\n';
  }
  return nolens::exit_code(error.code());
}

int run(int argc, char** argv) {
  int rank = 0;
  try {
    const nolens::train::TrainOptions options = nolens::train::parse_options(argc, argv);
    restart_with_environment(argv, options.threads);
    const std::filesystem::path store = fresh_store(options.out);
    rank = nolens::train::fork_ranks(options.ranks);
    int code = 0;
    {
      const nolens::train::RankGroup ranks(rank, options.ranks, store, options.device == "cuda");
      code = nolens::train::run_training(options, ranks);
    }
    if (rank == 0) {
      if (!nolens::train::wait_for_ranks() && code == 0) {
        std::cerr << "nolens-train: another rank failed\n";
        code = 1;
      }
      std::filesystem::remove(store);
    }
    return code;
  } catch (const nolens::Error& error) {
    return report_failure(rank, error);
  }
}

}  // namespace

int main(int argc, char** argv) {
  // Tensors of a few hundred kilobytes come and go all the time: keep their memory instead of
  // returning it to the system, which would have to clear it again.
  mallopt(M_MMAP_THRESHOLD, kKeptBytes);
  mallopt(M_TRIM_THRESHOLD, kKeptBytes);
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "nolens-train: internal error: " << error.what() << '\n';
    return 1;
  }
}
