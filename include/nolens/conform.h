// How faithful the engine is to a recorded run of the reference implementation, stage by stage.
// The recording's format is docs/conform.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "nolens/config.h"
#include "nolens/log.h"
#include "nolens/media.h"
#include "nolens/model.h"

namespace nolens {

/// Bars a stage must stay under. One that is empty is not checked; prompts, pixels and patches must
/// always be identical.
struct ConformTolerances {
  std::optional<double>
      embeddings{};  ///< soft tokens, input embeddings: largest absolute difference
  /// Hidden states and final norm: largest absolute difference as a share of the stage's largest
  /// value, because the residual stream is not normalised.
  std::optional<double> hidden{};
  std::optional<double> logits{};  ///< largest absolute difference
  std::optional<double> cosine{};  ///< every stage of floats: lowest cosine of a row
  std::optional<double> kl{};      ///< mean over positions of KL(reference || engine), nats
  /// A greedy token may differ where the reference's two best logits were no further apart.
  std::optional<double> margin{};
};

/// The bars for a recording of this type (docs/conform.md, "Tolerances").
[[nodiscard]] ConformTolerances default_tolerances(SourceDtype reference) noexcept;

struct ConformOptions {
  std::optional<MaskRule> mask_rule{};  ///< empty: the first recorded of canonical, legacy, causal
  bool isolate = false;            ///< also run each layer from the reference's own state before it
  ConformTolerances tolerances{};  ///< those set replace the defaults
  MediaOptions media{};
  ProgressSink progress{};
};

/// How two tensors [rows, columns] differ. Not finite where the engine's values are not.
struct Difference {
  double max_abs = 0.0;
  double mean_abs = 0.0;
  double min_cosine = 1.0;  ///< of a row; a row of zeros has cosine 1 with zeros, otherwise 0
  double largest = 0.0;     ///< largest magnitude in the reference
  std::int64_t rows = 0;
  std::int64_t worst_row = 0;  ///< prompt position, or row of pixels or patches, of max_abs
};

/// Logits as distributions over the vocabulary.
struct LogitsAgreement {
  std::vector<double> kl{};  ///< KL(reference || engine) of each position compared, nats
  double mean_kl = 0.0;
  double max_kl = 0.0;
  std::int64_t same_top = 0;  ///< positions whose largest logit is the same token's
};

/// Choices of the likeliest token, each after the reference's own tokens.
struct GreedyAgreement {
  std::int64_t count = 0;
  std::int64_t same = 0;
  std::int64_t first_difference = -1;         ///< step; -1 = none
  TokenId reference_id = -1, engine_id = -1;  ///< at first_difference
  std::optional<double> reference_margin{};   ///< best minus second-best logit there, if recorded
  double engine_margin = 0.0;
};

enum class ConformStage : std::uint8_t {
  kTokenIds,
  kPixels,
  kPatches,
  kSoftTokens,
  kInputEmbeddings,
  kLayer,
  kFinalNorm,
  kLogits,
  kGreedy
};

struct StageReport {
  ConformStage stage = ConformStage::kTokenIds;
  std::int64_t index = 0;  ///< of the picture, sound or layer
  std::string name;        ///< for people: "layer 2"
  bool within = true;      ///< end to end, and in isolation where that was asked for
  std::optional<Difference> difference{};
  /// From the reference's own state before the stage: an error that shows here was born here.
  std::optional<Difference> isolated{};
  bool isolated_within = true;
  std::optional<LogitsAgreement> logits{};
  std::optional<GreedyAgreement> greedy{};
  std::string note{};  ///< what the numbers do not say; empty = nothing
};

struct ConformReport {
  MaskRule mask_rule = MaskRule::kCanonical;
  SourceDtype dtype = SourceDtype::kFloat32;  ///< of the reference's computation
  std::string made_with{};                    ///< "transformers 5.18.0, torch 2.9.1", if recorded
  std::int64_t tokens = 0;                    ///< length of the prompt
  ConformTolerances tolerances{};             ///< as used
  std::vector<StageReport> stages{};          ///< in the order of computation
  std::string not_compared{};  ///< why later stages are missing; empty = they are not

  /// The first stage beyond its tolerance, nullptr if there is none.
  [[nodiscard]] const StageReport* first_difference() const noexcept;
};

/// Runs the prompt recorded in `directory` and compares what is recorded there.
/// \throws Error{kInput} if the recording is missing, broken or of another model's shape.
ConformReport conform(const std::shared_ptr<const Model>& model,
                      const std::filesystem::path& directory, const ConformOptions& options = {});

}  // namespace nolens
