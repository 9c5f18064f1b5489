#include "conform_output.h"

#include <algorithm>
#include <iomanip>
#include <locale>
#include <sstream>
#include <vector>

#include "terminal.h"

namespace nolens::cli {
namespace {

constexpr std::size_t kNameWidth = 24;
constexpr std::size_t kNumberWidth = 11;

const char* rule_name(MaskRule rule) {
  return rule == MaskRule::kLegacy ? "legacy" : rule == MaskRule::kCausal ? "causal" : "canonical";
}

const char* dtype_name(SourceDtype dtype) {
  return dtype == SourceDtype::kFloat32    ? "float32"
         : dtype == SourceDtype::kBfloat16 ? "bfloat16"
                                           : "float16";
}

const char* stage_name(ConformStage stage) {
  switch (stage) {
    case ConformStage::kTokenIds: return "token_ids";
    case ConformStage::kPixels: return "pixels";
    case ConformStage::kPatches: return "patches";
    case ConformStage::kSoftTokens: return "soft_tokens";
    case ConformStage::kInputEmbeddings: return "input_embeddings";
    case ConformStage::kLayer: return "layer";
    case ConformStage::kFinalNorm: return "final_norm";
    case ConformStage::kLogits: return "logits";
    case ConformStage::kGreedy: return "greedy_tokens";
  }
  return "";
}

/// 1.2e-06, and 0 for zero.
std::string short_number(double value) {
  if (value == 0.0) {
    return "0";
  }
  std::ostringstream text;
  text.imbue(std::locale::classic());
  text << std::scientific << std::setprecision(1) << value;
  return text.str();
}

std::string left(const std::string& text, std::size_t width) {
  return text + std::string(text.size() < width ? width - text.size() : 1, ' ');
}

std::string right(const std::string& text, std::size_t width) {
  return std::string(text.size() < width ? width - text.size() : 1, ' ') + text;
}

std::string greedy_note(const GreedyAgreement& greedy) {
  std::string text =
      std::to_string(greedy.same) + " of " + std::to_string(greedy.count) + " the same";
  if (greedy.first_difference >= 0) {
    text += "; step " + std::to_string(greedy.first_difference) + ": " +
            std::to_string(greedy.engine_id) + " (ahead by " + short_number(greedy.engine_margin) +
            "), in the reference " + std::to_string(greedy.reference_id);
    if (greedy.reference_margin.has_value()) {
      text += " (ahead by " + short_number(*greedy.reference_margin) + ")";
    }
  }
  return text;
}

std::string logits_note(const LogitsAgreement& logits) {
  return "KL mean " + short_number(logits.mean_kl) + ", max " + short_number(logits.max_kl) +
         "; top token the same in " + std::to_string(logits.same_top) + " of " +
         std::to_string(logits.kl.size());
}

std::string note_of(const StageReport& stage) {
  std::string text = stage.note;
  const auto add = [&text](const std::string& more) { text += (text.empty() ? "" : "; ") + more; };
  if (stage.logits.has_value()) {
    add(logits_note(*stage.logits));
  }
  if (stage.greedy.has_value()) {
    add(greedy_note(*stage.greedy));
  }
  return text;
}

std::string table_line(const StageReport& stage, bool isolated) {
  std::string line = left(stage.name, kNameWidth) + (stage.within ? "ok     " : "DIFFERS");
  if (stage.difference.has_value()) {
    const Difference& difference = *stage.difference;
    line += right(short_number(difference.max_abs), kNumberWidth) +
            right(short_number(difference.mean_abs), kNumberWidth) +
            right(with_decimals(difference.min_cosine, 7), kNumberWidth) +
            right(short_number(difference.largest), kNumberWidth);
    if (stage.isolated.has_value()) {
      line += right(short_number(stage.isolated->max_abs), kNumberWidth) +
              right(with_decimals(stage.isolated->min_cosine, 7), kNumberWidth) +
              (stage.isolated_within ? "" : " !");
    } else if (isolated) {
      line += std::string(2 * kNumberWidth, ' ');
    }
  }
  const std::string note = note_of(stage);
  line += note.empty() ? "" : "  " + note;
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

OutputJson difference_json(const Difference& difference) {
  return {{"max_abs", difference.max_abs},   {"mean_abs", difference.mean_abs},
          {"cosine", difference.min_cosine}, {"largest", difference.largest},
          {"rows", difference.rows},         {"worst_row", difference.worst_row}};
}

template <typename T>
OutputJson value_or_null(const std::optional<T>& value) {
  return value.has_value() ? OutputJson(*value) : OutputJson(nullptr);
}

OutputJson stage_json(const StageReport& stage) {
  OutputJson json = {{"name", stage.name},
                     {"stage", stage_name(stage.stage)},
                     {"index", stage.index},
                     {"within", stage.within}};
  if (stage.difference.has_value()) {
    json["difference"] = difference_json(*stage.difference);
  }
  if (stage.isolated.has_value()) {
    json["isolated"] = difference_json(*stage.isolated);
    json["isolated"]["within"] = stage.isolated_within;
  }
  if (stage.logits.has_value()) {
    json["kl"] = {{"mean", stage.logits->mean_kl},
                  {"max", stage.logits->max_kl},
                  {"positions", stage.logits->kl}};
    json["top1_agreement"] =
        static_cast<double>(stage.logits->same_top) / static_cast<double>(stage.logits->kl.size());
  }
  if (stage.greedy.has_value()) {
    const GreedyAgreement& greedy = *stage.greedy;
    json["same"] = greedy.same;
    json["count"] = greedy.count;
    if (greedy.first_difference >= 0) {
      json["first_difference"] = {{"step", greedy.first_difference},
                                  {"engine_id", greedy.engine_id},
                                  {"engine_margin", greedy.engine_margin},
                                  {"reference_id", greedy.reference_id},
                                  {"reference_margin", value_or_null(greedy.reference_margin)}};
    }
  }
  if (!stage.note.empty()) {
    json["note"] = stage.note;
  }
  return json;
}

/// What made a stage's verdict: "max abs 3.0e-01".
std::string reason(const StageReport& stage) {
  if (stage.difference.has_value()) {
    std::string text = "largest difference " + short_number(stage.difference->max_abs) +
                       " at values up to " + short_number(stage.difference->largest) +
                       ", lowest cosine " + with_decimals(stage.difference->min_cosine, 7);
    return stage.logits.has_value() ? text + ", " + logits_note(*stage.logits) : text;
  }
  return note_of(stage);
}

}  // namespace

std::string conform_verdict(const ConformReport& report) {
  const StageReport* first = report.first_difference();
  if (first == nullptr) {
    return {};
  }
  std::string text =
      "the first stage that differs from the reference is '" + first->name + "': " + reason(*first);
  std::string born;
  for (const StageReport& stage : report.stages) {
    if (!stage.isolated_within) {
      born += (born.empty() ? "" : ", ") + stage.name;
    }
  }
  if (!born.empty()) {
    text += "; alone, from the reference's own state, differ: " + born;
  }
  return report.not_compared.empty() ? text : text + "; " + report.not_compared;
}

std::string conform_text(const ConformReport& report, const Model& model, bool exact) {
  const bool isolated =
      std::any_of(report.stages.begin(), report.stages.end(),
                  [](const StageReport& stage) { return stage.isolated.has_value(); });
  std::string text = left("reference", kNameWidth) + dtype_name(report.dtype) +
                     (report.made_with.empty() ? "" : ", " + report.made_with) + "\n" +
                     left("engine", kNameWidth) + model.kernels_name() + (exact ? ", exact" : "") +
                     "\n" + left("prompt", kNameWidth) + std::to_string(report.tokens) +
                     " tokens, mask rule " + rule_name(report.mask_rule) + "\n\n";
  text += left("stage", kNameWidth) + "       " + right("max abs", kNumberWidth) +
          right("mean abs", kNumberWidth) + right("cosine", kNumberWidth) +
          right("largest", kNumberWidth);
  if (isolated) {
    text += right("alone: max", kNumberWidth) + right("cosine", kNumberWidth);
  }
  text += "\n";
  for (const StageReport& stage : report.stages) {
    text += table_line(stage, isolated);
  }
  const auto within = std::count_if(report.stages.begin(), report.stages.end(),
                                    [](const StageReport& stage) { return stage.within; });
  return text + "\n" + std::to_string(within) + " of " + std::to_string(report.stages.size()) +
         " stages are within their tolerance\n";
}

OutputJson conform_json(const ConformReport& report, const Model& model, bool exact) {
  const StageReport* first = report.first_difference();
  OutputJson json;
  json["within"] = first == nullptr;
  json["first_difference"] = first == nullptr ? OutputJson(nullptr) : OutputJson(first->name);
  json["mask_rule"] = rule_name(report.mask_rule);
  json["tokens"] = report.tokens;
  json["reference"] = {{"dtype", dtype_name(report.dtype)}, {"made_with", report.made_with}};
  json["engine"] = {
      {"kernels", model.kernels_name()}, {"exact", exact}, {"model", model.config().name}};
  const ConformTolerances& bars = report.tolerances;
  json["tolerances"] = {{"embeddings", value_or_null(bars.embeddings)},
                        {"hidden", value_or_null(bars.hidden)},
                        {"logits", value_or_null(bars.logits)},
                        {"cosine", value_or_null(bars.cosine)},
                        {"kl", value_or_null(bars.kl)},
                        {"margin", value_or_null(bars.margin)}};
  json["stages"] = OutputJson::array();
  for (const StageReport& stage : report.stages) {
    json["stages"].push_back(stage_json(stage));
  }
  if (!report.not_compared.empty()) {
    json["not_compared"] = report.not_compared;
  }
  return json;
}

}  // namespace nolens::cli
