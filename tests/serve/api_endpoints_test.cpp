#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "serve/api/base64_text.h"
#include "serve/api_client.h"
#include "serve/page_routes.h"

namespace nolens::serve {
namespace {

using testing::ApiClient;

TEST(Endpoints, AnswerThatTheModelIsBeingLoaded) {
  ServiceSlot empty;
  for (const Route& route : api_routes(empty)) {
    try {
      route.handler({}, std::make_shared<testing::FakeExchange>());
      ADD_FAILURE() << route.path << " answered without a model";
    } catch (const HttpError& error) {
      EXPECT_EQ(error.status, 503) << route.path;
      EXPECT_EQ(error.code, "model_loading");
    }
  }
}

TEST(Endpoints, OnlyHealthIsPublic) {
  ApiClient client;
  for (const Route& route : client.routes) {
    EXPECT_EQ(route.access == Access::kPublic, route.path.ends_with("/health")) << route.path;
  }
}

TEST(Endpoints, AreThoseThatTheDescriptionSays) {
  auto exchange = std::make_shared<testing::FakeExchange>();
  for (const Route& route : page_routes()) {
    if (route.path == "/openapi.json") {
      route.handler({}, exchange);
    }
  }
  ASSERT_EQ(exchange->status(), 200);
  EXPECT_EQ(exchange->content_type(), "application/json");
  std::set<std::string> described;
  const Json document = exchange->json();
  for (const auto& [path, methods] : document["paths"].items()) {
    for (const auto& [method, operation] : methods.items()) {
      described.insert((method == "get" ? "GET " : "POST ") + path);
    }
  }
  std::set<std::string> served;
  ApiClient client;
  for (const Route& route : client.routes) {
    served.insert(route.method + " " + route.path);
  }
  EXPECT_EQ(described, served);
}

TEST(Endpoints, TellWhatIsServed) {
  ApiClient client;
  const Json models = client.call("GET", "/v1/models")->json();
  EXPECT_EQ(models["data"][0]["id"], "tiny");
  EXPECT_EQ(client.call("GET", "/v1/models/tiny")->json(), models["data"][0]);
  const auto missing = client.call("GET", "/v1/models/../../etc/passwd");
  EXPECT_EQ(missing->status(), 404);
  EXPECT_EQ(missing->json()["error"]["code"], "model_not_found");
  const Json props = client.call("GET", "/props")->json();
  EXPECT_EQ(props["model"]["modalities"]["image"], true);
  EXPECT_EQ(props["image_budgets"].size(), 5U);
  EXPECT_EQ(client.call("GET", "/health")->json()["status"], "ok");
}

TEST(Endpoints, TokensGoThereAndBack) {
  ApiClient client;
  const std::string text = "Grüße, <|turn> und 😀!";
  const Json tokens = client.call("POST", "/tokenize", Json{{"content", text}}.dump())->json()["tokens"];
  ASSERT_FALSE(tokens.empty());
  EXPECT_EQ(client.call("POST", "/detokenize", Json{{"tokens", tokens}}.dump())->json()["content"], text);
  const Json pieces =
      client.call("POST", "/tokenize", Json{{"content", text}, {"with_pieces", true}}.dump())->json()["tokens"];
  EXPECT_EQ(pieces.size(), tokens.size());
  EXPECT_EQ(pieces[0]["id"], tokens[0]);
  const Json special =
      client.call("POST", "/tokenize", Json{{"content", "<|turn>"}, {"parse_special", true}}.dump())->json();
  EXPECT_EQ(special["tokens"].size(), 1U);
  EXPECT_EQ(client.call("POST", "/detokenize", R"({"tokens":[-1]})")->status(), 400);
  EXPECT_EQ(client.call("POST", "/detokenize", R"({"tokens":[1e9]})")->status(), 400);
  EXPECT_EQ(client.call("POST", "/tokenize", "{}")->status(), 400);
}

TEST(Endpoints, MetricsCountWhatWasDone) {
  ApiClient client;
  client.chat(testing::question_body("What?", 3));
  client.chat(testing::question_body("What?", 3));
  const auto exchange = client.call("GET", "/metrics");
  EXPECT_TRUE(exchange->content_type().starts_with("text/plain"));
  const std::string& text = exchange->body();
  EXPECT_NE(text.find("nolens_requests_finished_total 2"), std::string::npos) << text;
  EXPECT_NE(text.find("llamacpp:tokens_predicted_total 6"), std::string::npos) << text;
  EXPECT_NE(text.find("nolens_time_to_first_token_seconds_count 2"), std::string::npos) << text;
  // A second look counts nothing twice.
  EXPECT_NE(client.call("GET", "/metrics")->body().find("nolens_requests_finished_total 2"), std::string::npos);
}

TEST(Embeddings, HaveLengthOneAndARefusalForWhatIsNoText) {
  ApiClient client;
  const Json answer =
      client.call("POST", "/v1/embeddings", R"({"input":["one","two"],"dimensions":8})")->json();
  ASSERT_EQ(answer["data"].size(), 2U);
  for (const Json& entry : answer["data"]) {
    double squares = 0.0;
    for (const Json& value : entry["embedding"]) {
      squares += value.get<double>() * value.get<double>();
    }
    EXPECT_EQ(entry["embedding"].size(), 8U);
    EXPECT_NEAR(squares, 1.0, 1e-5);
  }
  const auto messages = client.call("POST", "/v1/embeddings", testing::question_body("one").dump());
  EXPECT_EQ(messages->status(), 200) << messages->body();
  for (const char* wrong : {R"({})", R"({"input":[]})", R"({"input":""})", R"({"input":[1,2]})", R"({"input":["a",1]})",
                            R"({"input":"a","dimensions":0})", R"({"input":"a","encoding_format":"int8"})"}) {
    EXPECT_EQ(client.call("POST", "/v1/embeddings", wrong)->status(), 400) << wrong;
  }
}

TEST(Embeddings, BytesAsText) {
  const auto text = [](std::string_view bytes) { return base64_text(std::as_bytes(std::span(bytes))); };
  // RFC 4648, section 10
  EXPECT_EQ(text(""), "");
  EXPECT_EQ(text("f"), "Zg==");
  EXPECT_EQ(text("fo"), "Zm8=");
  EXPECT_EQ(text("foo"), "Zm9v");
  EXPECT_EQ(text("foob"), "Zm9vYg==");
  EXPECT_EQ(text("fooba"), "Zm9vYmE=");
  EXPECT_EQ(text("foobar"), "Zm9vYmFy");
}

TEST(Completions, GoOnWithAText) {
  ApiClient client;
  const Json body = {{"prompt", "Once upon a time"}, {"max_tokens", 6}, {"temperature", 0}, {"logprobs", 2}};
  const auto exchange = client.call("POST", "/v1/completions", body.dump());
  ASSERT_EQ(exchange->status(), 200) << exchange->body();
  const Json answer = exchange->json();
  const Model& model = *client.service().model;
  Session session(client.service().model);
  session.append({PromptSpecial{model.tokenizer().decode({model.config().tokens.bos})}, PromptText{"Once upon a time"}});
  GenerateOptions options;
  options.max_tokens = 6;
  options.sampler.temperature = 0.0F;
  EXPECT_EQ(answer["choices"][0]["text"], session.generate(options).text);
  EXPECT_EQ(answer["object"], "text_completion");
  EXPECT_EQ(answer["choices"][0]["logprobs"]["tokens"].size(), answer["usage"]["completion_tokens"].get<std::size_t>());

  Json streamed = body;
  streamed["stream"] = true;
  streamed["echo"] = true;
  std::string text;
  for (const Json& event : testing::events_of(*client.call("POST", "/v1/completions", streamed.dump()))) {
    text += event["choices"][0]["text"].get<std::string>();
  }
  EXPECT_EQ(text, "Once upon a time" + answer["choices"][0]["text"].get<std::string>());
  for (const char* wrong : {R"({"prompt":[1,2]})", R"({"prompt":["a","b"]})", R"({})", R"({"prompt":"a","suffix":"b"})",
                            R"({"prompt":"a","best_of":2})", R"({"prompt":""})"}) {
    const int status = client.call("POST", "/v1/completions", wrong)->status();
    EXPECT_EQ(status, std::string_view(wrong) == R"({"prompt":""})" ? 200 : 400) << wrong;
  }
}

const char* const kQuestions = R"("questions":[
    {"type":"predicate","name":"red","instructions":"Is it red?"},
    {"type":"choice","name":"shape","instructions":"Which shape?","choices":[
      {"value":"circle","description":"round"},{"value":"square"},{"value":true}]},
    {"type":"score","name":"size","instructions":"How large?","levels":[
      {"label":"small"},{"label":"middle"},{"label":"large","description":"fills the picture"}]}])";

