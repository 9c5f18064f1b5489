// Puts the stages together.
#include "nolens/conform.h"

#include <algorithm>
#include <iterator>

#include "conform/decoder_stages.h"
#include "conform/input_stages.h"
#include "conform/isolated_stages.h"
#include "conform/reference.h"
#include "conform/reference_prompt.h"
#include "conform/verdict.h"
#include "engine/model_impl.h"

namespace nolens {
namespace {

/// \throws Error{kInput} also where the messages ask for something that cannot be asked.
TokenSequence lay_out(const Reference& reference, const Model& model, const MediaOptions& media) {
  try {
    return lay_out_prompt(model.config(), model.tokenizer(),
                          reference_prompt(reference, model.chat_family(), media),
                          reference.image_tokens, 0);
  } catch (const Error& error) {
    throw Error(error.code() == ErrorCode::kUsage ? ErrorCode::kInput : error.code(), error.what());
  }
}

}  // namespace

const StageReport* ConformReport::first_difference() const noexcept {
  const auto found = std::find_if(stages.begin(), stages.end(),
                                  [](const StageReport& stage) { return !stage.within; });
  return found == stages.end() ? nullptr : &*found;
}

ConformReport conform(const std::shared_ptr<const Model>& model,
                      const std::filesystem::path& directory, const ConformOptions& options) {
  const Reference reference(directory, options.mask_rule);
  const ModelConfig& config = model->config();
  reference.check_against(config);
  ConformReport report{.mask_rule = reference.mask_rule,
                       .dtype = reference.dtype,
                       .made_with = reference.made_with,
                       .tokens = static_cast<std::int64_t>(reference.token_ids.size()),
                       .tolerances = chosen_tolerances(options.tolerances, reference.dtype)};
  TokenSequence sequence = lay_out(reference, *model, options.media);
  report.stages.push_back(compare_token_ids(reference, *model, sequence.ids));
  compare_media(reference, *model, sequence, report.tolerances, report.stages);
  if (!placeholders_match(reference, config, sequence)) {
    report.not_compared =
        "the prompts differ in length or in the places of media, so nothing after them "
        "can be compared";
    return report;
  }
  // Where only texts differ, the rest is compared for the reference's ids.
  sequence.ids = reference.token_ids;
  compare_decoder(reference, model, sequence, report.tolerances, options.progress, report.stages);
  if (options.isolate) {
    compare_isolated(reference, *model, sequence, report.tolerances, report.stages);
  }
  return report;
}

}  // namespace nolens
