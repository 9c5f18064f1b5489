// The body of POST /v1/decisions.
#pragma once

#include <string>
#include <vector>

#include "serve/api/service.h"

#include "formats/json.h"

namespace nolens::serve {

enum class DecisionKind { kPredicate, kChoice, kScore };

/// A question and what its labels mean.
struct Decision {
  DecisionKind kind = DecisionKind::kPredicate;
  std::string name;
  std::vector<Json> values;         ///< of a choice, texts or booleans; of a score, the labels
  std::vector<std::size_t> meaning; ///< [labels of the question] index of the value; 0 = yes, 1 = no
};

struct DecisionCall {
  EngineRequest request;
  std::vector<Decision> decisions;
  std::vector<std::string> ignored;  ///< parameters nobody knows
};

/// \throws HttpError 400 naming the field, Error for the media of the input.
DecisionCall read_decision_request(const Json& body, const Service& service);

}  // namespace nolens::serve
