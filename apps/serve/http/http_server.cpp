#include "serve/http/http_server.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "nolens/error.h"

#include "serve/http/connection.h"
#include "serve/http/listen_address.h"
#include "serve/http/tls_context.h"

namespace nolens::serve {
namespace {

/// How long accepting rests when there is no room and no descriptor.
constexpr std::chrono::milliseconds kAcceptRest{100};
/// A connection idle for less may have a request on its way.
constexpr std::chrono::milliseconds kFresh{250};

TlsContext choose_tls(const HttpOptions& options) {
  if (!options.certificate.empty() || !options.private_key.empty()) {
    return load_tls(options.certificate, options.private_key);
  }
  return options.tls_self_signed ? make_self_signed_tls(options.host) : nullptr;
}

void check_options(const HttpOptions& options) {
  const HttpLimits& limits = options.limits;
  if (options.handler_threads < 1 || limits.connections < 1 || limits.queued_requests < 0 ||
      limits.body_rate < 1) {
    throw Error(ErrorCode::kUsage,
                "limits of the server: expected at least one handler thread, one "
                "connection and one byte a second");
  }
}

}  // namespace

class HttpServer::Impl {
 public:
  Impl(HttpOptions options, std::vector<Route> routes, std::shared_ptr<ApiKeys> keys);

  void start();
  void stop();

  HttpOptions options_;
  std::vector<Route> routes_;
  std::shared_ptr<ApiKeys> keys_;
  TlsContext tls_;
  Journal journal_;
  std::uint16_t port_ = 0;
  std::string address_;

 private:
  struct Idle {
    std::uint64_t number = 0;
    Timer::Clock::time_point since;
  };

  void listen();
  void accept_next();
  void on_accepted(std::unique_ptr<Stream> stream);
  [[nodiscard]] bool is_full() const;
  void make_room();
  void admit_waiting();
  void on_idle(std::uint64_t number);
  void forget_idle(std::uint64_t number);
  void on_closed(std::uint64_t number);
  void run_loop();

  Gate gate_;
  std::shared_ptr<std::atomic<bool>> is_draining_ = std::make_shared<std::atomic<bool>>(false);
  HandlerPool pool_;
  IoLoop loop_;
  ConnectionContext context_;

  // Of the loop's thread.
  std::unique_ptr<Timer> accept_rest_;
  std::map<std::uint64_t, std::shared_ptr<Connection>> connections_;
  std::map<std::uint64_t, Idle> idle_;                   // by turn: longest idle first
  std::map<std::uint64_t, std::uint64_t> idle_turn_of_;  // number → turn
  std::uint64_t next_number_ = 1;
  std::uint64_t next_turn_ = 1;
  bool is_accepting_ = false;
  bool is_resting_ = false;          // no descriptor was left
  std::unique_ptr<Stream> waiting_;  // accepted, and no room for it yet

