#include "parameters.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "counter_rng.h"

namespace nolens::train {
namespace {

std::int64_t count_of(const ParameterSpec& spec) {
  std::int64_t count = 1;
  for (const std::int64_t side : spec.shape) {
    count *= side;
  }
  return count;
}

/// FNV-1a, so that a parameter's start does not depend on its neighbours.
std::uint64_t hash_of(const std::string& name) {
  std::uint64_t hash = 0xCBF29CE484222325U;
  for (const char c : name) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
  }
  return hash;
}

}  // namespace

ParameterSet::ParameterSet(std::vector<ParameterSpec> specs, std::uint64_t seed, at::Device device)
    : specs_(std::move(specs)) {
  std::stable_partition(specs_.begin(), specs_.end(),
                        [](const ParameterSpec& spec) { return spec.decay; });
  std::vector<float> start;
  for (const ParameterSpec& spec : specs_) {
    NOLENS_CHECK(!index_.contains(spec.name));
    index_[spec.name] = offsets_.size();
    offsets_.push_back(static_cast<std::int64_t>(start.size()));
    CounterRng rng(seed, hash_of(spec.name));
    for (std::int64_t i = count_of(spec); i > 0; --i) {
      const double noise = spec.deviation > 0.0 ? spec.deviation * rng.normal() : 0.0;
      start.push_back(static_cast<float>(spec.mean + noise));
    }
    if (spec.decay) {
      decayed_count_ = static_cast<std::int64_t>(start.size());
    }
  }
  values_ = at::from_blob(start.data(), {static_cast<std::int64_t>(start.size())}, at::kFloat)
                .clone()
                .to(device);
  gradients_ = at::zeros_like(values_);
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    at::Tensor leaf = view(values_, i).detach();
    leaf.requires_grad_(true);
    leaf.mutable_grad() = view(gradients_, i);
    leaves_.push_back(leaf);
  }
}

const at::Tensor& ParameterSet::get(const std::string& name) const {
  const auto found = index_.find(name);
  NOLENS_CHECK(found != index_.end());
  return leaves_[found->second];
}

at::Tensor ParameterSet::view(const at::Tensor& flat, std::size_t i) const {
  return flat.narrow(0, offsets_[i], count_of(specs_[i])).view(specs_[i].shape);
}

}  // namespace nolens::train
