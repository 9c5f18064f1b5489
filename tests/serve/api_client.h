// Calls the API's handlers as the server would.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "serve/api/endpoints.h"
#include "serve/fake_exchange.h"
#include "support/tiny_model.h"

namespace nolens::serve::testing {

class ApiClient {
 public:
  explicit ApiClient(const EngineOptions& engine = {}, ServiceOptions options = {}) {
    const auto model = nolens::testing::tiny_model();
    options.model_id = "tiny";
    options.family = model->chat_family();
    slot.open(std::make_shared<Service>(model, engine, std::move(options)));
  }

  /// The answer, whole; a refusal that was thrown is one, as for the server.
  std::shared_ptr<FakeExchange> call(const std::string& method, const std::string& path,
                                     const std::string& body = "", std::size_t key = 0) {
    const std::shared_ptr<FakeExchange> exchange = begin(method, path, body, key);
    exchange->wait();
    return exchange;
  }
  /// The same without waiting for the answer.
  std::shared_ptr<FakeExchange> begin(const std::string& method, const std::string& path,
                                      const std::string& body, std::size_t key = 0) {
    auto exchange = std::make_shared<FakeExchange>();
    HttpRequest request;
    request.method = method;
    request.path = path;
    request.headers = {{"content-type", "application/json"}};
    request.body = body;
    request.id = "test";
    request.key = key;
    for (const Route& route : routes) {
      const std::string stem = route.path.substr(0, route.path.find("{id}"));
      const bool has_id = stem.size() < route.path.size();
      if (route.method != method || (has_id ? !path.starts_with(stem) : route.path != path)) {
        continue;
      }
      request.path_id = has_id ? path.substr(stem.size()) : "";
      try {
        route.handler(request, exchange);
      } catch (const HttpError& error) {
        exchange->respond(error.status, "application/json", error.body(), error.headers);
      }
      return exchange;
    }
    ADD_FAILURE() << "no route for " << method << " " << path;
    exchange->respond(404, "", "", {});
    return exchange;
  }
  std::shared_ptr<FakeExchange> chat(const Json& body, std::size_t key = 0) {
    return call("POST", "/v1/chat/completions", body.dump(), key);
  }
  Service& service() { return *slot.get(); }

  ServiceSlot slot;
  std::vector<Route> routes = api_routes(slot);
};

/// {"messages": one of the user, "max_tokens", greedy}
inline Json question_body(const std::string& text, int max_tokens = 8) {
  return {{"messages", {{{"role", "user"}, {"content", text}}}},
          {"max_tokens", max_tokens},
          {"temperature", 0}};
}

/// The objects of a stream of events, without [DONE].
inline std::vector<Json> events_of(const FakeExchange& exchange) {
  std::vector<Json> events;
  std::string_view rest = exchange.body();
  while (!rest.empty()) {
    const std::size_t end = rest.find("\n\n");
    const std::string_view line = rest.substr(0, end);
    if (line.starts_with("data: {")) {
      events.push_back(Json::parse(line.substr(6)));
    }
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 2);
  }
  return events;
}

}  // namespace nolens::serve::testing
