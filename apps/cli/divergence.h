// How far the predictions of one model are from those of another.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "nolens/log.h"
#include "nolens/model.h"

namespace nolens::cli {

struct Divergence {
  double mean_kl = 0.0;  ///< sum over tokens of p log(p / q), p the reference's; nats a position
  double max_kl = 0.0;   ///< of one position
  double top1_agreement = 0.0;  ///< share of positions with the same best token
  double perplexity = 0.0;
  double reference_perplexity = 0.0;
  std::int64_t predicted = 0;  ///< positions compared
};

/// Compares at the positions that measure_perplexity() counts; `kv_cache` is the model's, not the reference's.
/// \throws what text_windows() does; Error{kUsage} if the vocabularies differ in size
Divergence measure_divergence(const std::shared_ptr<const Model>& model,
                              const std::shared_ptr<const Model>& reference, std::string_view text,
                              std::int64_t window, KvCacheType kv_cache,
                              const ProgressSink& progress);

}  // namespace nolens::cli
