// Requests that are too large, too slow, or not quite HTTP.
#include <thread>

#include <gtest/gtest.h>

#include "serve/http_client.h"

namespace nolens::serve::test {
namespace {

using std::chrono::milliseconds;

std::vector<Route> routes() {
  return {echo("GET", "/health", Access::kPublic), echo("POST", "/echo")};
}

HttpOptions small() {
  HttpOptions options = test_options();
  options.limits.body_bytes = 100'000;
  return options;
}

std::string post(const TestServer& server, const std::string& fields, const std::string& rest) {
  return "POST /echo HTTP/1.1\r\n" + server.host() + "Content-Type: application/json\r\n" + fields +
         "\r\n" + rest;
}

/// The answer has this status and the connection ends behind it.
void expect_refused(const TestServer& server, const std::string& bytes, int status,
                    const std::string& what) {
  Client client = server.connect();
  client.send(bytes);
  const Answer answer = client.read();
  EXPECT_EQ(answer.status, status) << what;
  EXPECT_EQ(answer.field("connection"), "close") << what;
  EXPECT_NE(answer.body.find("\"error\""), std::string::npos) << what;
  EXPECT_TRUE(client.read_to_end()) << what;
}

TEST(HttpLimits, BodiesUpToTheLimitArrive) {
  const TestServer server(routes(), small());
  const std::string body(100'000, 'x');
  EXPECT_EQ(server.ask("POST /echo", "", body).body, body);
  std::string chunked;
  for (int i = 0; i < 100; ++i) {
    chunked += "3e8;name=value\r\n" + body.substr(0, 1000) + "\r\n";
  }
  Client client = server.connect();
  const std::string request =
      post(server, "Transfer-Encoding: chunked\r\n", chunked + "0\r\nx-trailer: 1\r\n\r\n");
  EXPECT_EQ(client.ask(request).body, body);
  EXPECT_EQ(client.ask(request).body, body) << "the connection goes on";
}

TEST(HttpLimits, RequestsMayArriveInAnyPieces) {
  const TestServer server(routes(), small());
  const std::string request = post(server, "Transfer-Encoding: chunked\r\n",
                                   "3;a=b\r\nabc\r\n00A\r\n0123456789\r\n0\r\nt: 1\r\n\r\n");
  Client client = server.connect();
  for (std::size_t size = 1; size < 12; ++size) {
    for (std::size_t i = 0; i < request.size(); i += size) {
      client.send(request.substr(i, size));
    }
    EXPECT_EQ(client.read().body, "abc0123456789");
  }
}

TEST(HttpLimits, LargerBodiesAreRefused) {
  const TestServer server(routes(), small());
  expect_refused(server, post(server, "Content-Length: 100001\r\n", ""), 413, "declared");
  expect_refused(server, post(server, "Content-Length: 18446744073709551615\r\n", "x"), 413,
                 "declared");
  expect_refused(server,
                 post(server, "Transfer-Encoding: chunked\r\n",
                      "18000\r\n" + std::string(0x18000, 'x') + "\r\n18000\r\n"),
                 413, "in chunks");
  expect_refused(server, post(server, "Content-Length: 2\r\nContent-Encoding: gzip\r\n", "{}"), 415,
                 "gzip");
  expect_refused(
      server, post(server, "Transfer-Encoding: chunked\r\nContent-Encoding: br\r\n", "0\r\n\r\n"),
      415, "br");
}

TEST(HttpLimits, BrokenChunksAreRefused) {
  const TestServer server(routes(), small());
  for (const char* body : {"-2\r\nxx", "xyz\r\n", "\r\n", " 2\r\nab\r\n", "2\nab\n", "2\r\nabc\r\n",
                           "0x2\r\nab\r\n0\r\n\r\n"}) {
    expect_refused(server, post(server, "Transfer-Encoding: chunked\r\n", body), 400, body);
  }
  for (const char* body : {"FFFFFFFFFFFFFFFF\r\nx", "FFFFFFFFFFFFFFFF1\r\nx", "186A1\r\nx"}) {
    expect_refused(server, post(server, "Transfer-Encoding: chunked\r\n", body), 413, body);
  }
  expect_refused(server,
                 post(server, "Transfer-Encoding: chunked\r\n", "2;" + std::string(1 << 20, 'e')),
                 400, "extension");
  expect_refused(
      server,
      post(server, "Transfer-Encoding: chunked\r\n", "0\r\nx: " + std::string(1 << 20, 'e')), 400,
      "trailer");
}

TEST(HttpLimits, HeadsAreBounded) {
  const TestServer server(routes());
  const std::string begin = "GET /health HTTP/1.1\r\n" + server.host();
  std::string many = begin;
  for (int i = 0; i < 200'000; ++i) {
    many += "a: b\r\n";
  }
  expect_refused(server, many, 431, "fields");
  expect_refused(server, begin + "a: " + std::string(1 << 20, 'x') + "\r\n\r\n", 431, "line");
  expect_refused(server, begin + std::string(10 << 20, 'x'), 431, "no end of line");
  expect_refused(server, "GET /" + std::string(100'000, 'x'), 414, "target");
  std::string allowed = begin;
  for (int i = 0; i < 99; ++i) {
    allowed += "a: b\r\n";
  }
  EXPECT_EQ(server.connect().ask(allowed + "\r\n").status, 200);
  expect_refused(server, allowed + "a: b\r\n\r\n", 431, "101 fields");
}

TEST(HttpLimits, AmbiguousMessagesAreRefused) {
  const TestServer server(routes());
  const std::string get = "GET /health HTTP/1.1\r\n" + server.host();
  const std::vector<std::string> cases = {
      post(server, "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
      post(server, "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n", "0\r\n\r\n"),
      post(server, "Content-Length: 2\r\nContent-Length: 3\r\n", "{}"),
      post(server, "Content-Length: 2\r\nContent-Length: 2\r\n", "{}"),
      post(server, "Content-Length: 2, 2\r\n", "{}"),
      post(server, "Content-Length: -1\r\n", "{}"),
      post(server, "Content-Length: +2\r\n", "{}"),
      post(server, "Content-Length: 2x\r\n", "{}"),
      post(server, "Content-Length:\r\n", "{}"),
      post(server, "Content-Length: 99999999999999999999999\r\n", "{}"),
      post(server, "Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
      post(server, "Transfer-Encoding: identity\r\n", "{}"),
      post(server, "Transfer-Encoding: xchunked\r\n", "{}"),
      post(server, "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
      "GET /health HTTP/1.1\n" + server.host() + "\r\n",
      get + "a: b\n\r\n",
      get + "a: b\r\n\n",
      get + "a: b\rc: d\r\n\r\n",
      get + "a: b\r\n c\r\n\r\n",
      get + "a: b\r\n\tc\r\n\r\n",
      get + "a : b\r\n\r\n",
      get + " a: b\r\n\r\n",
      get + ": b\r\n\r\n",
      get + "ab\r\n\r\n",
      get + std::string("a: b\0c\r\n\r\n", 10),
      get + std::string("a\0: b\r\n\r\n", 9),
      get + "a: \x1b[31m\r\n\r\n",
      "GET  /health HTTP/1.1\r\n" + server.host() + "\r\n",
      "GET /health  HTTP/1.1\r\n" + server.host() + "\r\n",
      "GET /hea\tlth HTTP/1.1\r\n\r\n",
      "GET /health HTTP/1.1 \r\n" + server.host() + "\r\n"};
  for (const std::string& bytes : cases) {
    expect_refused(server, bytes, 400, bytes);
  }
}

TEST(HttpLimits, OtherProtocolsAreRefused) {
  const TestServer server(routes());
  expect_refused(server, std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11), 400,
                 "TLS");
  expect_refused(server, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "HTTP/2");
  expect_refused(server, "GET /health HTTP/1.0\r\n\r\n", 505, "HTTP/1.0");
  expect_refused(server, "GET /health\r\n", 400, "HTTP/0.9");
  expect_refused(server, "\r\n\r\n", 400, "empty lines");
  expect_refused(server, std::string("\x80\xff\x01random", 9), 400, "bytes");
  expect_refused(server, std::string(100, 'G'), 400, "method");
}

TEST(HttpLimits, ExpectationsAreMetOrRefusedBeforeTheBody) {
  const TestServer server(routes(), small());
  Client client = server.connect();
  client.send(post(server, "Expect: 100-Continue\r\nContent-Length: 2\r\n", ""));
  EXPECT_EQ(client.read().status, 100);
  client.send("{}");
  EXPECT_EQ(client.read().body, "{}");
  expect_refused(server, post(server, "Expect: 100-continue\r\nContent-Length: 100001\r\n", ""),
                 413, "size");
  expect_refused(server, post(server, "Expect: tea\r\nContent-Length: 2\r\n", ""), 417, "tea");
  EXPECT_EQ(server.connect()
                .ask(post(server, "Expect: 100-continue\r\nContent-Length: 2\r\n", "{}"))
                .body,
            "{}")
      << "the body is there already";
}

TEST(HttpLimits, PostsNeedAKindOfBody) {
  const TestServer server(routes());
  for (const char* type :
       {"text/plain", "application/x-www-form-urlencoded", "", "application/jsonx"}) {
    const Answer answer =
        server.connect().ask("POST /echo HTTP/1.1\r\n" + server.host() + "Content-Type: " + type +
                             "\r\nContent-Length: 0\r\n\r\n");
    EXPECT_EQ(answer.status, 415) << type;
  }
  EXPECT_EQ(server.ask("POST /echo").status, 415);
  for (const char* type : {"application/json; charset=utf-8", "Multipart/Form-Data; boundary=x"}) {
    EXPECT_EQ(server.connect()
                  .ask("POST /echo HTTP/1.1\r\n" + server.host() + "Content-Type: " + type +
                       "\r\nContent-Length: 2\r\n\r\n{}")
                  .body,
              "{}");
  }
}

TEST(HttpLimits, SlowHeadsAndBodiesEnd) {
  HttpOptions options = test_options();
  options.limits.header_time = milliseconds(150);
  options.limits.body_time = milliseconds(150);
  options.limits.idle_time = milliseconds(150);
  const TestServer server(routes(), options);
  Client silent = server.connect();
  std::string text;
  EXPECT_TRUE(silent.read_to_end(&text));
  EXPECT_EQ(text, "");
  expect_refused(server, "GET /health HT", 408, "head");
  expect_refused(server, post(server, "Content-Length: 1000\r\n", "x"), 408, "body");
  expect_refused(server, post(server, "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n"), 408,
                 "chunks");
  Client idle = server.connect();
  EXPECT_EQ(idle.ask(server.request("GET /health")).status, 200);
  EXPECT_TRUE(idle.read_to_end(&text));
  EXPECT_EQ(text, "");
}

TEST(HttpLimits, TricklersEndAtOneDeadline) {
  HttpOptions options = test_options();
  options.limits.header_time = milliseconds(300);
  const TestServer server(routes(), options);
  Client client = server.connect();
  const std::string request =
      server.request("GET /health", "a: " + std::string(20'000, 'x') + "\r\n");
  std::size_t sent = 0;
  while (sent < request.size() && client.send(request.substr(sent, 1))) {
    ++sent;
    std::this_thread::sleep_for(milliseconds(5));
  }
  EXPECT_LT(sent, request.size()) << "the server gave up long before";
}

TEST(HttpLimits, RequestsMayFollowEachOtherAtOnce) {
  const TestServer server(routes());
  Client client = server.connect();
  std::string requests;
  for (int i = 0; i < 1000; ++i) {
    requests += server.request(i % 2 == 0 ? "GET /health" : "GET /nothing");
  }
  std::thread sender([&] { client.send(requests); });
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(client.read().status, i % 2 == 0 ? 200 : 404) << i;
  }
  sender.join();
}

TEST(HttpLimits, ConnectionsCloseWhenAsked) {
  const TestServer server(routes());
  Client client = server.connect();
  EXPECT_EQ(client.ask(server.request("GET /health", "Connection: close\r\n")).field("connection"),
            "close");
  EXPECT_TRUE(client.read_to_end());
}

TEST(HttpLimits, FieldsOfProxiesMeanNothing) {
  const TestServer server(
      {{"GET", "/peer", Access::kPublic,
        [](const HttpRequest& request, const std::shared_ptr<Exchange>& exchange) {
          exchange->respond(200, "text/plain", request.peer);
        }}});
  const Answer answer = server.ask("GET /peer",
                                   "X-Forwarded-For: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\n"
                                   "REMOTE_ADDR: 1.2.3.4\r\nX-Forwarded-Host: evil\r\n");
  EXPECT_EQ(answer.body.substr(0, 10), "127.0.0.1:");
}

}  // namespace
}  // namespace nolens::serve::test
