// report_text() and report_json().
#include "quantize_report.h"
#include "terminal.h"

namespace nolens::cli {
namespace {

constexpr double kMebibyte = 1024.0 * 1024.0;

using Row = std::vector<std::string>;

std::string nats(double kl) {
  return with_decimals(kl, 5);
}

std::string percent(double share) {
  return with_decimals(100.0 * share, 2) + " %";
}

std::string signed_percent(double share) {
  return (share >= 0.0 ? "+" : "") + percent(share);
}

double change(const Divergence& divergence) {
  return divergence.perplexity / divergence.reference_perplexity - 1.0;
}

void add_divergence(Row& row, const Divergence& divergence) {
  row.push_back(nats(divergence.mean_kl));
  row.push_back(percent(divergence.top1_agreement));
}

std::string text_table(const QuantizeReport& report, TableStyle style) {
  std::vector<Row> rows{{"format", "MiB", "bits a weight", "weights: KL", "same token",
                         "arithmetic: KL", "same token", "together: KL", "same token", "perplexity",
                         "change"}};
  for (const FormatCost& cost : report.costs) {
    Row row{cost.format, with_decimals(static_cast<double>(cost.file_bytes) / kMebibyte, 1),
            with_decimals(cost.bits_per_weight, 2)};
    add_divergence(row, cost.text.weights);
    add_divergence(row, cost.text.arithmetic);
    add_divergence(row, cost.text.together);
    row.push_back(with_decimals(cost.text.together.perplexity, 3));
    row.push_back(signed_percent(change(cost.text.together)));
    rows.push_back(std::move(row));
  }
  return format_table(rows, style);
}

std::string picture_table(const QuantizeReport& report, TableStyle style) {
  std::vector<Row> rows{{"format", "weights: KL", "same token", "same answers", "arithmetic: KL",
                         "same token", "same answers", "together: KL", "same token",
                         "same answers"}};
  for (const FormatCost& cost : report.costs) {
    const PictureComparisons& pictures = *cost.pictures;
    Row row{cost.format};
    const auto add = [&](const Divergence& divergence, std::int64_t same) {
      add_divergence(row, divergence);
      row.push_back(std::to_string(same) + " of " + std::to_string(pictures.prompts));
    };
    add(pictures.positions.weights, pictures.same_weights);
    add(pictures.positions.arithmetic, pictures.same_arithmetic);
    add(pictures.positions.together, pictures.same_together);
    rows.push_back(std::move(row));
  }
  return format_table(rows, style);
}

OutputJson divergence_json(const Divergence& divergence) {
  return {{"mean_kl", divergence.mean_kl},
          {"max_kl", divergence.max_kl},
          {"top1_agreement", divergence.top1_agreement},
          {"perplexity", divergence.perplexity},
          {"reference_perplexity", divergence.reference_perplexity},
          {"predicted_tokens", divergence.predicted}};
}

OutputJson comparisons_json(const Comparisons& comparisons) {
  return {{"weights", divergence_json(comparisons.weights)},
          {"arithmetic", divergence_json(comparisons.arithmetic)},
          {"together", divergence_json(comparisons.together)}};
}

OutputJson cost_json(const FormatCost& cost) {
  OutputJson json = {{"format", cost.format},
                     {"file_bytes", cost.file_bytes},
                     {"bits_per_weight", cost.bits_per_weight},
                     {"text", comparisons_json(cost.text)}};
  json["pictures"] = nullptr;
  if (cost.pictures) {
    json["pictures"] = comparisons_json(cost.pictures->positions);
    json["pictures"]["prompts"] = cost.pictures->prompts;
    json["pictures"]["same_answers"] = {{"weights", cost.pictures->same_weights},
                                        {"arithmetic", cost.pictures->same_arithmetic},
                                        {"together", cost.pictures->same_together}};
  }
  json["notes"] = cost.notes;
  return json;
}

}  // namespace

std::string report_text(const QuantizeReport& report, TableStyle style) {
  const std::string end = style == TableStyle::kMarkdown ? "\n\n" : "\n";
  std::string text = "source: " + report.model + end;
  if (!report.costs.empty()) {
    const Divergence& first = report.costs.front().text.together;
    text += "text: " + std::to_string(first.predicted) + " tokens predicted in " +
            std::to_string(report.windows) + " windows of " + std::to_string(report.window) +
            ", the source's perplexity is " + with_decimals(first.reference_perplexity, 3) + end;
  }
  text += text_table(report, style);
  if (style != TableStyle::kMarkdown) {
    text +=
        "weights: the file in float32 against the source in float32\n"
        "arithmetic: the file as it runs against the file in float32\n"
        "together: the file as it runs against the source in float32\n";
  }
  text += "\n";
  if (!report.sees) {
    return text + "pictures: left out, the model takes none\n";
  }
  return text + "pictures: greedy answers to questions about drawn shapes" + end +
         picture_table(report, style);
}

OutputJson report_json(const QuantizeReport& report) {
  OutputJson json = {{"source", report.model},
                     {"window", report.window},
                     {"windows", report.windows},
                     {"formats", OutputJson::array()}};
  for (const FormatCost& cost : report.costs) {
    json["formats"].push_back(cost_json(cost));
  }
  return json;
}

}  // namespace nolens::cli
