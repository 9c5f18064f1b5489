#include "engine/chunk_plan.h"

#include <gtest/gtest.h>

#include <random>

namespace nolens {
namespace {

TEST(ChunkPlan, CutsTextEvenly) {
  const auto chunks = plan_chunks(0, 10, 4, {});
  ASSERT_EQ(chunks.size(), 3U);
  EXPECT_EQ(chunks[1].begin, 4);
  EXPECT_EQ(chunks[2].end, 10);
}

TEST(ChunkPlan, NoChunkIsMuchShorterThanTheOthers) {
  for (std::int64_t length = 1; length < 3000; length += 7) {
    const auto chunks = plan_chunks(5, 5 + length, 384, {});
    EXPECT_EQ(static_cast<std::int64_t>(chunks.size()), (length + 383) / 384);
    for (const Chunk& chunk : chunks) {
      EXPECT_GE(chunk.end - chunk.begin, length / static_cast<std::int64_t>(chunks.size()) -
                                             4 * static_cast<std::int64_t>(chunks.size()));
    }
  }
}

TEST(ChunkPlan, ABlockThatWouldBeCutEndsTheChunkIfItFits) {
  const VisionBlock block{4, 284};  // a picture behind a few words
  const auto chunks = plan_chunks(0, 500, 384, {&block, 1});
  ASSERT_EQ(chunks.size(), 2U);
  EXPECT_EQ(chunks[0].end, 284);
}

TEST(ChunkPlan, ABlockThatWouldBeCutStartsTheNextChunk) {
  const VisionBlock block{3, 6};
  const auto chunks = plan_chunks(0, 10, 4, {&block, 1});
  ASSERT_EQ(chunks.size(), 3U);
  EXPECT_EQ(chunks[0].end, 3);
  EXPECT_EQ(chunks[1].end, 7);
}

TEST(ChunkPlan, ABlockLongerThanAChunkGetsItsOwn) {
  const VisionBlock block{2, 1122};
  const auto chunks = plan_chunks(0, 1200, 64, {&block, 1});
  ASSERT_GE(chunks.size(), 3U);
  EXPECT_EQ(chunks[0].end, 2);
  EXPECT_EQ(chunks[1].begin, 2);
  EXPECT_EQ(chunks[1].end, 1122);
}

TEST(ChunkPlan, CoversEverythingOnceAndNeverCutsABlock) {
  std::mt19937 random(3);
  const auto below = [&](unsigned limit) { return static_cast<std::int64_t>(random() % limit); };
  for (int run = 0; run < 2000; ++run) {
    std::vector<VisionBlock> blocks;
    std::int64_t end = below(5);
    for (std::int64_t i = below(6); i > 0; --i) {
      const std::int64_t begin = end + below(20);
      end = begin + 1 + below(60);
      blocks.push_back({begin, end});
      end += 1;
    }
    end += below(30);
    const std::int64_t rows = 1 + below(50);
    std::int64_t next = 0;
    for (const Chunk& chunk : plan_chunks(0, end, rows, blocks)) {
      ASSERT_EQ(chunk.begin, next);
      ASSERT_GT(chunk.end, chunk.begin);
      next = chunk.end;
      bool one_block_alone = false;
      for (const VisionBlock& block : blocks) {
        ASSERT_FALSE(block.begin < chunk.end && chunk.end < block.end)
            << "chunk end " << chunk.end << " cuts [" << block.begin << ", " << block.end << ")";
        one_block_alone |= chunk.begin == block.begin && chunk.end == block.end;
      }
      ASSERT_TRUE(chunk.end - chunk.begin <= rows || one_block_alone);
    }
    ASSERT_EQ(next, end);
  }
}

}  // namespace
}  // namespace nolens
