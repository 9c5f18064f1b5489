// Paths, methods, fields of answers, errors of handlers.
#include <mutex>

#include <gtest/gtest.h>

#include "nolens/error.h"

#include "serve/http/target.h"
#include "serve/http_client.h"

namespace nolens::serve::test {
namespace {

std::vector<Route> routes() {
  return {echo("GET", "/health", Access::kPublic),
          echo("GET", "/v1/models"),
          echo("POST", "/v1/echo"),
          {"GET", "/v1/models/{id}", Access::kKey,
           [](const HttpRequest& request, const std::shared_ptr<Exchange>& exchange) {
             exchange->respond(200, "text/plain", "model " + request.path_id + "?" + request.query);
           }},
          echo("GET", "/v1/models/special"),
          echo("DELETE", "/v1/models/{id}")};
}

TEST(HttpRouting, PathsFindTheirHandlers) {
  const TestServer server(routes());
  EXPECT_EQ(server.ask("GET /v1/models").body, "/v1/models");
  EXPECT_EQ(server.ask("GET /v1/models/a.b-1?x=%2F&y").body, "model a.b-1?x=%2F&y");
  EXPECT_EQ(server.ask("GET /v1/models/a%3Ab").body, "model a:b?");
  EXPECT_EQ(server.ask("GET /%76%31/models").body, "/v1/models");
  EXPECT_EQ(server.ask("GET /v1/models/special").body, "/v1/models/special");
  EXPECT_EQ(server.ask("DELETE /v1/models/x").body, "/v1/models/x");
  EXPECT_EQ(server.ask("POST /v1/echo", "", "{\"a\":1}").body, "{\"a\":1}");
}

TEST(HttpRouting, EverythingElseIsNotFound) {
  const TestServer server(routes());
  for (const char* path : {"/",
                           "/v1",
                           "/v1/models/",
                           "/v1/models/a/b",
                           "//v1/models",
                           "/v1//models",
                           "/v1/../v1/models",
                           "/v1/./models",
                           "/v1/models/..",
                           "/v1/%2e%2e/health",
                           "/v1%2Fmodels",
                           "/v1/models/a%2fb",
                           "/health%00",
                           "/health%",
                           "/health%zz",
                           "/health.",
                           "/Health",
                           "/v1\\models",
                           "/v1/models#x",
                           "http://127.0.0.1/health",
                           "*",
                           "health",
                           "/v1/models/%C3%A4"}) {
    const Answer answer = server.ask("GET " + std::string(path));
    EXPECT_EQ(answer.status, 404) << path;
    EXPECT_EQ(
        answer.body,
        R"({"error":{"message":"there is nothing at this address","type":"invalid_request_error",)"
        R"("param":null,"code":"unknown_url"}})");
  }
}

TEST(HttpRouting, OtherMethodsAreNamed) {
  const TestServer server(routes());
  const Answer answer = server.ask("PUT /v1/models/x");
  EXPECT_EQ(answer.status, 405);
  EXPECT_EQ(answer.field("allow"), "GET, HEAD, DELETE");
  EXPECT_NE(answer.body.find("method_not_allowed"), std::string::npos);
  EXPECT_EQ(server.ask("OPTIONS /v1/echo").field("allow"), "POST");
  EXPECT_EQ(server.ask("get /health").status, 405);
  EXPECT_EQ(server.ask("TRACE /health").status, 405);
}

TEST(HttpRouting, HeadIsGetWithoutTheBody) {
  const TestServer server(routes());
  Client client = server.connect();
  client.send(server.request("HEAD /health"));
  const Answer answer = client.read(true);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.field("content-length"), "7");
  EXPECT_EQ(client.ask(server.request("GET /health")).body, "/health") << "nothing came in between";
}

TEST(HttpRouting, AnswersCarryTheFieldsOfEveryAnswer) {
  const TestServer server(routes());
  std::vector<std::string> ids;
  for (const char* line : {"GET /health", "GET /nothing", "POST /health"}) {
    const Answer answer = server.ask(line, "x-request-id: mine\r\n");
    EXPECT_EQ(answer.field("x-content-type-options"), "nosniff");
    EXPECT_EQ(answer.field("referrer-policy"), "no-referrer");
    EXPECT_EQ(answer.field("cache-control"), "no-store");
    EXPECT_EQ(answer.field("x-request-id").substr(0, 4), "req_");
    EXPECT_NE(answer.field("date"), "");
    ids.push_back(answer.field("x-request-id"));
  }
  EXPECT_NE(ids[0], ids[1]);
}

TEST(HttpRouting, HandlersMaySetFieldsButNoLines) {
  const TestServer server({{"GET", "/x", Access::kPublic,
                            [](const HttpRequest&, const std::shared_ptr<Exchange>& exchange) {
                              exchange->respond(201, "text/plain", "ok",
                                                {{"cache-control", "max-age=5"},
                                                 {"x-note", "a\r\nx-evil: 1\x1b"},
                                                 {"x bad", "1"},
                                                 {"content-length", "99"}});
                            }}});
  const Answer answer = server.ask("GET /x");
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(answer.body, "ok");
  EXPECT_EQ(answer.field("cache-control"), "max-age=5");
  EXPECT_EQ(answer.field("x-note"), "a\\x0d\\x0ax-evil: 1\\x1b");
  EXPECT_EQ(answer.field("x-evil"), "");
  EXPECT_EQ(answer.field("x bad"), "");
}

TEST(HttpRouting, ExceptionsBecomeAnswers) {
  std::mutex mutex;
  std::string logged;
  HttpOptions options = test_options();
  options.log = [&](const LogRecord& record) {
    const std::lock_guard lock(mutex);
    logged += record.message;
  };
  const auto thrower = [](const std::string& path, const auto& error) {
    return Route{"GET", path, Access::kPublic,
                 [error](const HttpRequest&, const std::shared_ptr<Exchange>&) { throw error; }};
  };
  TestServer server(
      {thrower("/own", HttpError{429, "slow", "rate", "n", "busy", {{"retry-after", "3"}}}),
       thrower("/input", Error(ErrorCode::kInput, "a bad picture")),
       thrower("/memory", Error(ErrorCode::kResource, "no memory")),
       thrower("/model", Error(ErrorCode::kModel, "secret path")),
       thrower("/bug", std::runtime_error("secret\r\nx: y")),
       thrower("/number", 7),
       {"GET", "/silent", Access::kPublic,
        [](const HttpRequest&, const std::shared_ptr<Exchange>&) {}}},
      options);
  const Answer own = server.ask("GET /own");
  EXPECT_EQ(own.status, 429);
  EXPECT_EQ(own.field("retry-after"), "3");
  EXPECT_EQ(own.body, R"({"error":{"message":"slow","type":"rate","param":"n","code":"busy"}})");
  const Answer input = server.ask("GET /input");
  EXPECT_EQ(input.status, 400);
  EXPECT_NE(input.body.find("a bad picture"), std::string::npos);
  EXPECT_EQ(server.ask("GET /memory").status, 503);
  for (const char* line : {"GET /model", "GET /bug", "GET /number", "GET /silent"}) {
    const Answer answer = server.ask(line);
    EXPECT_EQ(answer.status, 500) << line;
    EXPECT_NE(answer.body.find(answer.field("x-request-id")), std::string::npos);
    EXPECT_NE(answer.body.find("internal_error"), std::string::npos);
    EXPECT_EQ((answer.head + answer.body).find("secret"), std::string::npos);
  }
  server->stop();
  EXPECT_NE(logged.find("secret\\x0d\\x0ax: y"), std::string::npos) << logged;
}

TEST(HttpRouting, ErrorBodiesAreJsonWhateverTheyHold) {
  EXPECT_EQ(error_body("a\"\n\xff", "t", "", ""),
            "{\"error\":{\"message\":\"a\\\"\\n\xef\xbf\xbd\",\"type\":\"t\",\"param\":null,"
            "\"code\":null}}");
}

TEST(HttpRouting, RoutesThatCannotBeReachedAreRefused) {
  for (const char* path : {"", "x", "/a/{id}/b", "/a{id}", "//a", "/a/%41"}) {
    EXPECT_THROW(HttpServer(test_options(), {echo("GET", path)}, nullptr), Error) << path;
  }
}

TEST(HttpRouting, TargetsAreNormalisedOnce) {
  EXPECT_EQ(normalise_target("/a/b%20c?d?e")->path, "/a/b c");
  EXPECT_EQ(normalise_target("/a/b%20c?d?e")->query, "d?e");
  EXPECT_EQ(normalise_target("/")->path, "/");
  EXPECT_EQ(normalise_target("/a/")->path, "/a/");
  EXPECT_FALSE(normalise_target("/a%252f"));
  EXPECT_FALSE(normalise_target("?a"));
  EXPECT_FALSE(normalise_target("//"));
}

}  // namespace
}  // namespace nolens::serve::test
