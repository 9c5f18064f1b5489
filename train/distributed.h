// Data-parallel ranks. The only part that knows c10d.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include <ATen/ATen.h>

namespace nolens::train {

/// Starts the other ranks of a run on this machine: forks size - 1 times and returns this process's
/// rank. Call before any thread exists. Child ranks end when the first one does.
int fork_ranks(int size);

/// Rank 0 waits for the others. True if all of them ended with code 0.
bool wait_for_ranks();

/// Collective operations between the ranks of a run. One rank alone needs no store and no network.
class RankGroup {
 public:
  /// Ranks meet in `store`, a file that does not exist yet or belongs to this run.
  /// \throws Error{kResource} if they cannot connect.
  RankGroup(int rank, int size, const std::filesystem::path& store, bool cuda);
  ~RankGroup();
  RankGroup(RankGroup&&) noexcept;
  RankGroup& operator=(RankGroup&&) noexcept;

  [[nodiscard]] int rank() const noexcept { return rank_; }
  [[nodiscard]] int size() const noexcept { return size_; }

  /// Replaces `tensor` by the sum over the ranks.
  void sum(at::Tensor& tensor) const;
  /// Tensors of all ranks, equal shapes, joined along the first dimension in rank order.
  [[nodiscard]] at::Tensor gather(const at::Tensor& tensor) const;

 private:
  struct Impl;
  int rank_ = 0;
  int size_ = 1;
  std::unique_ptr<Impl> impl_;
};

/// gather() that passes gradients back: each rank gets the sum of all ranks' gradients for its
/// part.
at::Tensor gather_with_gradient(const at::Tensor& tensor, const RankGroup& ranks);

}  // namespace nolens::train
