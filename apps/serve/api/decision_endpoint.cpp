#include "serve/api/decision_endpoint.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include "serve/api/body.h"
#include "serve/api/decision_request.h"
#include "serve/api/refusals.h"
#include "serve/api/response_json.h"
#include "serve/api/submit.h"

namespace nolens::serve {
namespace {

/// Probability of each value, labels that mean the same added.
std::vector<double> by_value(const Decision& decision, const std::vector<double>& labels) {
  std::vector<double> sums(decision.kind == DecisionKind::kPredicate ? 2 : decision.values.size());
  for (std::size_t i = 0; i < labels.size(); ++i) {
    sums[decision.meaning[i]] += labels[i];
  }
  return sums;
}

OutputJson answer_json(const Decision& decision, const std::vector<double>& labels) {
  const std::vector<double> probabilities = by_value(decision, labels);
  OutputJson answer;
  if (decision.kind == DecisionKind::kPredicate) {
    answer["type"] = "predicate";
    answer["name"] = decision.name;
    answer["probability"] = probabilities.front();
    return answer;
  }
  const auto best = std::max_element(probabilities.begin(), probabilities.end());
  const auto winner = static_cast<std::size_t>(best - probabilities.begin());
  const bool is_score = decision.kind == DecisionKind::kScore;
  answer["type"] = is_score ? "score" : "choice";
  answer["name"] = decision.name;
  OutputJson list = OutputJson::array();
  double score = 0.0;
  for (std::size_t i = 0; i < probabilities.size(); ++i) {
    OutputJson entry;
    if (is_score) {
      const double value = static_cast<double>(i) / static_cast<double>(probabilities.size() - 1);
      score += value * probabilities[i];
      entry["label"] = decision.values[i];
      entry["value"] = value;
    } else {
      entry["value"] = decision.values[i];
    }
    entry["probability"] = probabilities[i];
    list.push_back(std::move(entry));
  }
  if (is_score) {
    answer["score"] = score;
  } else {
    answer["choice"] = decision.values[winner];
  }
  answer["confidence"] = *best;
  answer["probabilities"] = std::move(list);
  return answer;
}

}  // namespace

void decisions(Service& service, const HttpRequest& request, const std::shared_ptr<Exchange>& exchange) {
  try {
    DecisionCall call = read_decision_request(read_body(request), service);
    call.request.owner = request.key;
    const Headers headers = warnings(call.ignored);
    EngineCallbacks callbacks;
    callbacks.on_done = [&service, exchange, headers, id = request.id,
                         questions = std::move(call.decisions)](EngineResult&& result) {
      OutputJson response;
      response["id"] = "dec-" + id;
      response["object"] = "decision";
      response["created"] = std::time(nullptr);
      response["model"] = service.options.model_id;
      response["answers"] = OutputJson::array();
      for (std::size_t i = 0; i < questions.size(); ++i) {
        response["answers"].push_back(answer_json(questions[i], result.decisions[i]));
      }
      response["usage"] = usage_json(result, 0);
      add_reports(response, result);
      exchange->respond(200, "application/json", to_text(response), headers);
    };
    callbacks.on_error = [exchange](const Error& error) { respond(*exchange, refusal(error)); };
    const RequestId id = submit(service, std::move(call.request), std::move(callbacks), "input");
    exchange->on_abandon([&engine = service.engine, id] { engine.cancel(id); });
  } catch (const Error& error) {
    throw refusal(error);
  }
}

}  // namespace nolens::serve
