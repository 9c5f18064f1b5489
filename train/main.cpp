// nolens-train: trains an encoder-free multimodal decoder. docs/training.md describes its use.
#include <csignal>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <malloc.h>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "nolens/error.h"

#include "distributed.h"
#include "options.h"
#include "platform/atomic_file.h"
#include "platform/folder_lock.h"
#include "platform/quoted_path.h"
#include "platform/standard_streams.h"
#include "platform/terminate.h"
#include "trainer.h"

namespace {

constexpr int kKeptBytes = 1 << 30;
constexpr const char* kNotEnoughMemory =
    "nolens-train: not enough memory; try a smaller --batch, a larger --accumulation or fewer "
    "--ranks\n";

/// The file through which ranks find each other; the first rank removes it at the end.
class RankStore {
 public:
  /// One left by a killed run would make ranks meet ghosts.
  explicit RankStore(std::filesystem::path file) : file_(std::move(file)), creator_(getpid()) {
    remove();
  }
  ~RankStore() { remove(); }
  RankStore(const RankStore&) = delete;
  RankStore& operator=(const RankStore&) = delete;
  [[nodiscard]] const std::filesystem::path& file() const noexcept { return file_; }

 private:
  void remove() const {
    std::error_code ignored;
    if (getpid() == creator_) {
      std::filesystem::remove(file_, ignored);
    }
  }

  std::filesystem::path file_;
  pid_t creator_;
};

bool is_same_file(const std::filesystem::path& a, const std::filesystem::path& b) {
  std::error_code error;
  return !a.empty() && !b.empty() && std::filesystem::equivalent(a, b, error);
}

/// What the run reads must outlive it. \throws Error{kUsage}
void check_outputs(const nolens::train::TrainOptions& options) {
  const auto refuse = [](const std::filesystem::path& file, const char* name) {
    throw nolens::Error(nolens::ErrorCode::kUsage,
                        nolens::quoted_path(file) +
                            " would be overwritten by this run, which reads " +
                            "it; choose another " + name);
  };
  if (!options.evaluate_only && is_same_file(options.model, options.out / "model")) {
    refuse(options.model, "--out");
  }
  for (const std::filesystem::path& input : {options.data, options.validation}) {
    if (is_same_file(options.evaluate_file, input)) {
      refuse(input, "--evaluate-file");
    }
  }
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

/// LibTorch reports a lack of memory as an error like any other, in words.
bool is_memory_shortage(const std::exception& error) {
  const std::string_view text = error.what();
  return dynamic_cast<const std::bad_alloc*>(&error) != nullptr ||
         text.find("can't allocate memory") != std::string_view::npos ||
         text.find("out of memory") != std::string_view::npos;
}

int run(int argc, char** argv) {
  int rank = 0;
  try {
    const nolens::train::TrainOptions options = nolens::train::parse_options(argc, argv);
    restart_with_environment(argv, options.threads);
    check_outputs(options);
    nolens::create_folders(options.out);
    // Evaluating changes nothing and may go on beside a training run.
    std::optional<nolens::FolderLock> lock;
    if (!options.evaluate_only) {
      lock.emplace(options.out, "nolens-train");
    }
    const RankStore store(options.out / (options.evaluate_only
                                             ? "evaluate-" + std::to_string(getpid()) + ".store"
                                             : "ranks.store"));
    rank = nolens::train::fork_ranks(options.ranks);
    if (rank != 0) {
      lock.reset();  // this copy of it; the first rank holds it
    }
    int code = 0;
    {
      const nolens::train::RankGroup ranks(rank, options.ranks, store.file(),
                                           options.device == "cuda");
      code = nolens::train::run_training(options, ranks);
    }
    if (rank == 0) {
      if (!nolens::train::wait_for_ranks() && code == 0) {
        std::cerr << "nolens-train: another rank failed\n";
        code = 1;
      }
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
  nolens::open_missing_standard_streams();
  // Whoever reads the output may go; the run does not end for it.
  std::signal(SIGPIPE, SIG_IGN);
  nolens::report_memory_shortage_on_terminate(kNotEnoughMemory);
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    if (is_memory_shortage(error)) {
      std::cerr
          << "nolens-train: not enough memory; try a smaller --batch, a larger --accumulation "
             "or fewer --ranks\n";
      return nolens::exit_code(nolens::ErrorCode::kResource);
    }
    std::cerr << "nolens-train: internal error: " << error.what() << '\n';
    return 1;
  }
}
