// Keys: who gets in, on every route and by every spelling, and the file they come from.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "nolens/error.h"

#include "serve/http_client.h"

namespace nolens::serve::test {
namespace {

constexpr const char* kFirst = "first-key-0123456789";
constexpr const char* kSecond = "second-key-0123456789";

std::vector<Route> routes() {
  return {echo("GET", "/health", Access::kPublic),
          echo("GET", "/v1/models"),
          echo("GET", "/v1/models/{id}"),
          echo("DELETE", "/v1/files/{id}"),
          echo("POST", "/v1/echo"),
          {"GET", "/owner", Access::kKey,
           [](const HttpRequest& request, const std::shared_ptr<Exchange>& exchange) {
             exchange->respond(200, "text/plain", std::to_string(request.key));
           }}};
}

class HttpAuth : public testing::Test {
 protected:
  KeyFile file_{std::string("# keys\n\n") + kFirst + "\r\n  " + kSecond + "\n"};
  std::shared_ptr<ApiKeys> keys_ = std::make_shared<ApiKeys>(file_.path());
  TestServer server_{routes(), test_options(), keys_};

  [[nodiscard]] Answer owner(std::string_view fields) const {
    return server_.ask("GET /owner", fields);
  }
};

TEST_F(HttpAuth, KeysAreTakenFromTwoPlaces) {
  const std::string bearer = std::string("Authorization: Bearer ") + kFirst + "\r\n";
  EXPECT_EQ(owner(bearer).body, "1");
  EXPECT_EQ(owner(std::string("authorization: bearer   ") + kSecond + "\r\n").body, "2");
  EXPECT_EQ(owner(std::string("X-Api-Key: ") + kSecond + "\r\n").body, "2");
  EXPECT_EQ(owner(bearer + "x-api-key: " + kFirst + "\r\n").body, "1") << "both, and the same";
}

TEST_F(HttpAuth, EverythingElseIsOneAnswer) {
  const std::string first = kFirst;
  std::string body;
  for (const std::string& fields :
       {std::string(), std::string("Authorization: Bearer wrong\r\n"),
        std::string("Authorization: Bearer\r\n"), std::string("Authorization: Bearer \r\n"),
        std::string("Authorization:\r\n"), "Authorization: " + first + "\r\n",
        "Authorization: Basic " + first + "\r\n", "Authorization: Bearer " + first + "x\r\n",
        "Authorization: Bearer " + first.substr(1) + "\r\n",
        "Authorization: Bearer " + first + "\r\nAuthorization: Bearer " + first + "\r\n",
        "Authorization: Bearer " + first + "\r\nx-api-key: " + kSecond + "\r\n",
        "Authorization: Basic x\r\nx-api-key: " + first + "\r\n",
        "x-api-key: " + first + "\r\nx-api-key: " + first + "\r\n", "Cookie: key=" + first + "\r\n",
        std::string("x-api-key: # keys\r\n"),
        std::string("X-Forwarded-For: 127.0.0.1\r\nREMOTE_ADDR: ::1\r\n")}) {
    const Answer answer = owner(fields);
    EXPECT_EQ(answer.status, 401) << fields;
    EXPECT_EQ(answer.field("www-authenticate"), "Bearer");
    EXPECT_NE(answer.body.find("invalid_api_key"), std::string::npos);
    body = body.empty() ? answer.body : body;
    EXPECT_EQ(answer.body, body);
  }
  EXPECT_EQ(server_.ask("GET /owner?api_key=" + first).status, 401);
  EXPECT_EQ(server_.ask("GET /owner?key=" + first).body, body);
}

TEST_F(HttpAuth, EveryRouteNeedsOneButThePublic) {
  for (const Route& route : (*server_).routes()) {
    std::string path = route.path;
    if (path.find('{') != std::string::npos) {
      path.replace(path.find('{'), 4, "x");
    }
    const Answer answer = server_.ask(route.method + " " + path);
    EXPECT_EQ(answer.status, route.access == Access::kPublic ? 200 : 401) << path;
  }
}

TEST_F(HttpAuth, NoSpellingGoesAroundIt) {
  for (const char* line :
       {"GET //v1/models", "GET /%76%31/models", "GET /v1/models.", "GET /v1/models/",
        "GET /nothing", "GET /health/../v1/models", "GET /v1/models/../../health",
        "GET /health%2f..%2fowner", "GET http://127.0.0.1/owner", "get /owner", "GeT /health",
        "POST /health", "OPTIONS /owner", "HEAD /owner", "GET /owner?/health", "GET *"}) {
    EXPECT_EQ(server_.ask(line).status, 401) << line;
  }
  EXPECT_EQ(server_.ask("HEAD /health").status, 200);
}

TEST_F(HttpAuth, NothingIsReadOfBodiesWithoutAKey) {
  Client client = server_.connect();
  client.send("POST /v1/echo HTTP/1.1\r\n" + server_.host() +
              "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n");
  const Answer answer = client.read();
  EXPECT_EQ(answer.status, 401);
  EXPECT_EQ(answer.field("connection"), "close");
}

TEST_F(HttpAuth, FilesAreReadAgain) {
  const auto status = [&](const char* key) {
    return owner(std::string("x-api-key: ") + key + "\r\n");
  };
  file_.write(std::string("third-key-0123456789\n") + kSecond + "\n");
  EXPECT_EQ(status(kFirst).status, 200) << "not yet";
  keys_->reload();
  EXPECT_EQ(status(kFirst).status, 401);
  EXPECT_EQ(status(kSecond).body, "2") << "an owner stays who it is";
  EXPECT_EQ(status("third-key-0123456789").body, "3");
  for (const char* broken : {"", "# none\n", "a key with spaces\n"}) {
    file_.write(broken);
    EXPECT_THROW(keys_->reload(), Error);
    EXPECT_EQ(status(kSecond).body, "2") << "the last good keys stay";
  }
}

TEST(ApiKeysFile, CarelessFilesAreWarnedAbout) {
  const KeyFile file("short\n");
  ApiKeys keys(file.path());
  ASSERT_EQ(keys.warnings().size(), 1U);
  EXPECT_NE(keys.warnings()[0].find("line 1"), std::string::npos);
  EXPECT_EQ(keys.warnings()[0].find("short"), std::string::npos);
  chmod(file.path().c_str(), 0644);
  keys.reload();
  EXPECT_EQ(keys.warnings().size(), 2U);
  EXPECT_NE(keys.warnings()[0].find("chmod 600"), std::string::npos);
}

TEST(ApiKeysFile, BrokenFilesAreRefusedWithoutTheirText) {
  const KeyFile file("good-key-0123456789\nsecret key\n");
  try {
    const ApiKeys keys(file.path());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_NE(std::string(error.what()).find("line 2"), std::string::npos);
    EXPECT_EQ(std::string(error.what()).find("secret"), std::string::npos);
  }
  EXPECT_THROW(ApiKeys("/nonexistent/keys"), Error);
  EXPECT_THROW(ApiKeys("/tmp"), Error);
  file.write(std::string(2 << 20, 'x'));
  EXPECT_THROW(ApiKeys{file.path()}, Error);
}

TEST(ApiKeysFile, NoFileMeansNoKeys) {
  ApiKeys keys;
  keys.reload();
  EXPECT_TRUE(keys.empty());
  EXPECT_FALSE(keys.owner_of(""));
}

TEST(HttpListening, BeyondThisMachineNeedsKeysOrTheWord) {
  HttpOptions options = test_options();
  options.host = "0.0.0.0";
  try {
    const HttpServer server(options, routes(), nullptr);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_NE(std::string(error.what()).find("openssl rand"), std::string::npos);
  }
  options.allow_unauthenticated = true;
  EXPECT_NO_THROW(HttpServer(options, routes(), nullptr));
  options.allow_unauthenticated = false;
  const KeyFile file(std::string(kFirst) + "\n");
  EXPECT_NO_THROW(HttpServer(options, routes(), std::make_shared<ApiKeys>(file.path())));
}

TEST(HttpListening, FailuresNameAddressHolderAndRemedy) {
  const HttpServer first(test_options(), {}, nullptr);
  HttpOptions options = test_options();
  options.port = first.port();
  const auto message = [&] {
    try {
      const HttpServer second(options, {}, nullptr);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUsage);
      return std::string(error.what());
    }
    return std::string();
  };
  const std::string in_use = message();
  EXPECT_NE(in_use.find("127.0.0.1:" + std::to_string(first.port())), std::string::npos);
  EXPECT_NE(in_use.find("serve_http_test"), std::string::npos) << in_use;
  EXPECT_NE(in_use.find("--port"), std::string::npos);
  options.host = "no.such.host.invalid";
  EXPECT_NE(message().find("no.such.host.invalid"), std::string::npos);
  options.host = "192.0.2.1";
  options.allow_unauthenticated = true;
  EXPECT_NE(message().find("192.0.2.1"), std::string::npos);
  options = test_options();
  options.handler_threads = 0;
  EXPECT_NE(message(), "");
}

TEST(HttpListening, UrlsAreForBrowsers) {
  const HttpServer server(test_options(), {}, nullptr);
  EXPECT_EQ(server.url(), "http://127.0.0.1:" + std::to_string(server.port()));
}

}  // namespace
}  // namespace nolens::serve::test
