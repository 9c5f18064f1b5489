#include "decoder/visibility.h"

#include <gtest/gtest.h>

#include <string>

namespace nolens {
namespace {

/// One row of a mask as '0' and '1'.
std::string mask_row(const Visibility& visibility, std::size_t row, std::int64_t keys) {
  std::string text;
  for (std::int64_t k = 0; k < keys; ++k) {
    text += visibility.first[row] <= k && k <= visibility.last[row] ? '1' : '0';
  }
  return text;
}

struct GoldenRow {
  const char* canonical_sliding;
  const char* canonical_full;
  const char* legacy_sliding;
  const char* legacy_full;
};

// W = 4, 8 tokens, one picture at positions 2 to 5; recorded from the reference implementation.
constexpr GoldenRow kGolden[] = {
    {"10000000", "10000000", "10000000", "10000000"},
    {"11000000", "11000000", "11000000", "11000000"},
    {"11111100", "11100000", "11111100", "11111100"},
    {"11111100", "11110000", "11111100", "11111100"},
    {"01111100", "11111000", "01111100", "11111100"},
    {"00111100", "11111100", "00111100", "11111100"},
    {"00011110", "11111110", "00011110", "11111110"},
    {"00001111", "11111111", "00001111", "11111111"},
};

Visibility all_rows(LayerType type, MaskRule rule, std::int64_t window, VisionBlock block,
                    std::int64_t tokens) {
  Visibility visibility;
  append_visibility(type, rule, window, {&block, 1}, 0, tokens, visibility);
  return visibility;
}

TEST(Visibility, MatchesTheReferenceMasks) {
  const VisionBlock block{2, 6};
  const auto sliding = LayerType::kSlidingAttention;
  const auto full = LayerType::kFullAttention;
  const Visibility cs = all_rows(sliding, MaskRule::kCanonical, 4, block, 8);
  const Visibility cf = all_rows(full, MaskRule::kCanonical, 4, block, 8);
  const Visibility ls = all_rows(sliding, MaskRule::kLegacy, 4, block, 8);
  const Visibility lf = all_rows(full, MaskRule::kLegacy, 4, block, 8);
  for (std::size_t q = 0; q < 8; ++q) {
    EXPECT_EQ(mask_row(cs, q, 8), kGolden[q].canonical_sliding) << "row " << q;
    EXPECT_EQ(mask_row(cf, q, 8), kGolden[q].canonical_full) << "row " << q;
    EXPECT_EQ(mask_row(ls, q, 8), kGolden[q].legacy_sliding) << "row " << q;
    EXPECT_EQ(mask_row(lf, q, 8), kGolden[q].legacy_full) << "row " << q;
  }
}

TEST(Visibility, LongBlockIsClampedToTheWindowOnlyByTheCanonicalRule) {
  // W = 4, picture at 5 to 11: (query, key) pairs of the reference's own test.
  const VisionBlock block{5, 12};
  const Visibility sliding =
      all_rows(LayerType::kSlidingAttention, MaskRule::kCanonical, 4, block, 14);
  const Visibility full = all_rows(LayerType::kFullAttention, MaskRule::kCanonical, 4, block, 14);
  const Visibility legacy =
      all_rows(LayerType::kSlidingAttention, MaskRule::kLegacy, 4, block, 14);
  EXPECT_EQ(mask_row(full, 5, 14)[11], '0');
  EXPECT_EQ(mask_row(full, 11, 14)[5], '1');
  EXPECT_EQ(mask_row(sliding, 8, 14)[5], '1');
  EXPECT_EQ(mask_row(sliding, 5, 14)[8], '1');
  EXPECT_EQ(mask_row(sliding, 11, 14)[5], '0');
  EXPECT_EQ(mask_row(legacy, 11, 14)[5], '1');
}

TEST(Visibility, CausalRuleIgnoresPictures) {
  const VisionBlock block{2, 6};
  const Visibility sliding = all_rows(LayerType::kSlidingAttention, MaskRule::kCausal, 4, block, 8);
  EXPECT_EQ(mask_row(sliding, 3, 8), "11110000");
  EXPECT_EQ(mask_row(sliding, 5, 8), "00111100");
}

TEST(Visibility, RowsDoNotDependOnWhereAStepBegins) {
  const VisionBlock blocks[] = {{3, 7}, {9, 15}};
  for (const MaskRule rule : {MaskRule::kCanonical, MaskRule::kLegacy, MaskRule::kCausal}) {
    Visibility whole;
    append_visibility(LayerType::kSlidingAttention, rule, 5, blocks, 0, 20, whole);
    Visibility cut;
    for (const auto& [begin, end] : {std::pair{0, 3}, {3, 8}, {8, 9}, {9, 20}}) {
      append_visibility(LayerType::kSlidingAttention, rule, 5, blocks, begin, end, cut);
    }
    EXPECT_EQ(whole.first, cut.first);
    EXPECT_EQ(whole.last, cut.last);
  }
}

}  // namespace
}  // namespace nolens
