#include "serve/api/submit.h"

#include <utility>

#include "core/escape.h"
#include "serve/api/refusals.h"

namespace nolens::serve {

RequestId submit(Service& service, EngineRequest request, EngineCallbacks callbacks, const std::string& param) {
  const Prompt prompt = request.questions.empty() ? request.prompt : request.questions.front().prompt;
  try {
    return service.engine.submit(std::move(request), std::move(callbacks));
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kResource) {
      throw HttpError(429, error.what(), "rate_limit_error", "", "queue_full", {{"retry-after", "1"}});
    }
    if (error.code() == ErrorCode::kInput) {
      const AppendResult layout = layout_prompt(*service.model, prompt, service.engine.options().session);
      if (static_cast<std::int64_t>(layout.ids.size()) > service.engine.context_length()) {
        throw invalid_field(error.what(), param, "context_length_exceeded");
      }
    }
    throw refusal(error);
  }
}

Headers warnings(const std::vector<std::string>& ignored) {
  std::string names;
  for (const std::string& name : ignored) {
    names += (names.empty() ? "" : ", ") + escape_for_message(name, 60);
  }
  return names.empty() ? Headers{} : Headers{{"x-nolens-ignored", names}};
}

}  // namespace nolens::serve