TEST(Decisions, AreProbabilitiesOfEveryKind) {
  ApiClient client;
  const auto exchange =
      client.call("POST", "/v1/decisions", std::string(R"({"input":"A red circle.",)") + kQuestions + "}");
  ASSERT_EQ(exchange->status(), 200) << exchange->body();
  const Json answers = exchange->json()["answers"];
  ASSERT_EQ(answers.size(), 3U);
  EXPECT_EQ(answers[0]["type"], "predicate");
  EXPECT_EQ(answers[0]["name"], "red");
  EXPECT_GT(answers[0]["probability"], 0.0);
  EXPECT_LT(answers[0]["probability"], 1.0);
  const auto sum = [](const Json& answer) {
    return std::accumulate(
        answer["probabilities"].begin(), answer["probabilities"].end(), 0.0,
        [](double total, const Json& entry) { return total + entry["probability"].get<double>(); });
  };
  EXPECT_NEAR(sum(answers[1]), 1.0, 1e-9);
  EXPECT_EQ(answers[1]["probabilities"][2]["value"], true);
  double best = 0.0;
  for (const Json& entry : answers[1]["probabilities"]) {
    best = std::max(best, entry["probability"].get<double>());
    if (entry["value"] == answers[1]["choice"]) {
      EXPECT_EQ(entry["probability"], answers[1]["confidence"]);
    }
  }
  EXPECT_EQ(answers[1]["confidence"], best);
  EXPECT_NEAR(sum(answers[2]), 1.0, 1e-9);
  EXPECT_NEAR(answers[2]["score"].get<double>(),
              0.5 * answers[2]["probabilities"][1]["probability"].get<double>() +
                  answers[2]["probabilities"][2]["probability"].get<double>(),
              1e-12);
  EXPECT_EQ(exchange->json()["usage"]["completion_tokens"], 0);
}

