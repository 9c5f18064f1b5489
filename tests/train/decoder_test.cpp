// The packed decoder: branches equal separate sequences, padding and neighbours change nothing.
#include <vector>

#include <gtest/gtest.h>

#include "batch.h"
#include "counter_rng.h"
#include "fixture.h"
#include "loss.h"
#include "modules.h"

namespace nolens::train {
namespace {

using at::Tensor;

class DecoderTest : public testing::Test {
 protected:
  explicit DecoderTest(std::int64_t window = 512)
      : model_(window), parameters_(parameter_specs(model_.config, {}), 7, at::kCPU) {}

  Patches random_patches(std::int64_t width, std::int64_t height, std::uint64_t seed) const {
    CounterRng rng(seed, 5);
    Patches patches;
    for (std::int64_t y = 0; y < height; ++y) {
      for (std::int64_t x = 0; x < width; ++x) {
        patches.x.push_back(x);
        patches.y.push_back(y);
      }
    }
    for (std::int64_t i = patches.count() * model_.config.vision->patch_values(); i > 0; --i) {
      patches.values.push_back(static_cast<float>(0.005 * rng.uniform()));
    }
    return patches;
  }

  Group group(std::int64_t width, std::int64_t height, std::vector<std::int64_t> branch_lengths,
              std::uint64_t seed) const {
    const SpecialTokens& t = model_.config.tokens;
    Group group;
    group.pictures = {random_patches(width, height, seed)};
    group.prefix = {t.bos, 300, 301, t.boi};
    group.prefix.insert(group.prefix.end(), static_cast<std::size_t>(width * height), t.image);
    group.prefix.push_back(t.eoi);
    CounterRng rng(seed, 6);
    for (const std::int64_t length : branch_lengths) {
      Branch branch;
      for (std::int64_t i = 0; i < length; ++i) {
        branch.tokens.push_back(static_cast<TokenId>(rng.integer(280, 500)));
      }
      branch.answer_begin = length - 2;
      group.branches.push_back(std::move(branch));
    }
    return group;
  }

  struct Result {
    Tensor logits;  ///< [targets, vocabulary]
    Tensor gradient;
  };

  /// Loss summed over all answer tokens, with its gradient.
  Result run(const std::vector<Group>& groups) {
    const Decoder decoder(model_.config, parameters_, false);
    parameters_.gradients().zero_();
    std::vector<Tensor> logits;
    const Batch batch = collate(groups, model_.config, at::kCPU);
    const Decoder::Output output = decoder.forward(batch, {});
    const Tensor rows = decoder.logits(output.answers.index_select(0, batch.target_rows));
    answer_loss(rows, batch).sum.backward();
    return {rows.detach(), parameters_.gradients().clone()};
  }

  /// The same groups, each branch as a sequence of its own.
  Result run_separately(const std::vector<Group>& groups) {
    std::vector<Tensor> logits;
    Tensor gradient = at::zeros_like(parameters_.gradients());
    for (const Group& group : groups) {
      for (const Branch& branch : group.branches) {
        Group single = group;
        single.branches = {branch};
        const Result result = run({single});
        logits.push_back(result.logits);
        gradient += result.gradient;
      }
    }
    return {at::cat(logits), gradient};
  }

  static void expect_equal(const Result& a, const Result& b) {
    ASSERT_EQ(a.logits.sizes(), b.logits.sizes());
    EXPECT_LT((a.logits - b.logits).abs().max().item<double>(), 2e-5);
    EXPECT_LT(((a.gradient - b.gradient).norm() / b.gradient.norm()).item<double>(), 2e-5);
  }

