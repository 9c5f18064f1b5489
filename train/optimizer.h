// AdamW over the flat parameter buffer, with clipping and an average of the weights.
#pragma once

#include <cstdint>

#include <ATen/ATen.h>

#include "parameters.h"

namespace nolens::train {

struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.98;
  double eps = 1e-8;
  double weight_decay = 0.05;
  double clip = 1.0;           ///< largest gradient norm; 0 = no limit
  double average_decay = 0.0;  ///< of the moving average of the weights; 0 = none
};

/// Decoupled weight decay (Loshchilov and Hutter 2019), on matrices only.
class AdamW {
 public:
  /// Keeps a reference.
  AdamW(ParameterSet& parameters, const AdamWOptions& options);

  /// Norm of the gradients; not finite if any of them is not.
  [[nodiscard]] double gradient_norm() const;
  /// One update. `norm` is gradient_norm().
  void step(double rate, double norm);

  [[nodiscard]] const at::Tensor& first_moment() const noexcept { return first_; }
  [[nodiscard]] const at::Tensor& second_moment() const noexcept { return second_; }
  /// The moving average, or the weights themselves without one.
  [[nodiscard]] const at::Tensor& average() const noexcept {
    return average_.defined() ? average_ : parameters_.values();
  }
  /// Sets the average to the present weights.
  void restart_average();
  [[nodiscard]] bool has_average() const noexcept { return average_.defined(); }
  [[nodiscard]] std::int64_t updates() const noexcept { return updates_; }
  void set_updates(std::int64_t updates) noexcept { updates_ = updates; }

 private:
  ParameterSet& parameters_;
  AdamWOptions options_;
  at::Tensor first_;
  at::Tensor second_;
  at::Tensor average_;
  std::int64_t updates_ = 0;
};

}  // namespace nolens::train
