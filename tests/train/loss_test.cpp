#include "loss.h"

#include <cmath>

#include <gtest/gtest.h>

#include "contrastive.h"
#include "counter_rng.h"
#include "fixture.h"

namespace nolens::train {
namespace {

using at::Tensor;

Tensor unit_rows(std::int64_t rows, std::uint64_t seed) {
  CounterRng rng(seed, 1);
  Tensor tensor = at::empty({rows, 6}, at::kFloat);
  for (std::int64_t i = 0; i < tensor.numel(); ++i) {
    tensor.data_ptr<float>()[i] = static_cast<float>(rng.normal());
  }
  return tensor / tensor.norm(2, {1}, true);
}

ContrastiveInput input(std::vector<std::int64_t> image_keys, std::vector<std::int64_t> text_keys) {
  const auto rows = static_cast<std::int64_t>(image_keys.size());
  ContrastiveInput in;
  in.image = unit_rows(rows, 3);
  in.text = unit_rows(rows, 4);
  in.image_keys = at::tensor(image_keys, at::kLong);
  in.text_keys = at::tensor(text_keys, at::kLong);
  in.log_scale = at::full({1}, std::log(5.0));
  in.bias = at::full({1}, -1.0);
  return in;
}

const RankGroup kAlone(0, 1, {}, false);

/// d loss / d score of every pair of rows, from a scale of 1: positive pairs pull (< 0).
Tensor pull(ContrastiveInput in, ContrastiveKind kind) {
  in.text = in.text.clone().requires_grad_(true);
  in.image = at::eye(in.text.size(0)).narrow(1, 0, in.text.size(0));
  in.text = at::zeros({in.text.size(0), in.image.size(1)}).requires_grad_(true);
  in.log_scale = at::zeros({1});
  contrastive_loss(in, kind, kAlone).backward();
  return in.text.grad().t();  // [image, text], because images are unit vectors
}

TEST(ContrastiveLoss, DifferentPairsRepelAndOwnPairsAttract) {
  const Tensor g = pull(input({1, 2, 3}, {10, 20, 30}), ContrastiveKind::kSigmoid);
  for (std::int64_t i = 0; i < 3; ++i) {
    for (std::int64_t j = 0; j < 3; ++j) {
      EXPECT_EQ(g[i][j].item<float>() < 0.0F, i == j) << i << ' ' << j;
    }
  }
}

TEST(ContrastiveLoss, EqualTextsOrEqualPicturesAreNeverNegatives) {
  for (const ContrastiveKind kind : {ContrastiveKind::kSigmoid, ContrastiveKind::kSoftmax}) {
    const Tensor g = pull(input({1, 2, 3, 3}, {10, 10, 30, 40}), kind);
    EXPECT_LT(g[0][1].item<float>(), 0.0F);  // same text
    EXPECT_LT(g[1][0].item<float>(), 0.0F);
    EXPECT_LT(g[2][3].item<float>(), 0.0F);  // same picture
    EXPECT_LT(g[3][2].item<float>(), 0.0F);
    EXPECT_GT(g[0][2].item<float>(), 0.0F);
    EXPECT_GT(g[3][1].item<float>(), 0.0F);
  }
}

TEST(ContrastiveLoss, RowsWithoutAPairDoNotCount) {
  for (const ContrastiveKind kind : {ContrastiveKind::kSigmoid, ContrastiveKind::kSoftmax}) {
    ContrastiveInput with = input({1, 2, -1}, {10, 20, 30});
    ContrastiveInput without = input({1, 2}, {10, 20});
    without.image = with.image.narrow(0, 0, 2);
    without.text = with.text.narrow(0, 0, 2);
    EXPECT_NEAR(contrastive_loss(with, kind, kAlone).item<double>(),
                contrastive_loss(without, kind, kAlone).item<double>(), 1e-5);
  }
}

TEST(ContrastiveLoss, SigmoidHasItsKnownValue) {
  ContrastiveInput in = input({1, 2}, {10, 20});
  double expected = 0.0;
  const Tensor scores = at::mm(in.image, in.text.t());
  for (std::int64_t i = 0; i < 2; ++i) {
    for (std::int64_t j = 0; j < 2; ++j) {
      const double z = 5.0 * scores[i][j].item<double>() - 1.0;
      expected += std::log1p(std::exp(i == j ? -z : z));
    }
  }
  EXPECT_NEAR(contrastive_loss(in, ContrastiveKind::kSigmoid, kAlone).item<double>(), expected,
              1e-4);
}

TEST(ContrastiveLoss, SoftmaxOfEqualScoresIsTheLogarithmOfTheBatch) {
  ContrastiveInput in = input({1, 2, 3, 4}, {10, 20, 30, 40});
  in.text = at::zeros_like(in.text);
  in.image = at::zeros_like(in.image);
  EXPECT_NEAR(contrastive_loss(in, ContrastiveKind::kSoftmax, kAlone).item<double>(),
              4.0 * std::log(4.0), 1e-5);
}

TEST(AnswerLoss, AConversationIsRightOnlyIfEveryTokenIs) {
  Batch batch;
  batch.groups = 1;
  batch.branches = 2;
  batch.targets = at::tensor({3, 4, 1}, at::kLong);
  batch.target_branch = {0, 0, 1};
  Tensor logits = at::zeros({3, 6});
  logits[0][3] = 5.0;
  logits[1][2] = 5.0;  // wrong
  logits[2][1] = 5.0;
  const AnswerLoss loss = answer_loss(logits, batch);
  EXPECT_EQ(loss.right, (std::vector<std::uint8_t>{0, 1}));
  const double right = std::log(std::exp(5.0) + 5.0) - 5.0;
  EXPECT_NEAR(loss.sum.item<double>(), 3.0 * right + 5.0, 1e-4);
}

TEST(ScaffoldLoss, GroupsWithoutATruthCountNothing) {
  std::vector<Group> groups(2);
  groups[1].label = ScaffoldLabel{2, 5, 0.25F, 0.75F};
  Tensor predictions = at::zeros({2, 13}).requires_grad_(true);
  scaffold_loss(predictions, groups).backward();
  EXPECT_EQ(predictions.grad()[0].abs().sum().item<double>(), 0.0);
  EXPECT_LT(predictions.grad()[1][2].item<double>(), 0.0);
  EXPECT_LT(predictions.grad()[1][3 + 5].item<double>(), 0.0);
  EXPECT_LT(predictions.grad()[1][12].item<double>(), 0.0);
}

TEST(Embedder, ATextDoesNotDependOnItsNeighbours) {
  const SmallModel model;
  HeadOptions heads;
  heads.contrastive = true;
  const ParameterSet parameters(parameter_specs(model.config, heads), 5, at::kCPU);
  const Decoder decoder(model.config, parameters, false);
  const Embedder embedder(model.config, parameters, decoder);
  const std::vector<TokenId> one = {2, 300, 301};
  const std::vector<TokenId> other = {2, 310, 311, 312, 313, 314};
  const Tensor alone = embedder.texts({one}, at::kCPU);
  const Tensor together = embedder.texts({other, one}, at::kCPU);
  EXPECT_LT((alone[0] - together[1]).abs().max().item<double>(), 1e-6);
  EXPECT_NEAR(alone[0].norm().item<double>(), 1.0, 1e-5);
}

}  // namespace
}  // namespace nolens::train
