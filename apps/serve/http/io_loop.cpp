#include "serve/http/io_loop.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <openssl/ssl.h>

namespace nolens::serve {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

/// IPv4 clients of an IPv6 listener are shown as what they are.
asio::ip::address plain_address(const asio::ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  }
  return address;
}

/// What plain and TLS connections share. Socket is tcp::socket or ssl::stream of one.
template <class Socket>
class SocketStream : public Stream {
 public:
  template <class... More>
  explicit SocketStream(tcp::socket&& socket, More&... more) : socket_(std::move(socket), more...) {
    error_code ignored;
    lowest().set_option(tcp::no_delay(true), ignored);
    const auto local = lowest().local_endpoint(ignored);
    local_ = plain_address(local.address()).to_string();
    const auto remote = lowest().remote_endpoint(ignored);
    peer_ = plain_address(remote.address()).to_string() + ":" + std::to_string(remote.port());
  }

  void read(std::span<char> room, std::function<void(std::size_t)> done) override {
    socket_.async_read_some(
        asio::buffer(room.data(), room.size()),
        [done = std::move(done)](error_code error, std::size_t count) { done(error ? 0 : count); });
  }
  void write(std::string_view bytes, std::function<void(std::size_t)> done) override {
    socket_.async_write_some(
        asio::buffer(bytes.data(), bytes.size()),
        [done = std::move(done)](error_code error, std::size_t count) { done(error ? 0 : count); });
  }
  void close() override {
    error_code ignored;
    lowest().close(ignored);
  }
  [[nodiscard]] std::string local_address() const override { return local_; }
  [[nodiscard]] std::string peer() const override { return peer_; }

 protected:
  auto& lowest() { return socket_.lowest_layer(); }
  Socket socket_;

 private:
  std::string local_;
  std::string peer_;
};

class PlainStream final : public SocketStream<tcp::socket> {
 public:
  using SocketStream::SocketStream;
  void handshake(std::function<void(bool)> done) override {
    asio::post(socket_.get_executor(), [done = std::move(done)] { done(true); });
  }
  void finish_sending(std::function<void()> done) override {
    error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
    asio::post(socket_.get_executor(), std::move(done));
  }
};

class TlsStream final : public SocketStream<asio::ssl::stream<tcp::socket>> {
 public:
  using SocketStream::SocketStream;
  void handshake(std::function<void(bool)> done) override {
    socket_.async_handshake(asio::ssl::stream_base::server,
                            [done = std::move(done)](error_code error) { done(!error); });
  }
  void finish_sending(std::function<void()> done) override {
    socket_.async_shutdown([done = std::move(done)](error_code) { done(); });
  }
};

class AsioTimer final : public Timer {
 public:
  explicit AsioTimer(asio::io_context& context) : timer_(context) {}
  void set(Clock::time_point when, std::function<void()> fire) override {
    timer_.expires_at(when);
    timer_.async_wait([fire = std::move(fire)](error_code error) {
      if (!error) {
        fire();
      }
    });
  }
  void cancel() override { timer_.cancel(); }

 private:
  asio::steady_timer timer_;
};

}  // namespace

struct IoLoop::Impl {
  explicit Impl(ssl_ctx_st* tls_context) : work(asio::make_work_guard(context)), acceptor(context) {
    if (tls_context != nullptr) {
      SSL_CTX_up_ref(tls_context);
      tls = std::make_unique<asio::ssl::context>(tls_context);
    }
  }
  std::unique_ptr<Stream> make_stream(tcp::socket&& socket) {
    if (tls) {
      return std::make_unique<TlsStream>(std::move(socket), *tls);
    }
    return std::make_unique<PlainStream>(std::move(socket));
  }

  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work;
  tcp::acceptor acceptor;
  std::unique_ptr<asio::ssl::context> tls;
};

IoLoop::IoLoop(ssl_ctx_st* tls) : impl_(std::make_unique<Impl>(tls)) {}
IoLoop::~IoLoop() = default;

int IoLoop::listen(const std::string& address, std::uint16_t port) {
  error_code error;
  const auto ip = asio::ip::make_address(address, error);
  const tcp::endpoint endpoint(ip, port);
  tcp::acceptor& acceptor = impl_->acceptor;
  if (!error) {
    acceptor.open(endpoint.protocol(), error);
  }
  if (!error) {
    acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  }
  if (!error) {
    acceptor.bind(endpoint, error);
  }
  if (!error) {
    acceptor.listen(asio::socket_base::max_listen_connections, error);
  }
  if (error) {
    error_code ignored;
    acceptor.close(ignored);
    return -error.value();
  }
  return acceptor.local_endpoint().port();
}

void IoLoop::close_listener() {
  error_code ignored;
  impl_->acceptor.close(ignored);
}

void IoLoop::accept(std::function<void(std::unique_ptr<Stream>)> done) {
  impl_->acceptor.async_accept(
      [impl = impl_.get(), done = std::move(done)](error_code error, tcp::socket socket) {
        done(error ? nullptr : impl->make_stream(std::move(socket)));
      });
}

std::unique_ptr<Timer> IoLoop::make_timer() {
  return std::make_unique<AsioTimer>(impl_->context);
}

void IoLoop::post(std::function<void()> task) {
  asio::post(impl_->context, std::move(task));
}

void IoLoop::run() {
  impl_->context.run();
}

void IoLoop::stop() {
  impl_->work.reset();
}

}  // namespace nolens::serve