  std::mutex mutex_;
  std::condition_variable emptied_;
  bool is_empty_ = true;  // no connection is open; kept up to date from stop() on
  bool is_stopped_ = false;
  std::thread thread_;
};

HttpServer::Impl::Impl(HttpOptions options, std::vector<Route> routes,
                       std::shared_ptr<ApiKeys> keys)
    : options_(std::move(options)),
      routes_(std::move(routes)),
      keys_(keys ? std::move(keys) : std::make_shared<ApiKeys>()),
      tls_(choose_tls(options_)),
      journal_(options_.log),
      gate_(options_, routes_, keys_, tls_ != nullptr),
      pool_(static_cast<std::size_t>(std::max(options_.limits.queued_requests, 0))),
      loop_(tls_.get()),
      context_{options_.limits,
               gate_,
               loop_,
               pool_,
               journal_,
               is_draining_,
               [this](std::uint64_t number) { on_idle(number); },
               [this](std::uint64_t number) { forget_idle(number); },
               [this](std::uint64_t number) { on_closed(number); }},
      accept_rest_(loop_.make_timer()) {
  check_options(options_);
  check_routes(routes_);
  listen();
}

void HttpServer::Impl::listen() {
  address_ = resolve_listen_host(options_.host);
  if (!is_loopback_address(address_) && keys_->empty() && !options_.allow_unauthenticated) {
    throw Error(
        ErrorCode::kUsage,
        "listening on " + address_ +
            " lets other machines use this server, and there is no API key: "
            "make one with (umask 077; openssl rand -hex 32 > nolens.keys) and name the file with "
            "--api-key-file, or listen on 127.0.0.1; --allow-unauthenticated lets everybody in");
  }
  const int outcome = loop_.listen(address_, options_.port);
  if (outcome < 0) {
    throw Error(ErrorCode::kUsage, explain_listen_failure(address_, options_.port, -outcome));
  }
  port_ = static_cast<std::uint16_t>(outcome);
  gate_.set_port(port_);
}

void HttpServer::Impl::start() {
  pool_.start(options_.handler_threads);
  loop_.post([this] { accept_next(); });
  thread_ = start_thread([this] { run_loop(); });
}

void HttpServer::Impl::run_loop() {
  while (true) {
    try {
      return loop_.run();
    } catch (...) {
      // Memory was short somewhere no connection could be blamed; what is pending goes on.
    }
  }
}

void HttpServer::Impl::stop() {
  {
    const std::lock_guard lock(mutex_);
    if (is_stopped_) {
      return;
    }
    is_stopped_ = true;
    is_empty_ = false;  // until the loop has looked
  }
  is_draining_->store(true);
  if (!thread_.joinable()) {
    loop_.close_listener();
    return pool_.stop();
  }
  loop_.post([this] {
    loop_.close_listener();
    accept_rest_->cancel();
    waiting_.reset();
    const auto open = connections_;
    for (const auto& [number, connection] : open) {
      connection->drain();
    }
    const std::lock_guard lock(mutex_);
    is_empty_ = connections_.empty();
    emptied_.notify_all();
  });
  {
    std::unique_lock lock(mutex_);
    emptied_.wait_for(lock, options_.limits.drain_time, [this] { return is_empty_; });
  }
  loop_.post([this] {
    const auto open = connections_;
    for (const auto& [number, connection] : open) {
      connection->close();
    }
    loop_.stop();
  });
  thread_.join();
  pool_.stop();
}

void HttpServer::Impl::accept_next() {
  if (is_accepting_ || is_resting_ || waiting_ != nullptr || is_draining_->load()) {
    return;
  }
  is_accepting_ = true;
  loop_.accept([this](std::unique_ptr<Stream> stream) { on_accepted(std::move(stream)); });
}

void HttpServer::Impl::on_accepted(std::unique_ptr<Stream> stream) {
  is_accepting_ = false;
  if (is_draining_->load()) {
    return;
  }
  if (stream == nullptr) {
    // The client stays in the system's queue; asking again at once would be a loop.
    is_resting_ = true;
  }
  waiting_ = std::move(stream);
  make_room();
}

/// Lets in who waits, for the longest idle connection if need be, or tries again later.
void HttpServer::Impl::make_room() {
  if (is_resting_ || is_full()) {
    const auto found =
        idle_.empty() ? connections_.end() : connections_.find(idle_.begin()->second.number);
    if (found != connections_.end() && Timer::Clock::now() - idle_.begin()->second.since > kFresh) {
      found->second->close();
      is_resting_ = false;  // a descriptor is free
    }
    if (is_resting_ || is_full()) {
      accept_rest_->set(Timer::Clock::now() + kAcceptRest, [this] {
        is_resting_ = false;
        waiting_ != nullptr ? make_room() : accept_next();
      });
    }
  }
  admit_waiting();
}

bool HttpServer::Impl::is_full() const {
  return connections_.size() >= static_cast<std::size_t>(options_.limits.connections);
}

/// Accepting goes on only when the last client accepted has found room.
void HttpServer::Impl::admit_waiting() {
  if (waiting_ != nullptr && !is_full()) {
    const std::uint64_t number = next_number_++;
    const auto connection = std::make_shared<Connection>(context_, number, std::move(waiting_));
    connections_.emplace(number, connection);
    connection->start();
  }
  accept_next();
}

void HttpServer::Impl::on_idle(std::uint64_t number) {
  idle_turn_of_[number] = next_turn_;
  idle_[next_turn_++] = {number, Timer::Clock::now()};
}

void HttpServer::Impl::forget_idle(std::uint64_t number) {
  if (const auto turn = idle_turn_of_.find(number); turn != idle_turn_of_.end()) {
    idle_.erase(turn->second);
    idle_turn_of_.erase(turn);
  }
}

void HttpServer::Impl::on_closed(std::uint64_t number) {
  forget_idle(number);
  connections_.erase(number);
  if (connections_.empty()) {
    const std::lock_guard lock(mutex_);
    is_empty_ = true;
    emptied_.notify_all();
  }
  if (!is_draining_->load()) {
    admit_waiting();
  }
}

HttpServer::HttpServer(HttpOptions options, std::vector<Route> routes,
                       std::shared_ptr<ApiKeys> keys)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(routes), std::move(keys))) {}

HttpServer::~HttpServer() {
  impl_->stop();
}

void HttpServer::start() {
  impl_->start();
}

void HttpServer::stop() {
  impl_->stop();
}

std::uint16_t HttpServer::port() const {
  return impl_->port_;
}

std::string HttpServer::url() const {
  const std::string& address = impl_->address_;
  const bool is_everywhere = address == "0.0.0.0" || address == "::";
  return (impl_->tls_ ? "https://" : "http://") +
         with_port(is_everywhere ? "localhost" : address, impl_->port_);
}

std::string HttpServer::tls_fingerprint() const {
  return impl_->tls_ ? fingerprint(impl_->tls_) : std::string();
}

HttpCounts HttpServer::counts() const {
  return impl_->journal_.counts();
}

const std::vector<Route>& HttpServer::routes() const {
  return impl_->routes_;
}

}  // namespace nolens::serve
