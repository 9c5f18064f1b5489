// What two prompts have in common.
#include <algorithm>

#include "engine/context.h"

namespace nolens {

std::int64_t shared_prefix(std::span<const TokenId> a_ids, std::span<const MediaSpan> a_media,
                           const TokenSequence& b) {
  const auto end = std::mismatch(a_ids.begin(), a_ids.end(), b.ids.begin(), b.ids.end()).first;
  std::int64_t common = end - a_ids.begin();
  // Equal placeholders may stand for different media, which count as a whole only.
  for (std::size_t i = 0; i < std::max(a_media.size(), b.media.size()); ++i) {
    const bool in_a = i < a_media.size();
    const bool in_b = i < b.media.size();
    const bool same = in_a && in_b && a_media[i].begin == b.media[i].begin &&
                      a_media[i].end == b.media[i].end && a_media[i].hash == b.media[i].hash &&
                      a_media[i].end <= common;
    if (!same) {
      common = std::min(common, in_a ? a_media[i].begin : common);
      common = std::min(common, in_b ? b.media[i].begin : common);
      break;
    }
  }
  return common;
}

}  // namespace nolens
