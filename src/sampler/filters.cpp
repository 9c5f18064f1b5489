// Top-k by block maxima, top-p by a histogram: the cost is a few passes over the vocabulary, and
// the result depends on no library's sorting order.
#include "sampler/filters.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "core/check.h"

namespace nolens {
namespace {

float kth_of(std::vector<float>& values, std::size_t k) {
  const auto kth = values.begin() + static_cast<std::ptrdiff_t>(k - 1);
  std::nth_element(values.begin(), kth, values.end(), std::greater<>());
  return *kth;
}

/// Likelier first, then the lower id.
bool is_better(const Candidate& a, const Candidate& b) {
  return a.weight != b.weight ? a.weight > b.weight : a.id < b.id;
}

/// Sum in a fixed order of several lanes, which keep the adder busy.
double sum_of_weights(std::span<const Candidate> candidates) {
  constexpr std::size_t kLanes = 8;
  std::array<double, kLanes> lanes{};
  std::size_t i = 0;
  for (; i + kLanes <= candidates.size(); i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      lanes[lane] += static_cast<double>(candidates[i + lane].weight);
    }
  }
  for (std::size_t lane = 0; i < candidates.size(); ++i, ++lane) {
    lanes[lane] += static_cast<double>(candidates[i].weight);
  }
  return std::accumulate(lanes.begin(), lanes.end(), 0.0);
}

}  // namespace

std::vector<float> block_maxima(std::span<const float> scores) {
  std::vector<float> maxima;
  maxima.reserve(scores.size() / kScoreBlock + 1);
  std::size_t begin = 0;
  for (; begin + kScoreBlock <= scores.size(); begin += kScoreBlock) {
    // Lanes that do not depend on each other, so that this compiles to vector instructions.
    constexpr std::size_t kLanes = 16;
    std::array<float, kLanes> lanes;
    std::copy_n(scores.data() + begin, kLanes, lanes.begin());
    for (std::size_t row = kLanes; row < kScoreBlock; row += kLanes) {
      for (std::size_t lane = 0; lane < kLanes; ++lane) {
        const float score = scores[begin + row + lane];
        lanes[lane] = score > lanes[lane] ? score : lanes[lane];
      }
    }
    maxima.push_back(*std::max_element(lanes.begin(), lanes.end()));
  }
  if (begin < scores.size()) {
    const auto rest = scores.subspan(begin);
    maxima.push_back(*std::max_element(rest.begin(), rest.end()));
  }
  return maxima;
}

float kth_largest(std::span<const float> scores, std::span<const float> maxima, std::int64_t k) {
  const auto wanted = static_cast<std::size_t>(k);
  NOLENS_CHECK(k >= 1 && wanted <= scores.size());
  // At least k scores, one in each of k blocks, reach the k-th largest maximum.
  float bound = -std::numeric_limits<float>::infinity();
  if (wanted <= maxima.size()) {
    std::vector<float> copy(maxima.begin(), maxima.end());
    bound = kth_of(copy, wanted);
  }
  std::vector<float> left;
  for (std::size_t block = 0; block < maxima.size(); ++block) {
    if (maxima[block] < bound) {
      continue;
    }
    const std::size_t begin = block * kScoreBlock;
    for (std::size_t i = begin; i < std::min(begin + kScoreBlock, scores.size()); ++i) {
      if (scores[i] >= bound) {
        left.push_back(scores[i]);
      }
    }
  }
  return kth_of(left, wanted);
}

void weigh(std::span<const float> scores, std::span<const float> maxima, float threshold,
           float temperature, std::vector<Candidate>& candidates) {
  const float largest = *std::max_element(maxima.begin(), maxima.end());
  candidates.clear();
  for (std::size_t block = 0; block < maxima.size(); ++block) {
    if (!(maxima[block] >= threshold)) {
      continue;
    }
    const std::size_t begin = block * kScoreBlock;
    const auto part = scores.subspan(begin, std::min(kScoreBlock, scores.size() - begin));
    std::array<Candidate, kScoreBlock> found;
    std::size_t count = 0;
    for (std::size_t i = 0; i < part.size(); ++i) {
      // Written always, kept if it counts: whether it does is hard for the processor to predict.
      const float weight = std::exp((part[i] - largest) / temperature);
      found[count] = {static_cast<TokenId>(begin + i), weight};
      count += part[i] >= threshold && weight > 0.0F ? 1 : 0;
    }
    candidates.insert(candidates.end(), found.begin(),
                      found.begin() + static_cast<std::ptrdiff_t>(count));
  }
}

void keep_top_p(std::vector<Candidate>& candidates, float top_p) {
  // Candidates fall into classes of nearly equal weight, told by the upper bits of the number; only
  // the class in which the running sum crosses top_p has to be sorted.
  constexpr std::uint32_t kOne = std::bit_cast<std::uint32_t>(1.0F);
  constexpr int kClassBits = 16;  // 128 classes from a weight to its half
  const auto class_of = [](const Candidate& candidate) {
    return std::size_t{(kOne - std::bit_cast<std::uint32_t>(candidate.weight)) >> kClassBits};
  };
  std::vector<double> sums((kOne >> kClassBits) + 1, 0.0);
  for (const Candidate& candidate : candidates) {
    sums[class_of(candidate)] += static_cast<double>(candidate.weight);
  }
  const double wanted = std::accumulate(sums.begin(), sums.end(), 0.0) * static_cast<double>(top_p);

  double reached = 0.0;
  std::size_t crossing = 0;
  while (reached + sums[crossing] < wanted) {  // ends: the sum of all is at least `wanted`
    reached += sums[crossing];
    ++crossing;
  }
  std::vector<Candidate> members;
  for (const Candidate& candidate : candidates) {
    if (class_of(candidate) == crossing) {
      members.push_back(candidate);
    }
  }
  NOLENS_CHECK(!members.empty());
  std::sort(members.begin(), members.end(), is_better);
  Candidate last;
  for (const Candidate& member : members) {
    last = member;
    reached += static_cast<double>(member.weight);
    if (reached >= wanted) {
      break;
    }
  }
  std::erase_if(candidates, [&](const Candidate& candidate) { return is_better(last, candidate); });
}

void keep_min_p(std::vector<Candidate>& candidates, float min_p) {
  std::erase_if(candidates, [&](const Candidate& candidate) { return candidate.weight < min_p; });
}

TokenId draw(std::span<const Candidate> candidates, double position) {
  NOLENS_CHECK(!candidates.empty());
  // First the block, then the candidate in it: one pass over all, not two.
  constexpr std::size_t kBlock = 256;
  std::vector<double> sums;
  for (std::size_t begin = 0; begin < candidates.size(); begin += kBlock) {
    sums.push_back(
        sum_of_weights(candidates.subspan(begin, std::min(kBlock, candidates.size() - begin))));
  }
  const double wanted = position * std::accumulate(sums.begin(), sums.end(), 0.0);
  double reached = 0.0;
  std::size_t block = 0;
  while (block + 1 < sums.size() && reached + sums[block] <= wanted) {
    reached += sums[block];
    ++block;
  }
  const std::size_t begin = block * kBlock;
  const auto part = candidates.subspan(begin, std::min(kBlock, candidates.size() - begin));
  for (const Candidate& candidate : part) {
    reached += static_cast<double>(candidate.weight);
    if (reached > wanted) {
      return candidate.id;
    }
  }
  return part.back().id;  // sums in another order differ in the last bit
}

}  // namespace nolens
