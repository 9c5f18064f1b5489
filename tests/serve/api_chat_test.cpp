#include <gtest/gtest.h>

#include <thread>

#include "serve/api_client.h"

namespace nolens::serve {
namespace {

using nolens::testing::question;
using nolens::testing::tiny_model;
using testing::ApiClient;
using testing::events_of;
using testing::FakeExchange;
using testing::question_body;

// A PNG of 2 x 1 pixels, red and blue.
const std::string kPicture =
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAIAAAB7QOjdAAAAD0lEQVR4nGP4z8DAwPAfAAcAAf9+"
    "CLHQAAAAAElFTkSuQmCC";

std::string answer_alone(const std::string& text, std::int64_t max_tokens) {
  Session session(tiny_model());
  session.append(question(text));
  GenerateOptions options;
  options.max_tokens = max_tokens;
  options.sampler.temperature = 0.0F;
  return parse_output(session.generate(options).text).text;
}

/// Only the context ends the answer.
void forbid_ends(Json& body, const Model& model) {
  std::vector<TokenId> ends = model.config().tokens.eos;
  for (const char* end : {"<turn|>", "<|tool_response>"}) {
    ends.push_back(model.tokenizer().find(end));
  }
  for (const TokenId end : ends) {
    body["logit_bias"][std::to_string(end)] = -100;
  }
}

TEST(ChatEndpoint, AnswersWhatASessionAnswers) {
  ApiClient client;
  const auto exchange = client.chat(question_body("What is this?"));
  ASSERT_EQ(exchange->status(), 200) << exchange->body();
  const Json answer = exchange->json();
  EXPECT_EQ(answer["object"], "chat.completion");
  EXPECT_EQ(answer["model"], "tiny");
  EXPECT_EQ(answer["choices"].size(), 1U);
  EXPECT_EQ(answer["choices"][0]["message"]["content"], answer_alone("What is this?", 8));
  EXPECT_EQ(answer["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(answer["usage"]["completion_tokens"], 8);
  EXPECT_EQ(answer["usage"]["total_tokens"], answer["usage"]["prompt_tokens"].get<int>() + 8);
  EXPECT_EQ(answer["timings"]["predicted_n"], 8);
}

TEST(ChatEndpoint, AStreamAddsUpToTheWholeAnswer) {
  ApiClient client;
  const Json whole = client.chat(question_body("What is this?"))->json();
  Json body = question_body("What is this?");
  body["stream"] = true;
  body["stream_options"] = {{"include_usage", true}};
  const auto exchange = client.chat(body);
  EXPECT_EQ(exchange->content_type(), "text/event-stream");
  EXPECT_TRUE(exchange->body().ends_with("data: [DONE]\n\n"));
  std::string text;
  std::string reason;
  Json usage;
  for (const Json& event : events_of(*exchange)) {
    EXPECT_EQ(event["object"], "chat.completion.chunk");
    EXPECT_EQ(event["id"], "chatcmpl-test");
    for (const Json& choice : event["choices"]) {
      text += choice["delta"].value("content", "");
      reason = choice["finish_reason"].is_string() ? choice["finish_reason"].get<std::string>() : reason;
    }
    usage = event.value("usage", usage);
  }
  EXPECT_EQ(text, whole["choices"][0]["message"]["content"]);
  EXPECT_EQ(reason, "length");
  EXPECT_EQ(usage["completion_tokens"], 8);
}

TEST(ChatEndpoint, SeveralAnswersShareOnePrompt) {
  ApiClient client;
  Json body = question_body("Tell me.");
  body["n"] = 3;
  body["temperature"] = 1.5;
  body["seed"] = 5;
  const Json first = client.chat(body)->json();
  ASSERT_EQ(first["choices"].size(), 3U);
  EXPECT_NE(first["choices"][0]["message"], first["choices"][1]["message"]);
  EXPECT_EQ(first["seed"], 5);
  EXPECT_EQ(first["choices"], client.chat(body)->json()["choices"]);
}

TEST(ChatEndpoint, ReportsPicturesAndTheirTokens) {
  ApiClient client;
  Json body = question_body("x");
  body["messages"][0]["content"] = {{{"type", "image_url"}, {"image_url", {{"url", kPicture}}}},
                                    {{"type", "text"}, {"text", "What is it?"}}};
  const auto exchange = client.chat(body);
  ASSERT_EQ(exchange->status(), 200) << exchange->body();
  const Json answer = exchange->json();
  ASSERT_EQ(answer["images"].size(), 1U);
  EXPECT_EQ(answer["images"][0]["source_width"], 2);
  EXPECT_EQ(answer["images"][0]["downscaled"], false);
  EXPECT_EQ(answer["usage"]["prompt_tokens_details"]["image_tokens"], answer["images"][0]["tokens"]);
  const Json again = client.chat(body)->json();
  EXPECT_GT(again["usage"]["prompt_tokens_details"]["cached_tokens"], answer["images"][0]["tokens"]);
  EXPECT_EQ(again["choices"], answer["choices"]);
  EXPECT_EQ(client.chat(body, 2)->json()["usage"]["prompt_tokens_details"]["cached_tokens"], 0)
      << "another key must not find what the first one's request computed";
}

TEST(ChatEndpoint, APictureGetsTheBudgetThatIsReadInTime) {
  ApiClient client;
  Json body = question_body("x", 2);
  body["messages"][0]["content"] = {{{"type", "image_url"}, {"image_url", {{"url", kPicture}}}},
                                    {{"type", "text"}, {"text", "What is it?"}}};
  body["image_latency"] = "1ms";
  const Json quick = client.chat(body)->json();
  ASSERT_TRUE(quick.contains("image_budget")) << quick;
  EXPECT_GT(quick["image_budget"]["tokens_per_second"], 0.0);
  const double affordable = 0.001 * quick["image_budget"]["tokens_per_second"].get<double>();
  EXPECT_TRUE(quick["image_budget"]["tokens"] == 70 || quick["image_budget"]["tokens"].get<double>() <= affordable);
  body["image_latency"] = 3600;
  const Json slow = client.chat(body)->json();
  EXPECT_EQ(slow["image_budget"]["tokens"], 1120);
  EXPECT_GE(slow["images"][0]["tokens"], quick["images"][0]["tokens"]);
  // A budget that the picture names itself wins.
  body["messages"][0]["content"][0]["max_soft_tokens"] = 140;
  EXPECT_FALSE(client.chat(body)->json().contains("image_budget"));
  for (const Json& wrong : {Json(0), Json(-1), Json("soon"), Json("3h"), Json(true), Json(1e9)}) {
    body["image_latency"] = wrong;
    EXPECT_EQ(client.chat(body)->json()["error"]["param"], "image_latency") << wrong;
  }
}

TEST(ChatEndpoint, GivesLogProbabilities) {
  ApiClient client;
  Json body = question_body("What?", 3);
  body["logprobs"] = true;
  body["top_logprobs"] = 2;
  const Json answer = client.chat(body)->json();
  const Json& content = answer["choices"][0]["logprobs"]["content"];
  ASSERT_FALSE(content.empty());
  for (const Json& token : content) {
    EXPECT_LE(token["logprob"], 0.0);
    ASSERT_EQ(token["top_logprobs"].size(), 2U);
    EXPECT_EQ(token["top_logprobs"][0]["token"], token["token"]) << "greedy takes the likeliest";
    EXPECT_FALSE(token["bytes"].empty());
  }
}

TEST(ChatEndpoint, RefusesWhatItCannotDoAndNamesIt) {
  ApiClient client({.session = {.context_length = 64}});
  const auto refused = [&](const char* field, const Json& value, const std::string& param,
                           const std::string& code) {
    Json body = question_body("What is this?");
    body[field] = value;
    const auto exchange = client.chat(body);
    EXPECT_EQ(exchange->status(), code == "model_not_found" ? 404 : 400) << field << exchange->body();
    const Json error = exchange->json()["error"];
    EXPECT_EQ(error["param"], param) << exchange->body();
    EXPECT_EQ(error["code"], code) << exchange->body();
    EXPECT_EQ(error["type"], "invalid_request_error");
  };
  refused("temperature", -1, "temperature", "invalid_value");
  refused("temperature", "hot", "temperature", "invalid_value");
  refused("top_p", 2, "top_p", "invalid_value");
  refused("max_tokens", 0, "max_tokens", "invalid_value");
  refused("max_tokens", 18446744073709551615ULL, "max_tokens", "invalid_value");
  refused("max_tokens", 1.5, "max_tokens", "invalid_value");
  refused("n", 0, "n", "invalid_value");
  refused("n", 1000000, "n", "invalid_value");
  refused("stop", Json::array({""}), "stop", "invalid_value");
  refused("stop", Json(std::vector<std::string>(17, "x")), "stop", "invalid_value");
  refused("logit_bias", {{"-1", 1}}, "logit_bias", "invalid_value");
  refused("logit_bias", {{"99999999", 1}}, "logit_bias", "invalid_value");
  refused("logit_bias", {{"1", 1000}}, "logit_bias", "invalid_value");
  refused("logit_bias", {{"one", 1}}, "logit_bias", "invalid_value");
  refused("top_logprobs", 3, "top_logprobs", "invalid_value");
  refused("seed", 0.5, "seed", "invalid_value");
  refused("stream", "yes", "stream", "invalid_value");
  refused("messages", Json::array(), "messages", "invalid_value");
  refused("messages", "hello", "messages", "invalid_value");
  refused("messages", {{{"role", "king"}, {"content", "x"}}}, "messages[0].role", "invalid_value");
  refused("messages", {{{"role", "user"}, {"content", {{{"type", "image"}, {"path", "/etc/passwd"}}}}}},
          "messages[0].content[0].path", "invalid_value");
  refused("messages", {{{"role", "user"}, {"content", {{{"type", "image_url"}, {"image_url", "http://x/y.png"}}}}}},
          "messages[0].content[0].image_url", "invalid_value");
  refused("messages", {{{"role", "user"}, {"content", std::string(4000, 'x')}}}, "messages",
          "context_length_exceeded");
  refused("modalities", {"text", "audio"}, "modalities", "unsupported_parameter");
  refused("web_search_options", Json::object(), "web_search_options", "unsupported_parameter");
  refused("response_format", {{"type", "json_object"}}, "response_format.type", "unsupported_parameter");
  refused("tool_choice", "required", "tool_choice", "unsupported_parameter");
  refused("model", "another", "model", "model_not_found");
  EXPECT_EQ(client.chat(question_body("Still there?"))->status(), 200);
  Json whole = question_body("Whole numbers may have a point.");
  whole["max_tokens"] = 3.0;
  EXPECT_EQ(client.chat(whole)->json()["usage"]["completion_tokens"], 3);
}

TEST(ChatEndpoint, NamesParametersItDoesNotKnow) {
  Json body = question_body("What?");
  body["max_token"] = 3;
  body["metadata"] = {{"mine", "yes"}};
  ApiClient lenient;
  const auto exchange = lenient.chat(body);
  EXPECT_EQ(exchange->status(), 200);
  EXPECT_EQ(exchange->headers(), (Headers{{"x-nolens-ignored", "max_token"}}));
  ServiceOptions options;
  options.strict_params = true;
  ApiClient strict({}, options);
  const auto refused = strict.chat(body);
  EXPECT_EQ(refused->status(), 400);
  EXPECT_EQ(refused->json()["error"]["code"], "unknown_parameter");
  EXPECT_EQ(refused->json()["error"]["param"], "max_token");
}

TEST(ChatEndpoint, RefusesBodiesThatAreNoJsonObject) {
  ApiClient client;
  for (const std::string body : {"", "{", "[]", "{} x", "{\"messages\":[],\"messages\":[]}", "nul", "\"a\""}) {
    const auto exchange = client.call("POST", "/v1/chat/completions", body);
    EXPECT_EQ(exchange->status(), 400) << body;
  }
  EXPECT_EQ(client.call("POST", "/v1/chat/completions", std::string(100000, '['))->status(), 400);
}

TEST(ChatEndpoint, AClientThatGoesAwayIsAnsweredNoMore) {
  ApiClient client({.parallel = 1});
  Json body = question_body("Go on.", 4000);
  body["stream"] = true;
  forbid_ends(body, *client.service().model);
  const auto exchange = client.begin("POST", "/v1/chat/completions", body.dump());
  while (client.service().engine.stats().generated_tokens == 0) {
    std::this_thread::yield();
  }
  exchange->abandon();
  exchange->wait();
  EXPECT_FALSE(exchange->body().ends_with("[DONE]\n\n"));
  EXPECT_EQ(client.chat(question_body("And now?"))->status(), 200) << "the place is free again";
}

TEST(ChatEndpoint, AFullQueueSaysWhenToComeBack) {
  ApiClient client({.parallel = 1, .queue_length = 0});
  Json body = question_body("Go on.", 4000);
  forbid_ends(body, *client.service().model);
  const auto first = client.begin("POST", "/v1/chat/completions", body.dump());
  const auto second = client.chat(question_body("Me too."));
  EXPECT_EQ(second->status(), 429);
  EXPECT_EQ(second->json()["error"]["code"], "queue_full");
  EXPECT_EQ(second->headers(), (Headers{{"retry-after", "1"}}));
  first->abandon();
  first->wait();
}

TEST(ChatEndpoint, CountsTokensAndShowsTheTemplate) {
  ApiClient client;
  const Json counted =
      client.call("POST", "/v1/chat/completions/input_tokens", question_body("What is this?").dump())->json();
  EXPECT_EQ(counted["input_tokens"], client.chat(question_body("What is this?"))->json()["usage"]["prompt_tokens"]);
  const Json shown = client.call("POST", "/apply-template", question_body("What is this?").dump())->json();
  EXPECT_EQ(shown["prompt"], prompt_text(question("What is this?")));
}

}  // namespace
}  // namespace nolens::serve
