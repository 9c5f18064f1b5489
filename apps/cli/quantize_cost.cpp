#include "quantize_cost.h"

#include <algorithm>
#include <array>
#include <utility>

#include "nolens/chat.h"
#include "nolens/session.h"

#include "drawn_shapes.h"
#include "interrupt.h"

namespace nolens::cli {
namespace {

/// Of an answer that does not end by itself.
constexpr int kMaxAnswerTokens = 8;
/// S, E and Q of Comparisons.
constexpr std::size_t kReaders = 3;
using Readers = std::array<Reader, kReaders>;

/// What all positions add up to.
class ComparisonSums {
 public:
  void add(std::span<const std::span<const float>> logits, TokenId next) {
    for (std::size_t r = 0; r < kReaders; ++r) {
      distributions_[r].assign(logits[r]);
    }
    const auto& [source, exact, quantised] = distributions_;
    weights_.add(source, exact, next);
    arithmetic_.add(exact, quantised, next);
    together_.add(source, quantised, next);
  }
  /// Best token of a reader at the position that was added last.
  [[nodiscard]] TokenId best(std::size_t reader) const {
    return static_cast<TokenId>(distributions_[reader].best());
  }
  [[nodiscard]] Comparisons mean() const {
    return {weights_.mean(), arithmetic_.mean(), together_.mean()};
  }

 private:
  std::array<Distribution, kReaders> distributions_;
  DivergenceSum weights_;
  DivergenceSum arithmetic_;
  DivergenceSum together_;
};

Prompt picture_prompt(const DrawnShape& shape, const char* question, const Model& model) {
  Message message;
  message.content_is_string = false;
  message.content = {ImagePart{shape.image, shape.name, 0}, TextPart{question}};
  ChatOptions options;
  options.family = model.chat_family();
  return render_chat({message}, options);
}

/// Whether plain ids can go on behind `id`.
bool ends_answer(const ModelConfig& config, TokenId id) {
  const SpecialTokens& tokens = config.tokens;
  return std::find(tokens.eos.begin(), tokens.eos.end(), id) != tokens.eos.end() ||
         id == tokens.image || id == tokens.audio || id == tokens.video;
}

/// All readers follow the source's answer.
void compare_answer(const Readers& readers, const DrawnShape& shape, const char* question,
                    ComparisonSums& sums, PictureComparisons& result) {
  const Model& source = *readers.front().model;
  std::vector<Session> sessions;
  for (const Reader& reader : readers) {
    sessions.emplace_back(reader.model).append(picture_prompt(shape, question, source));
    check_signal();
  }
  std::array<bool, kReaders> same = {true, true, true};
  for (int i = 0; i < kMaxAnswerTokens; ++i) {
    const std::array<std::span<const float>, kReaders> logits = {
        sessions[0].logits(), sessions[1].logits(), sessions[2].logits()};
    const auto best = std::max_element(logits[0].begin(), logits[0].end()) - logits[0].begin();
    const auto next = static_cast<TokenId>(best);
    sums.add(logits, next);
    same[0] = same[0] && sums.best(1) == next;
    same[1] = same[1] && sums.best(2) == sums.best(1);
    same[2] = same[2] && sums.best(2) == next;
    if (ends_answer(source.config(), next)) {
      break;
    }
    for (Session& session : sessions) {
      session.append_ids({&next, 1});
    }
  }
  ++result.prompts;
  result.same_weights += same[0] ? 1 : 0;
  result.same_arithmetic += same[1] ? 1 : 0;
  result.same_together += same[2] ? 1 : 0;
}

PictureComparisons compare_pictures(const Readers& readers, const ProgressSink& progress) {
  PictureComparisons result;
  ComparisonSums sums;
  const std::vector<DrawnShape> shapes = drawn_shapes();
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    for (const char* question : shape_questions()) {
      compare_answer(readers, shapes[i], question, sums, result);
    }
    progress(static_cast<double>(i + 1) / static_cast<double>(shapes.size()));
  }
  result.positions = sums.mean();
  return result;
}

Comparisons compare_text(const Readers& readers, const std::vector<std::vector<TokenId>>& windows,
                         const ProgressSink& progress) {
  ComparisonSums sums;
  for (std::size_t i = 0; i < windows.size(); ++i) {
    read_window(readers, windows[i],
                [&](TokenId next, std::span<const std::span<const float>> logits) {
                  sums.add(logits, next);
                });
    progress(static_cast<double>(i + 1) / static_cast<double>(windows.size()));
  }
  return sums.mean();
}

double bits_per_weight(const Model& model) {
  double bits = 0.0;
  double parameters = 0.0;
  for (const TensorGroup& group : model.tensor_groups()) {
    bits += 8.0 * static_cast<double>(group.bytes);
    parameters += static_cast<double>(group.parameters);
  }
  return bits / parameters;
}

}  // namespace

FormatCost measure_cost(const CostSource& source, const std::filesystem::path& file, LoadOptions load,
                        const ProgressSink& progress) {
  const auto quantised = Model::load(file, load);
  load.exact = true;
  const auto exact = Model::load(file, load);
  require_same_vocabulary(*source.model, *exact);
  // Keys and values in float32 for the first two, and the default of a run for the third.
  const Readers readers = {{{source.model}, {exact}, {quantised}}};
  const bool sees = source.model->config().vision.has_value();
  const double text_share = sees ? 0.5 : 1.0;
  FormatCost cost;
  cost.file_bytes = static_cast<std::int64_t>(std::filesystem::file_size(file));
  cost.bits_per_weight = bits_per_weight(*quantised);
  cost.text = compare_text(readers, source.windows,
                           [&](double fraction) { progress(text_share * fraction); });
  if (sees) {
    cost.pictures = compare_pictures(
        readers, [&](double fraction) { progress(text_share + (1.0 - text_share) * fraction); });
  }
  return cost;
}

}  // namespace nolens::cli
