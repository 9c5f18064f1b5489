// All parameters of a training run in one flat buffer, and their gradients in another, so that
// optimizer, clipping, averaging, all-reduce and checkpoints are single operations.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <ATen/ATen.h>

namespace nolens::train {

struct ParameterSpec {
  std::string name;  ///< as in the exported checkpoint
  std::vector<std::int64_t> shape;
  double deviation = 0.0;  ///< initial values: normal with this standard deviation
  double mean = 0.0;       ///< around this mean
  bool decay = false;      ///< weight decay applies (matrices only)
  bool exported = true;    ///< false: helps in training only
};

class ParameterSet {
 public:
  /// Initial values depend on `seed` and the parameter's name alone.
  ParameterSet(std::vector<ParameterSpec> specs, std::uint64_t seed, at::Device device);

  /// A leaf tensor that requires a gradient; its storage is part of values().
  [[nodiscard]] const at::Tensor& get(const std::string& name) const;
  [[nodiscard]] bool has(const std::string& name) const { return index_.contains(name); }

  [[nodiscard]] const std::vector<ParameterSpec>& specs() const noexcept { return specs_; }
  /// Part of a flat buffer that belongs to parameter `i`, in its shape.
  [[nodiscard]] at::Tensor view(const at::Tensor& flat, std::size_t i) const;

  [[nodiscard]] const at::Tensor& values() const noexcept { return values_; }        ///< float [n]
  [[nodiscard]] const at::Tensor& gradients() const noexcept { return gradients_; }  ///< float [n]
  /// Parameters with weight decay come first and fill this many values.
  [[nodiscard]] std::int64_t decayed_count() const noexcept { return decayed_count_; }
  [[nodiscard]] std::int64_t count() const noexcept { return values_.numel(); }

 private:
  std::vector<ParameterSpec> specs_;
  std::vector<std::int64_t> offsets_;
  std::map<std::string, std::size_t> index_;
  std::vector<at::Tensor> leaves_;
  at::Tensor values_;
  at::Tensor gradients_;
  std::int64_t decayed_count_ = 0;
};

}  // namespace nolens::train
