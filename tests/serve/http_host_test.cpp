// Names the server answers to, and web pages that may talk to it.
#include <gtest/gtest.h>

#include "nolens/error.h"

#include "serve/http/host_rules.h"
#include "serve/http_client.h"

namespace nolens::serve::test {
namespace {

std::vector<Route> routes() {
  return {echo("GET", "/health", Access::kPublic), echo("GET", "/v1/models"),
          echo("POST", "/v1/echo")};
}

HttpOptions options_with_lists() {
  HttpOptions options = test_options();
  options.allowed_hosts = {"Nolens.Example", "proxy.example:8443"};
  options.allowed_origins = {"https://chat.example", "http://localhost:3000"};
  return options;
}

Answer ask_as(const TestServer& server, const std::string& host_lines) {
  return server.connect().ask("GET /v1/models HTTP/1.1\r\n" + host_lines + "\r\n");
}

TEST(HttpHost, OwnNamesAreServed) {
  const TestServer server(routes(), options_with_lists());
  const std::string own = server.host().substr(server.host().rfind(':'));
  for (const std::string& host :
       {"127.0.0.1" + own, "localhost" + own, "LOCALHOST" + own, "[::1]" + own, "127.1.2.3" + own,
        "[0:0::1]" + own, std::string("nolens.example\r\n"), std::string("nolens.example:1\r\n"),
        std::string("PROXY.example:8443\r\n")}) {
    EXPECT_EQ(ask_as(server, "Host: " + host).status, 200) << host;
  }
}

TEST(HttpHost, OthersAreNot) {
  const TestServer server(routes(), options_with_lists());
  const std::string own = server.host().substr(server.host().rfind(':'));
  for (const std::string& host :
       {"evil.example" + own, std::string("127.0.0.1\r\n"), std::string("127.0.0.1:1\r\n"),
        std::string("localhost:0\r\n"), "localhost.evil.example" + own,
        "127.0.0.1.evil.example" + own, "10.0.0.1" + own, "0.0.0.0" + own, "2130706433" + own,
        "[::2]" + own, "[::ffff:127.0.0.1]" + own, std::string("proxy.example:1\r\n"),
        "localhost." + own}) {
    const Answer answer = ask_as(server, "Host: " + host);
    EXPECT_EQ(answer.status, 421) << host;
    EXPECT_EQ((answer.head + answer.body).find("evil"), std::string::npos);
  }
}

TEST(HttpHost, WhatIsNoHostIsBad) {
  const TestServer server(routes());
  const std::string own = server.host().substr(server.host().rfind(':'));
  for (const std::string& lines :
       {std::string(), std::string("Host:\r\n"), std::string("Host: \r\n"), "Host: " + own,
        server.host() + server.host(), "Host: localhost/v1" + own, "Host: localhost?" + own,
        std::string("Host: localhost:\r\n"), std::string("Host: localhost:99999\r\n"),
        std::string("Host: localhost:80x\r\n"), std::string("Host: localhost:+80\r\n"),
        "Host: a@localhost" + own, "Host: [::1" + own, "Host: [x]" + own, "Host: ::1" + own,
        "Host: local host" + own, "Host: loc\xC3\xA4lhost" + own}) {
    EXPECT_EQ(ask_as(server, lines).status, 400) << lines;
  }
}

TEST(HttpOrigin, PagesOfOthersMayNot) {
  const TestServer server(routes(), options_with_lists());
  for (const char* origin :
       {"https://evil.example", "null", "http://localhost.evil.com", "http://127.0.0.1.evil.com",
        "http://127.0.0.1", "http://127.0.0.1:1", "https://chat.example.evil.com",
        "http://chat.example", "https://chat.example:444", "https://chat.example/", "file://", "*",
        ""}) {
    const std::string field = "Origin: " + std::string(origin) + "\r\n";
    for (const char* line :
         {"GET /v1/models", "POST /v1/echo", "OPTIONS /v1/echo", "GET /nothing"}) {
      const Answer answer = server.ask(line, field, std::string(line)[0] == 'P' ? "{}" : "");
      EXPECT_EQ(answer.status, 403) << origin;
      EXPECT_EQ(answer.field("access-control-allow-origin"), "");
    }
    const Answer open = server.ask("GET /health", field);
    EXPECT_EQ(open.status, 200) << "nothing secret: the page cannot read it anyway";
    EXPECT_EQ(open.field("access-control-allow-origin"), "");
  }
  EXPECT_EQ(
      server.ask("GET /v1/models", "Origin: http://localhost:3000\r\nOrigin: http://x\r\n").status,
      403);
}

TEST(HttpOrigin, OwnPagesAndListedOnesMay) {
  const TestServer server(routes(), options_with_lists());
  const std::string own = "Origin: " + server.host().replace(0, 6, "http://");
  const Answer same = server.ask("POST /v1/echo", own, "{}");
  EXPECT_EQ(same.status, 200) << own;
  EXPECT_EQ(same.field("access-control-allow-origin"), "");
  EXPECT_EQ(server.ask("POST /v1/echo", "Origin: https" + own.substr(12), "{}").status, 403);
  const Answer listed = server.ask("POST /v1/echo", "Origin: HTTPS://chat.example\r\n", "{}");
  EXPECT_EQ(listed.status, 200);
  EXPECT_EQ(listed.field("access-control-allow-origin"), "https://chat.example");
  EXPECT_EQ(listed.field("access-control-allow-credentials"), "");
  EXPECT_EQ(listed.field("vary"), "origin");
  const Answer wrong = server.ask("GET /nothing", "Origin: http://localhost:3000\r\n");
  EXPECT_EQ(wrong.status, 404);
  EXPECT_EQ(wrong.field("access-control-allow-origin"), "http://localhost:3000")
      << "pages may read errors";
}

TEST(HttpOrigin, ProxiesMayEndTls) {
  const TestServer server(routes(), options_with_lists());
  const Answer answer = server.connect().ask(
      "POST /v1/echo HTTP/1.1\r\nHost: nolens.example\r\nOrigin: https://nolens.example\r\n"
      "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
  EXPECT_EQ(answer.status, 200);
}

TEST(HttpOrigin, PreflightsNeedNoKeyAndTellNothing) {
  const KeyFile file("a-key-of-some-length\n");
  const TestServer server(routes(), options_with_lists(), std::make_shared<ApiKeys>(file.path()));
  for (const char* line : {"OPTIONS /v1/echo", "OPTIONS /nothing"}) {
    Answer answer =
        server.ask(line, "Origin: https://chat.example\r\nAccess-Control-Request-Method: POST\r\n");
    EXPECT_EQ(answer.status, 204);
    EXPECT_EQ(answer.field("access-control-allow-origin"), "https://chat.example");
    EXPECT_EQ(answer.field("access-control-allow-methods"), "GET, HEAD, POST, DELETE");
    EXPECT_NE(answer.field("access-control-allow-headers").find("authorization"),
              std::string::npos);
  }
  EXPECT_EQ(server.ask("OPTIONS /v1/echo", "Origin: https://chat.example\r\n").status, 401);
}

TEST(HttpOrigin, ListsAreCheckedAtTheStart) {
  for (const char* origin : {"*", "chat.example", "https://chat.example/", "ftp://x", "https://"}) {
    HttpOptions options = test_options();
    options.allowed_origins = {origin};
    EXPECT_THROW(HttpServer(options, {}, nullptr), Error) << origin;
  }
  for (const char* host : {"", "*", "https://x", "a/b", "a:b"}) {
    HttpOptions options = test_options();
    options.allowed_hosts = {host};
    EXPECT_THROW(HttpServer(options, {}, nullptr), Error) << host;
  }
}

TEST(HttpHost, AuthoritiesAreParsedStrictly) {
  EXPECT_EQ(parse_authority("[2001:DB8::0:1]:80")->host, "2001:db8::1");
  EXPECT_EQ(parse_authority("A-b.c_d:65535")->port, 65535);
  EXPECT_FALSE(parse_authority("a:65536"));
  EXPECT_FALSE(parse_authority(std::string(256, 'a')));
  EXPECT_FALSE(parse_authority(std::string_view("a\0b", 3)));
}

}  // namespace
}  // namespace nolens::serve::test
