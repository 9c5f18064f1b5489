#include "evaluate.h"

#include <algorithm>

#include "batch.h"
#include "contrastive.h"
#include "loss.h"

namespace nolens::train {
namespace {

bool is_yes_no(const std::string& answer) {
  return answer == "yes" || answer == "no";
}

}  // namespace

Evaluation evaluate(const Decoder& decoder, const ModelConfig& config, const PromptEncoder& encoder,
                    const std::vector<Group>& groups, std::int64_t groups_per_batch,
                    const RankGroup& ranks, at::Device device) {
  const at::NoGradGuard no_gradients;
  // Every answer text gets a place in a table that the ranks can add up.
  std::map<std::string, std::int64_t> places;
  for (const Group& group : groups) {
    for (const Branch& branch : group.branches) {
      places.try_emplace(encoder.answer_text(branch), static_cast<std::int64_t>(places.size()));
    }
  }
  const auto rows = static_cast<std::int64_t>(places.size());
  at::Tensor table = at::zeros({rows + 1, 2}, at::kDouble);
  auto cell = table.accessor<double, 2>();

  const auto total = static_cast<std::int64_t>(groups.size());
  std::int64_t turn = 0;
  for (std::int64_t first = 0; first < total; first += groups_per_batch, ++turn) {
    if (turn % ranks.size() != ranks.rank()) {
      continue;
    }
    const std::vector<Group> part(groups.begin() + first,
                                  groups.begin() + std::min(first + groups_per_batch, total));
    const Batch batch = collate(part, config, device);
    const Decoder::Output output = decoder.forward(batch, {});
    const AnswerLoss loss =
        answer_loss(decoder.logits(output.answers.index_select(0, batch.target_rows)), batch);
    cell[rows][0] += loss.sum.item<double>();
    cell[rows][1] += static_cast<double>(batch.targets_count());
    for (std::size_t g = 0; g < part.size(); ++g) {
      for (std::size_t k = 0; k < part[g].branches.size(); ++k) {
        const std::int64_t place = places.at(encoder.answer_text(part[g].branches[k]));
        cell[place][0] += loss.right[g * static_cast<std::size_t>(batch.branches) + k];
        cell[place][1] += 1.0;
      }
    }
  }
  ranks.sum(table);

  Evaluation evaluation;
  for (const auto& [answer, place] : places) {
    const Score score{static_cast<std::int64_t>(cell[place][0]),
                      static_cast<std::int64_t>(cell[place][1])};
    evaluation.by_answer[answer] = score;
    for (Score* sum :
         {&evaluation.all, is_yes_no(answer) ? &evaluation.yes_no : &evaluation.other}) {
      sum->right += score.right;
      sum->asked += score.asked;
    }
  }
  evaluation.loss = cell[rows][0] / std::max(cell[rows][1], 1.0);
  return evaluation;
}

Score retrieve(const Decoder& decoder, const ModelConfig& config, const ParameterSet& parameters,
               const std::vector<Group>& groups, std::int64_t groups_per_batch, at::Device device) {
  const at::NoGradGuard no_gradients;
  std::vector<Group> pictures;
  std::map<std::vector<TokenId>, std::int64_t> places;
  std::map<std::string, bool> seen;
  for (const Group& group : groups) {
    if (has_pair(group) && seen.try_emplace(group.picture_key, true).second) {
      pictures.push_back(group);
      pictures.back().branches.clear();
      places.try_emplace(group.caption, static_cast<std::int64_t>(places.size()));
    }
  }
  if (pictures.empty()) {
    return {};
  }
  std::vector<std::vector<TokenId>> captions(places.size());
  for (const auto& [caption, place] : places) {
    captions[static_cast<std::size_t>(place)] = caption;
  }
  const Embedder embedder(config, parameters, decoder);
  const at::Tensor texts = embedder.texts(captions, device);
  Score score;
  const auto total = static_cast<std::int64_t>(pictures.size());
  for (std::int64_t first = 0; first < total; first += groups_per_batch) {
    const std::vector<Group> part(pictures.begin() + first,
                                  pictures.begin() + std::min(first + groups_per_batch, total));
    const Batch batch = collate(part, config, device);
    const at::Tensor images =
        embedder.pictures(decoder.forward(batch, {true, false}).final_prefix, batch);
    const at::Tensor best = at::mm(images, texts.t()).argmax(1).to(at::kCPU).contiguous();
    for (std::size_t i = 0; i < part.size(); ++i) {
      score.right += best.data_ptr<std::int64_t>()[i] == places.at(part[i].caption) ? 1 : 0;
      ++score.asked;
    }
  }
  return score;
}

}  // namespace nolens::train
