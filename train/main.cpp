// nolens-train: trains an encoder-free multimodal decoder. docs/training.md describes its use.
#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <string>

#include "distributed.h"
#include "nolens/error.h"
#include "options.h"
#include "trainer.h"

namespace {

/// A store left by an earlier run would make ranks meet ghosts.
std::filesystem::path fresh_store(const std::filesystem::path& out) {
  std::filesystem::create_directories(out);
  std::filesystem::path store = out / "ranks.store";
  std::filesystem::remove(store);
  return store;
}

/// OpenMP and OpenBLAS read their environment when they are loaded, so the program starts itself once
/// more with the right one: as many threads as asked for, and none that spins while it waits, which
/// would halve the speed wherever a core is shared.
void restart_with_environment(char** argv, int threads) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr && std::getenv("OPENBLAS_NUM_THREADS") != nullptr) {
    return;
  }
  setenv("OMP_WAIT_POLICY", "PASSIVE", 0);
  setenv("OPENBLAS_NUM_THREADS", std::to_string(threads).c_str(), 0);
  execv("/proc/self/exe", argv);
}

int run(int argc, char** argv) {
  const nolens::train::TrainOptions options = nolens::train::parse_options(argc, argv);
  restart_with_environment(argv, options.threads);
  const std::filesystem::path store = fresh_store(options.out);
  const int rank = nolens::train::fork_ranks(options.ranks);
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
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const nolens::Error& error) {
    std::cerr << "nolens-train: " << error.what() << '\n';
    return nolens::exit_code(error.code());
  } catch (const std::exception& error) {
    std::cerr << "nolens-train: internal error: " << error.what() << '\n';
    return 1;
  }
}
