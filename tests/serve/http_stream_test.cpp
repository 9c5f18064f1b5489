// Streams, clients that go away or never read, and the end of the server.
#include <atomic>
#include <mutex>
#include <thread>

#include <gtest/gtest.h>

#include "serve/http_client.h"

namespace nolens::serve::test {
namespace {

using std::chrono::milliseconds;

/// Keeps what handlers were given, for tests that answer later.
class Held {
 public:
  Route route(const std::string& path) {
    return {"GET", path, Access::kPublic,
            [this](const HttpRequest&, std::shared_ptr<Exchange> exchange) {
              const std::lock_guard lock(mutex_);
              exchanges_.push_back(std::move(exchange));
            }};
  }
  /// Waits for the next one.
  std::shared_ptr<Exchange> take() {
    std::shared_ptr<Exchange> result;
    EXPECT_TRUE(eventually([&] {
      const std::lock_guard lock(mutex_);
      if (exchanges_.empty()) {
        return false;
      }
      result = std::move(exchanges_.back());
      exchanges_.pop_back();
      return true;
    }));
    return result;
  }

 private:
  std::mutex mutex_;
  std::vector<std::shared_ptr<Exchange>> exchanges_;
};

TEST(HttpStream, PiecesArriveAsTheyAreWritten) {
  Held held;
  const TestServer server({held.route("/s")});
  Client client = server.connect();
  client.send(server.request("GET /s"));
  const auto exchange = held.take();
  exchange->begin_stream(200, "text/event-stream", {{"x-accel-buffering", "no"}});
  EXPECT_TRUE(exchange->write("data: 1\n\n"));
  EXPECT_TRUE(exchange->write(""));
  EXPECT_TRUE(exchange->write("data: 2\n\n"));
  exchange->respond(500, "text/plain", "ignored");
  exchange->begin_stream(500, "text/plain");
  exchange->end_stream();
  EXPECT_TRUE(exchange->write("ignored"));
  const Answer answer = client.read();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.field("content-type"), "text/event-stream");
  EXPECT_EQ(answer.field("x-accel-buffering"), "no");
  EXPECT_EQ(answer.body, "data: 1\n\ndata: 2\n\n");
  EXPECT_TRUE(answer.is_whole);
  client.send(server.request("GET /s"));
  held.take()->respond(200, "text/plain", "later");
  EXPECT_EQ(client.read().body, "later") << "the connection goes on";
  EXPECT_FALSE(exchange->abandoned());
}

TEST(HttpStream, HeadsOfStreamsHaveNoBody) {
  Held held;
  const TestServer server({held.route("/s")});
  Client client = server.connect();
  client.send(server.request("HEAD /s"));
  {
    const auto exchange = held.take();
    exchange->begin_stream(200, "text/event-stream");
    EXPECT_TRUE(exchange->write("data: 1\n\n"));
    exchange->end_stream();
  }
  EXPECT_EQ(client.read(true).status, 200);
  client.send(server.request("GET /s"));
  held.take()->respond(200, "text/plain", "next");
  EXPECT_EQ(client.read().body, "next");
}

TEST(HttpStream, StreamsThatAreDroppedAreCut) {
  Held held;
  const TestServer server({held.route("/s")});
  Client client = server.connect();
  client.send(server.request("GET /s"));
  auto exchange = held.take();
  exchange->begin_stream(200, "text/plain");
  exchange->write("half");
  exchange.reset();
  const Answer answer = client.read();
  EXPECT_FALSE(answer.is_whole);
  EXPECT_TRUE(client.read_to_end());
}

TEST(HttpStream, ThrowingHandlersCutTheirStreams) {
  const TestServer server({{"GET", "/s", Access::kPublic,
                            [](const HttpRequest&, const std::shared_ptr<Exchange>& exchange) {
                              exchange->begin_stream(200, "text/plain");
                              exchange->write("half");
                              throw std::runtime_error("secret");
                            }}});
  Client client = server.connect();
  client.send(server.request("GET /s"));
  std::string text;
  EXPECT_TRUE(client.read_to_end(&text));
  EXPECT_EQ(text.find("0\r\n\r\n"), std::string::npos);
  EXPECT_EQ(text.find("secret"), std::string::npos);
}

TEST(HttpStream, ClientsThatGoAwayAreNoticed) {
  Held held;
  TestServer server({held.route("/s")});
  for (const bool streams : {false, true}) {
    Client client = server.connect();
    client.send(server.request("GET /s"));
    const auto exchange = held.take();
    if (streams) {
      exchange->begin_stream(200, "text/plain");
      exchange->write("one");
    }
    std::atomic<int> calls = 0;
    exchange->on_abandon([&calls] { ++calls; });
    exchange->on_abandon([&calls] { ++calls; });
    EXPECT_FALSE(exchange->abandoned());
    client.close();
    EXPECT_TRUE(eventually([&] { return calls == 2; }));
    EXPECT_TRUE(exchange->abandoned());
    EXPECT_FALSE(exchange->write("more"));
    exchange->respond(200, "text/plain", "nobody listens");
    exchange->end_stream();
    exchange->on_abandon([&calls] { ++calls; });
    EXPECT_EQ(calls, 3) << "at once";
  }
  EXPECT_TRUE(eventually([&] { return server->counts().requests[499] == 2; }));
}

TEST(HttpStream, ClientsAreNoticedWhileTheHandlerWorks) {
  std::atomic<bool> is_noticed = false;
  const TestServer server({{"GET", "/s", Access::kPublic,
                            [&](const HttpRequest&, const std::shared_ptr<Exchange>& exchange) {
                              is_noticed = eventually([&] { return exchange->abandoned(); });
                            }}});
  Client client = server.connect();
  client.send(server.request("GET /s"));
  client.close();
  EXPECT_TRUE(eventually([&] { return is_noticed.load(); }));
}

TEST(HttpStream, ClientsThatNeverReadAreAbandoned) {
  Held held;
  HttpOptions options = test_options();
  options.limits.output_buffer = 100'000;
  const TestServer server({held.route("/s")}, options);
  Client client = server.connect();
  client.send(server.request("GET /s"));
  const auto exchange = held.take();
  std::atomic<int> calls = 0;
  exchange->on_abandon([&, weak = std::weak_ptr(exchange)] {
    ++calls;
    if (const auto self = weak.lock()) {
      self->end_stream();  // callbacks may use the exchange
    }
  });
  exchange->begin_stream(200, "text/plain");
  const std::string piece(10'000, 'x');
  std::size_t written = 0;
  while (written < (std::size_t{1} << 30) && exchange->write(piece)) {
    written += piece.size();
  }
  EXPECT_LT(written, std::size_t{1} << 30);
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(exchange->abandoned());
  EXPECT_TRUE(client.read_to_end());
}

TEST(HttpStream, ClientsThatReadNothingOfAnAnswerAreClosed) {
  HttpOptions options = test_options();
  options.limits.write_time = milliseconds(200);
  TestServer server({{"GET", "/big", Access::kPublic,
                      [](const HttpRequest&, const std::shared_ptr<Exchange>& exchange) {
                        exchange->respond(200, "text/plain", std::string(64 << 20, 'x'));
                      }}},
                    options);
  Client client = server.connect();
  client.send(server.request("GET /big"));
  EXPECT_TRUE(eventually([&] { return server->counts().requests[499] == 1; }));
  EXPECT_EQ(server->counts().connections, 0U);
}

TEST(HttpStream, LargeAnswersArrive) {
  const TestServer server({{"GET", "/big", Access::kPublic,
                            [](const HttpRequest&, const std::shared_ptr<Exchange>& exchange) {
                              exchange->respond(200, "text/plain", std::string(16 << 20, 'x'));
                            }}});
  EXPECT_EQ(server.ask("GET /big").body, std::string(16 << 20, 'x'));
}

TEST(HttpStream, FullQueuesSaySo) {
  std::atomic<bool> is_free = false;
  std::atomic<int> running = 0;
  HttpOptions options = test_options();
  options.handler_threads = 1;
  options.limits.queued_requests = 1;
  TestServer server({{"GET", "/slow", Access::kPublic,
                      [&](const HttpRequest&, const std::shared_ptr<Exchange>& exchange) {
                        ++running;
                        eventually([&] { return is_free.load(); });
                        exchange->respond(200, "text/plain", "done");
                      }}},
                    options);
  Client first = server.connect();
  first.send(server.request("GET /slow"));
  EXPECT_TRUE(eventually([&] { return running == 1; }));
  Client second = server.connect();
  Client third = server.connect();
  second.send(server.request("GET /slow"));
  third.send(server.request("GET /slow"));
  EXPECT_TRUE(eventually([&] { return server->counts().requests[503] == 1; }));
  is_free = true;
  const Answer a = second.read();
  const Answer b = third.read();
  EXPECT_EQ(a.status + b.status, 200 + 503);
  EXPECT_EQ((a.status == 503 ? a : b).field("retry-after"), "1");
  EXPECT_EQ(first.read().body, "done");
}

TEST(HttpStop, RunningExchangesEndFirst) {
  Held held;
  TestServer server({held.route("/s")});
  Client idle = server.connect();
  idle.send("GET /s HT");
  Client client = server.connect();
  client.send(server.request("GET /s"));
  const auto exchange = held.take();
  std::thread stopper([&] { server->stop(); });
  EXPECT_TRUE(idle.read_to_end()) << "nothing to wait for";
  EXPECT_FALSE(exchange->abandoned());
  exchange->respond(200, "text/plain", "last");
  const Answer answer = client.read();
  EXPECT_EQ(answer.body, "last");
  EXPECT_EQ(answer.field("connection"), "close");
  client.close();
  stopper.join();
  EXPECT_THROW(server.connect(), std::runtime_error);
  server->stop();
}

TEST(HttpStop, PatienceEnds) {
  Held held;
  HttpOptions options = test_options();
  options.limits.drain_time = milliseconds(50);
  std::shared_ptr<Exchange> exchange;
  {
    TestServer server({held.route("/s")}, options);
    Client client = server.connect();
    client.send(server.request("GET /s"));
    exchange = held.take();
    exchange->begin_stream(200, "text/plain");
    server->stop();
    EXPECT_TRUE(client.read_to_end());
  }
  EXPECT_TRUE(exchange->abandoned());
  EXPECT_FALSE(exchange->write("after the server is gone"));
  exchange->end_stream();
}

TEST(HttpStop, ServersThatNeverStartedStop) {
  HttpServer server(test_options(), {}, nullptr);
  server.stop();
}

}  // namespace
}  // namespace nolens::serve::test
