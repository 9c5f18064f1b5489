// Loading a model with warnings and progress on stderr.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "nolens/model.h"

#include "options.h"

namespace nolens::cli {

struct LoadedModel {
  std::shared_ptr<const Model> model;
  double milliseconds = 0.0;
};

/// Loads the model the options name. \throws what Model::load throws; Error{kInterrupted}
LoadedModel load_model(const ModelOptions& options);

/// Largest resident size of this process so far.
std::int64_t peak_rss_bytes();

/// Time since `start`.
double milliseconds_since(std::chrono::steady_clock::time_point start);

}  // namespace nolens::cli
