// A server in this process and clients that say exactly what a test wants.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "serve/http/http_server.h"

namespace nolens::serve::test {

/// An answer as it came.
struct Answer {
  int status = 0;  ///< 0 = the connection ended before there was a head
  std::string head;
  std::string body;  ///< chunks put together
  bool is_whole = false;

  /// \return the value of a field, "" = none
  [[nodiscard]] std::string field(std::string_view name) const;
};

/// A socket. Every wait ends after a time no working server needs.
class Client {
 public:
  explicit Client(std::uint16_t port);
  ~Client();
  Client(Client&& other) noexcept;
  Client(const Client&) = delete;
  Client& operator=(Client&& other) noexcept;
  Client& operator=(const Client&) = delete;

  /// \return false if the server has closed
  bool send(std::string_view bytes);
  /// Reads one answer; `is_head`: without a body.
  Answer read(bool is_head = false);
  Answer ask(std::string_view bytes) {
    send(bytes);
    return read();
  }
  /// Everything up to the end of the connection. \return whether it ended
  bool read_to_end(std::string* text = nullptr);
  void close();

 private:
  bool fill();

  int socket_;
  std::string buffer_;
};

/// Waits until `condition` holds. \return whether it did within a minute
bool eventually(const std::function<bool()>& condition);

/// Options for tests: port 0, quiet.
HttpOptions test_options();

/// A started server.
class TestServer {
 public:
  explicit TestServer(std::vector<Route> routes, HttpOptions options = test_options(),
                      std::shared_ptr<ApiKeys> keys = nullptr);

  HttpServer& operator*() { return server_; }
  HttpServer* operator->() { return &server_; }
  [[nodiscard]] Client connect() const { return Client(server_.port()); }
  /// "Host: 127.0.0.1:PORT\r\n"
  [[nodiscard]] std::string host() const;
  /// A request with this server's Host. \param fields  whole lines
  [[nodiscard]] std::string request(std::string_view line, std::string_view fields = "",
                                    std::string_view body = "") const;
  [[nodiscard]] Answer ask(std::string_view line, std::string_view fields = "",
                           std::string_view body = "") const;

 private:
  HttpServer server_;
};

/// Answers 200 with the request's body, or its path if there is none.
Route echo(std::string method, std::string path, Access access = Access::kKey);

/// A file with these lines that only the owner can read, removed at the end.
class KeyFile {
 public:
  explicit KeyFile(std::string_view text);
  ~KeyFile();
  KeyFile(const KeyFile&) = delete;
  KeyFile& operator=(const KeyFile&) = delete;
  void write(std::string_view text) const;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace nolens::serve::test
