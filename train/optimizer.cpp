#include "optimizer.h"

#include <algorithm>
#include <cmath>

namespace nolens::train {

AdamW::AdamW(ParameterSet& parameters, const AdamWOptions& options)
    : parameters_(parameters),
      options_(options),
      first_(at::zeros_like(parameters.values())),
      second_(at::zeros_like(parameters.values())) {
  if (options.average_decay > 0.0) {
    average_ = parameters.values().clone();
  }
}

void AdamW::restart_average() {
  if (average_.defined()) {
    average_.copy_(parameters_.values());
  }
}

double AdamW::gradient_norm() const {
  return parameters_.gradients().norm().item<double>();
}

void AdamW::step(double rate, double norm) {
  at::Tensor gradients = parameters_.gradients();
  at::Tensor values = parameters_.values();
  if (options_.clip > 0.0 && norm > options_.clip) {
    gradients.mul_(options_.clip / norm);
  }
  ++updates_;
  const auto count = static_cast<double>(updates_);
  const double correction1 = 1.0 - std::pow(options_.beta1, count);
  const double correction2 = 1.0 - std::pow(options_.beta2, count);
  first_.mul_(options_.beta1).add_(gradients, 1.0 - options_.beta1);
  second_.mul_(options_.beta2).addcmul_(gradients, gradients, 1.0 - options_.beta2);
  values.narrow(0, 0, parameters_.decayed_count()).mul_(1.0 - rate * options_.weight_decay);
  const at::Tensor spread = second_.sqrt().div_(std::sqrt(correction2)).add_(options_.eps);
  values.addcdiv_(first_, spread, -rate / correction1);
  if (average_.defined()) {
    // A short memory at first, so that the start does not linger.
    const double decay = std::min(options_.average_decay, (1.0 + count) / (10.0 + count));
    average_.mul_(decay).add_(values, 1.0 - decay);
  }
}

}  // namespace nolens::train
