#include "distributed.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/distributed/c10d/FileStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#ifdef NOLENS_TRAIN_NCCL
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif
#include <csignal>
#include <string>
#include <unistd.h>

#include "nolens/error.h"

#include "core/escape.h"

namespace nolens::train {
namespace {

std::vector<pid_t>& child_ranks() {
  static std::vector<pid_t> children;
  return children;
}

/// Runs a collective operation; when another rank is gone, says what to do.
template <typename Operation>
void wait_for(const Operation& operation) {
  try {
    operation();
  } catch (const std::exception& error) {
    throw Error(ErrorCode::kResource,
                "another rank of this run ended (" + escape_for_message(error.what()) +
                    "); start again with --resume to go on from the last checkpoint");
  }
}

class GatherWithGradient : public torch::autograd::Function<GatherWithGradient> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& tensor,
                            const RankGroup* ranks) {
    context->saved_data["ranks"] = reinterpret_cast<std::int64_t>(ranks);
    context->saved_data["rows"] = tensor.size(0);
    return ranks->gather(tensor);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto* ranks = reinterpret_cast<const RankGroup*>(context->saved_data["ranks"].toInt());
    const std::int64_t rows = context->saved_data["rows"].toInt();
    at::Tensor total = gradients[0].contiguous().clone();
    ranks->sum(total);
    return {total.narrow(0, ranks->rank() * rows, rows), at::Tensor()};
  }
};

}  // namespace

int fork_ranks(int size) {
  for (int rank = 1; rank < size; ++rank) {
    const pid_t parent = getpid();
    const pid_t child = fork();
    if (child < 0) {
      throw Error(ErrorCode::kResource,
                  "cannot start rank " + std::to_string(rank) + ": fork failed; use fewer --ranks");
    }
    if (child == 0) {
      child_ranks().clear();
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (getppid() != parent) {
        _exit(1);
      }
      return rank;
    }
    child_ranks().push_back(child);
  }
  return 0;
}

bool wait_for_ranks() {
  bool all_fine = true;
  for (const pid_t child : child_ranks()) {
    int status = 0;
    all_fine = waitpid(child, &status, 0) == child && WIFEXITED(status) &&
               WEXITSTATUS(status) == 0 && all_fine;
  }
  child_ranks().clear();
  return all_fine;
}

struct RankGroup::Impl {
  c10::intrusive_ptr<c10d::Store> store;
  c10::intrusive_ptr<c10d::ProcessGroup> group;
};

RankGroup::RankGroup(int rank, int size, const std::filesystem::path& store, bool cuda)
    : rank_(rank), size_(size) {
  if (size == 1) {
    return;
  }
  try {
    impl_ = std::make_unique<Impl>();
    impl_->store = c10::make_intrusive<c10d::FileStore>(store.string(), size);
    if (cuda) {
#ifdef NOLENS_TRAIN_NCCL
      impl_->group = c10::make_intrusive<c10d::ProcessGroupNCCL>(impl_->store, rank, size);
      return;
#else
      throw Error(ErrorCode::kUsage,
                  "this nolens-train was built without NCCL; use one rank on a GPU");
#endif
    }
    auto options = c10d::ProcessGroupGloo::Options::create();
    options->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1"));
    impl_->group = c10::make_intrusive<c10d::ProcessGroupGloo>(impl_->store, rank, size, options);
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Error(ErrorCode::kResource, "the " + std::to_string(size) + " ranks cannot connect: " +
                                          escape_for_message(error.what()));
  }
}

RankGroup::~RankGroup() = default;
RankGroup::RankGroup(RankGroup&&) noexcept = default;
RankGroup& RankGroup::operator=(RankGroup&&) noexcept = default;

void RankGroup::sum(at::Tensor& tensor) const {
  if (size_ > 1) {
    std::vector<at::Tensor> tensors = {tensor};
    wait_for([&] { impl_->group->allreduce(tensors)->wait(); });
  }
}

at::Tensor RankGroup::gather(const at::Tensor& tensor) const {
  if (size_ == 1) {
    return tensor.clone();
  }
  std::vector<at::Tensor> inputs = {tensor.contiguous()};
  std::vector<std::vector<at::Tensor>> outputs(1);
  for (int rank = 0; rank < size_; ++rank) {
    outputs[0].push_back(at::empty_like(inputs[0]));
  }
  wait_for([&] { impl_->group->allgather(outputs, inputs)->wait(); });
  return at::cat(outputs[0]);
}

at::Tensor gather_with_gradient(const at::Tensor& tensor, const RankGroup& ranks) {
  return GatherWithGradient::apply(tensor, &ranks);
}

}  // namespace nolens::train