TEST(Decisions, RefuseBrokenQuestions) {
  ApiClient client;
  const auto refused = [&](const std::string& questions, const std::string& param) {
    const auto exchange = client.call("POST", "/v1/decisions", R"({"input":"x","questions":)" + questions + "}");
    EXPECT_EQ(exchange->status(), 400) << questions;
    EXPECT_EQ(exchange->json()["error"]["param"], param) << exchange->body();
  };
  refused("[]", "questions");
  refused("{}", "questions");
  refused(R"([{"name":"a","instructions":"b"}])", "questions[0].type");
  refused(R"([{"type":"predicate","instructions":"b"}])", "questions[0].name");
  refused(R"([{"type":"predicate","name":"a"}])", "questions[0].instructions");
  refused(R"([{"type":"choice","name":"a","instructions":"b","choices":[{"value":"c"}]}])", "questions[0].choices");
  refused(R"([{"type":"choice","name":"a","instructions":"b","choices":[{"value":"c"},{"value":7}]}])",
          "questions[0].choices[1].value");
  refused(R"([{"type":"score","name":"a","instructions":"b","levels":[{"label":"c"},{"label":true}]}])",
          "questions[0].levels[1].label");
  EXPECT_EQ(client.call("POST", "/v1/decisions",
                        R"({"input":"x","questions":[{"type":"choice","name":"a","instructions":"b",)"
                        R"("choices":[{"value":"c"},{"value":"c"}]}]})")
                ->status(),
            400);
}

}  // namespace
}  // namespace nolens::serve
