#include "serve/http_client.h"

#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <thread>
#include <unistd.h>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "serve/http/text.h"

namespace nolens::serve::test {

std::string Answer::field(std::string_view name) const {
  std::size_t begin = 0;
  while (begin < head.size()) {
    const std::size_t end = std::min(head.find("\r\n", begin), head.size());
    const std::string_view line = std::string_view(head).substr(begin, end - begin);
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos && equal_ignoring_case(line.substr(0, colon), name)) {
      return std::string(trimmed(line.substr(colon + 1)));
    }
    begin = end + 2;
  }
  return {};
}

Client::Client(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    throw std::runtime_error("cannot connect");
  }
  const timeval patience{60, 0};
  setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
}

Client::Client(Client&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)), buffer_(std::move(other.buffer_)) {}

Client& Client::operator=(Client&& other) noexcept {
  std::swap(socket_, other.socket_);
  std::swap(buffer_, other.buffer_);
  return *this;
}

Client::~Client() {
  close();
}

void Client::close() {
  if (socket_ >= 0) {
    ::close(std::exchange(socket_, -1));
  }
}

bool Client::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) {
      return false;
    }
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

bool Client::fill() {
  char piece[16384];
  const ssize_t count = ::recv(socket_, piece, sizeof(piece), 0);
  if (count <= 0) {
    return false;
  }
  buffer_.append(piece, static_cast<std::size_t>(count));
  return true;
}

Answer Client::read(bool is_head) {
  Answer answer;
  const auto need = [this](std::size_t size) {
    while (buffer_.size() < size) {
      if (!fill()) {
        return false;
      }
    }
    return true;
  };
  const auto line_end = [this](std::size_t from) {
    std::size_t end = buffer_.find("\r\n", from);
    while (end == std::string::npos && fill()) {
      end = buffer_.find("\r\n", from);
    }
    return end;
  };
  std::size_t head_end = buffer_.find("\r\n\r\n");
  while (head_end == std::string::npos) {
    if (!fill()) {
      return answer;
    }
    head_end = buffer_.find("\r\n\r\n");
  }
  answer.head = buffer_.substr(0, head_end + 2);
  buffer_.erase(0, head_end + 4);
  answer.status = std::atoi(answer.head.c_str() + sizeof("HTTP/1.1"));
  if (is_head || answer.status < 200 || answer.status == 204) {
    answer.is_whole = true;
    return answer;
  }
  if (answer.field("transfer-encoding") != "chunked") {
    const std::size_t size = std::strtoul(answer.field("content-length").c_str(), nullptr, 10);
    answer.is_whole = need(size);
    answer.body = buffer_.substr(0, size);
    buffer_.erase(0, answer.body.size());
    return answer;
  }
  while (true) {
    const std::size_t end = line_end(0);
    if (end == std::string::npos) {
      return answer;
    }
    const std::size_t size = std::strtoul(buffer_.c_str(), nullptr, 16);
    if (!need(end + 2 + size + 2)) {
      return answer;
    }
    answer.body += buffer_.substr(end + 2, size);
    buffer_.erase(0, end + 2 + size + 2);
    if (size == 0) {
      answer.is_whole = true;
      return answer;
    }
  }
}

bool Client::read_to_end(std::string* text) {
  char piece[16384];
  while (true) {
    const ssize_t count = ::recv(socket_, piece, sizeof(piece), 0);
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      return false;
    }
    if (count <= 0) {
      if (text != nullptr) {
        *text = std::move(buffer_);
      }
      return true;
    }
    if (text != nullptr) {
      buffer_.append(piece, static_cast<std::size_t>(count));
    }
  }
}

bool eventually(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) {
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

HttpOptions test_options() {
  HttpOptions options;
  options.port = 0;
  return options;
}

TestServer::TestServer(std::vector<Route> routes, HttpOptions options,
                       std::shared_ptr<ApiKeys> keys)
    : server_(std::move(options), std::move(routes), std::move(keys)) {
  server_.start();
}

std::string TestServer::host() const {
  return "Host: 127.0.0.1:" + std::to_string(server_.port()) + "\r\n";
}

std::string TestServer::request(std::string_view line, std::string_view fields,
                                std::string_view body) const {
  std::string text = std::string(line) + " HTTP/1.1\r\n" + host() + std::string(fields);
  if (!body.empty()) {
    text +=
        "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  }
  return text + "\r\n" + std::string(body);
}

Answer TestServer::ask(std::string_view line, std::string_view fields,
                       std::string_view body) const {
  Client client = connect();
  client.send(request(line, fields, body));
  return client.read(line.substr(0, 5) == "HEAD ");
}

Route echo(std::string method, std::string path, Access access) {
  return {std::move(method), std::move(path), access,
          [](const HttpRequest& request, const std::shared_ptr<Exchange>& exchange) {
            exchange->respond(200, "text/plain",
                              request.body.empty() ? request.path : request.body);
          }};
}

KeyFile::KeyFile(std::string_view text) {
  std::string name = "/tmp/nolens-keys-XXXXXX";
  ::close(mkstemp(name.data()));
  path_ = name;
  write(text);
}

KeyFile::~KeyFile() {
  unlink(path_.c_str());
}

void KeyFile::write(std::string_view text) const {
  std::ofstream(path_, std::ios::binary | std::ios::trunc) << text;
}

}  // namespace nolens::serve::test