  SmallModel model_;
  ParameterSet parameters_;
};

TEST_F(DecoderTest, BranchesEqualSeparateSequences) {
  const std::vector<Group> groups = {group(3, 3, {5, 9, 7}, 1)};
  expect_equal(run(groups), run_separately(groups));
}

TEST_F(DecoderTest, PicturesOfDifferentSizesAndMissingBranchesEqualSeparateSequences) {
  const std::vector<Group> groups = {group(4, 2, {5, 9}, 1), group(2, 2, {6}, 2),
                                     group(1, 5, {3, 4, 12}, 3)};
  expect_equal(run(groups), run_separately(groups));
}

TEST_F(DecoderTest, ABranchAsPrefixGivesTheSameStates) {
  // The branch appended to the prefix, without branches: an independent path through the decoder.
  const Group packed = group(3, 2, {8}, 4);
  Group plain = packed;
  plain.branches.clear();
  plain.prefix.insert(plain.prefix.end(), packed.branches[0].tokens.begin(),
                      packed.branches[0].tokens.end() - 1);
  const Decoder decoder(model_.config, parameters_, false);
  const Decoder::Output a = decoder.forward(collate({packed}, model_.config, at::kCPU), {});
  const Decoder::Output b =
      decoder.forward(collate({plain}, model_.config, at::kCPU), {true, false});
  const Tensor last = b.final_prefix.narrow(0, b.final_prefix.size(0) - 2, 2);
  EXPECT_LT((a.answers - last).abs().max().item<double>(), 2e-5);
}

TEST_F(DecoderTest, APictureSeesItselfInBothDirectionsInSlidingLayersOnly) {
  const Batch batch = collate({group(2, 2, {5}, 5)}, model_.config, at::kCPU);
  const auto sliding = batch.sliding.prefix.accessor<std::int32_t, 2>();
  const auto full = batch.full.prefix.accessor<std::int32_t, 2>();
  // Rows 4 to 7 are the picture.
  EXPECT_EQ(sliding[3][1], 4);
  EXPECT_EQ(sliding[4][1], 8);
  EXPECT_EQ(sliding[7][1], 8);
  EXPECT_EQ(sliding[8][1], 9);
  EXPECT_EQ(full[4][1], 5);
}

class ShortWindowTest : public DecoderTest {
 protected:
  ShortWindowTest() : DecoderTest(6) {}
};

TEST_F(ShortWindowTest, BranchesEqualSeparateSequencesBeyondTheWindow) {
  const std::vector<Group> groups = {group(2, 2, {5, 12}, 6), group(3, 3, {9}, 7)};
  expect_equal(run(groups), run_separately(groups));
}

TEST_F(ShortWindowTest, ABranchAsPrefixGivesTheSameStates) {
  const Group packed = group(2, 2, {11}, 8);
  Group plain = packed;
  plain.branches.clear();
  plain.prefix.insert(plain.prefix.end(), packed.branches[0].tokens.begin(),
                      packed.branches[0].tokens.end() - 1);
  const Decoder decoder(model_.config, parameters_, false);
  const Decoder::Output a = decoder.forward(collate({packed}, model_.config, at::kCPU), {});
  const Decoder::Output b =
      decoder.forward(collate({plain}, model_.config, at::kCPU), {true, false});
  const Tensor last = b.final_prefix.narrow(0, b.final_prefix.size(0) - 2, 2);
  EXPECT_LT((a.answers - last).abs().max().item<double>(), 2e-5);
}

TEST_F(DecoderTest, PlaceholdersAndPatchesMustAgree) {
  Group broken = group(2, 2, {5}, 9);
  broken.prefix.pop_back();
  broken.prefix.pop_back();
  try {
    collate({broken}, model_.config, at::kCPU);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInput);
  }
}

TEST_F(DecoderTest, InitialValuesDependOnSeedAndNameAlone) {
  HeadOptions heads;
  heads.contrastive = true;
  const ParameterSet same(parameter_specs(model_.config, heads), 7, at::kCPU);
  const ParameterSet other(parameter_specs(model_.config, {}), 8, at::kCPU);
  const std::string name = "model.language_model.layers.0.mlp.up_proj.weight";
  EXPECT_TRUE(at::equal(same.get(name), parameters_.get(name)));
  EXPECT_FALSE(at::equal(other.get(name), parameters_.get(name)));
}

}  // namespace
}  // namespace nolens::train
