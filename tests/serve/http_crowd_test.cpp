// Many connections at once, more than allowed, and more than the system has descriptors for.
#include <atomic>
#include <mutex>
#include <thread>

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "serve/http_client.h"

namespace nolens::serve::test {
namespace {

std::vector<Route> routes() {
  return {echo("GET", "/health", Access::kPublic), echo("POST", "/echo")};
}

TEST(HttpCrowd, TwoHundredAskAtOnce) {
  TestServer server(routes());
  std::vector<Client> clients;
  for (int i = 0; i < 200; ++i) {
    clients.push_back(server.connect());
  }
  for (int round = 0; round < 5; ++round) {
    for (std::size_t i = 0; i < clients.size(); ++i) {
      clients[i].send(server.request("POST /echo", "", "body " + std::to_string(i)));
    }
    for (std::size_t i = 0; i < clients.size(); ++i) {
      ASSERT_EQ(clients[i].read().body, "body " + std::to_string(i));
    }
  }
  EXPECT_TRUE(eventually([&] { return server->counts().requests[200] == 1000; }));
  EXPECT_EQ(server->counts().connections, 200U);
}

TEST(HttpCrowd, ThreadsAskAtOnce) {
  const TestServer server(routes());
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        const std::string body = std::to_string(t * 1000 + i);
        wrong += server.ask("POST /echo", "", body).body == body ? 0 : 1;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(wrong, 0);
}

TEST(HttpCrowd, IdleConnectionsMakeRoom) {
  HttpOptions options = test_options();
  options.limits.connections = 10;
  TestServer server(routes(), options);
  std::vector<Client> idle;
  for (int i = 0; i < 50; ++i) {
    idle.push_back(server.connect());
    if (i % 7 == 0) {
      ASSERT_EQ(server.ask("GET /health").status, 200);
    }
  }
  EXPECT_EQ(server.ask("GET /health").status, 200);
  EXPECT_LE(server->counts().connections, 10U);
}

TEST(HttpCrowd, BusyConnectionsMakeOthersWait) {
  std::mutex mutex;
  std::vector<std::shared_ptr<Exchange>> held;
  HttpOptions options = test_options();
  options.limits.connections = 2;
  std::vector<Route> table = routes();
  table.push_back({"GET", "/hold", Access::kPublic,
                   [&](const HttpRequest&, std::shared_ptr<Exchange> exchange) {
                     const std::lock_guard lock(mutex);
                     held.push_back(std::move(exchange));
                   }});
  const TestServer server(table, options);
  std::vector<Client> clients;
  for (int i = 0; i < 2; ++i) {
    clients.push_back(server.connect());
    clients.back().send(server.request("GET /hold"));
  }
  EXPECT_TRUE(eventually([&] {
    const std::lock_guard lock(mutex);
    return held.size() == 2;
  }));
  Client waiting = server.connect();
  waiting.send(server.request("GET /health"));
  for (const auto& exchange : held) {
    exchange->respond(200, "text/plain", "free");
  }
  EXPECT_EQ(waiting.read().status, 200);
  held.clear();
}

TEST(HttpCrowd, DescriptorsMayRunOut) {
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  TestServer server(routes());
  std::vector<Client> clients;
  rlimit few = before;
  few.rlim_cur = 100;
  setrlimit(RLIMIT_NOFILE, &few);
  try {
    while (true) {
      clients.push_back(server.connect());
    }
  } catch (const std::runtime_error&) {
    // The client side has none left either.
  }
  clients.erase(clients.end() - 20, clients.end());
  clients.back().send(server.request("GET /health"));
  EXPECT_EQ(clients.back().read().status, 200);
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(server.ask("GET /health").status, 200) << "recovered";
}

TEST(HttpCrowd, RecordsAreSafeToPrint) {
  std::mutex mutex;
  std::vector<LogRecord> records;
  HttpOptions options = test_options();
  options.log = [&](const LogRecord& record) {
    const std::lock_guard lock(mutex);
    records.push_back(record);
  };
  TestServer server(routes(), options);
  EXPECT_EQ(server.ask("GET /health?key=secret", "User-Agent: a\x80\r\n").status, 200);
  server.connect().ask("GET /\xC3\xA4 HTTP/1.1\r\n\r\n");
  EXPECT_EQ(server.ask("GET /%1b[31m%0d%0a?secret").status, 404);
  server->stop();
  ASSERT_EQ(records.size(), 3U);
  EXPECT_EQ(records[0].path, "/health");
  EXPECT_EQ(records[0].status, 200);
  EXPECT_EQ(records[0].method, "GET");
  EXPECT_GT(records[0].bytes, 100U);
  for (const LogRecord& record : records) {
    for (const std::string& text : {record.message, record.path, record.method, record.peer}) {
      for (const char c : text) {
        EXPECT_TRUE(c >= 0x20 && c < 0x7F);
      }
      EXPECT_EQ(text.find("secret"), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace nolens::serve::test
