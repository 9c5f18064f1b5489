// TLS: certificates made by the server, and from files.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <unistd.h>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include "nolens/error.h"

#include "serve/http_client.h"

namespace nolens::serve::test {
namespace {

std::vector<Route> routes() {
  return {echo("GET", "/health", Access::kPublic), echo("POST", "/echo")};
}

/// A client that trusts everybody and remembers whom it met.
class TlsClient {
 public:
  explicit TlsClient(std::uint16_t port, int highest_version = 0)
      : context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free),
        ssl_(nullptr, SSL_free),
        socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    const timeval patience{60, 0};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (highest_version != 0) {
      SSL_CTX_set_security_level(context_.get(), 0);
      SSL_CTX_set_max_proto_version(context_.get(), highest_version);
    }
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_fd(ssl_.get(), socket_);
    is_connected_ = SSL_connect(ssl_.get()) == 1;
  }
  ~TlsClient() {
    ssl_.reset();
    ::close(socket_);
    ERR_clear_error();
  }
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  [[nodiscard]] bool is_connected() const { return is_connected_; }
  [[nodiscard]] SSL* ssl() const { return ssl_.get(); }
  void send(const std::string& bytes) {
    EXPECT_EQ(SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())),
              static_cast<int>(bytes.size()));
  }
  /// Everything until the server says that it is done. \return "?" in front if it was cut instead
  std::string read_to_end() {
    std::string text;
    char piece[4096];
    int count = 0;
    while ((count = SSL_read(ssl_.get(), piece, sizeof(piece))) > 0) {
      text.append(piece, static_cast<std::size_t>(count));
    }
    return (SSL_get_error(ssl_.get(), count) == SSL_ERROR_ZERO_RETURN ? "" : "?") + text;
  }

 private:
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_;
  int socket_;
  bool is_connected_ = false;
};

HttpOptions self_signed() {
  HttpOptions options = test_options();
  options.tls_self_signed = true;
  return options;
}

TEST(HttpTls, SelfSignedServersAnswer) {
  TestServer server(routes(), self_signed());
  EXPECT_EQ(server->url(), "https://127.0.0.1:" + std::to_string(server->port()));
  TlsClient client(server->port());
  ASSERT_TRUE(client.is_connected());
  const std::string body(300'000, 'b');
  client.send(server.request("GET /health"));
  client.send(server.request("POST /echo", "Connection: close\r\n", body));
  const std::string text = client.read_to_end();
  EXPECT_EQ(text.substr(0, 15), "HTTP/1.1 200 OK");
  EXPECT_NE(text.find("\r\n\r\n/healthHTTP/1.1 200"), std::string::npos);
  EXPECT_EQ(text.substr(text.size() - body.size()), body);
}

TEST(HttpTls, CertificatesNameTheMachine) {
  TestServer server(routes(), self_signed());
  const TlsClient client(server->port());
  ASSERT_TRUE(client.is_connected());
  const std::unique_ptr<X509, decltype(&X509_free)> owner(SSL_get1_peer_certificate(client.ssl()),
                                                          X509_free);
  ASSERT_NE(owner, nullptr);
  EXPECT_EQ(X509_check_ip_asc(owner.get(), "127.0.0.1", 0), 1);
  EXPECT_EQ(X509_check_ip_asc(owner.get(), "::1", 0), 1);
  EXPECT_EQ(X509_check_host(owner.get(), "localhost", 0, 0, nullptr), 1);
  EXPECT_EQ(X509_check_host(owner.get(), "evil.example", 0, 0, nullptr), 0);
  EXPECT_EQ(X509_cmp_current_time(X509_get0_notAfter(owner.get())), 1);
  EXPECT_EQ(server->tls_fingerprint().size(), 32U * 3 - 1);
  EXPECT_NE(server->tls_fingerprint(), TestServer(routes(), self_signed())->tls_fingerprint());
}

TEST(HttpTls, OldVersionsAndPlainTextAreRefused) {
  TestServer server(routes(), self_signed());
  EXPECT_FALSE(TlsClient(server->port(), TLS1_1_VERSION).is_connected());
  EXPECT_TRUE(TlsClient(server->port(), TLS1_2_VERSION).is_connected());
  Client plain = server.connect();
  plain.send(server.request("GET /health"));
  std::string text;
  EXPECT_TRUE(plain.read_to_end(&text));
  EXPECT_EQ(text.find("HTTP/1.1 200"), std::string::npos);
}

TEST(HttpTls, HandshakesHaveADeadline) {
  HttpOptions options = self_signed();
  options.limits.header_time = std::chrono::milliseconds(150);
  const TestServer server(routes(), options);
  EXPECT_TRUE(server.connect().read_to_end());
}

TEST(HttpTls, ClientsThatGoAwayAreNoticed) {
  std::atomic<bool> is_noticed = false;
  TestServer server({{"GET", "/s", Access::kPublic,
                      [&](const HttpRequest&, const std::shared_ptr<Exchange>& exchange) {
                        is_noticed = eventually([&] { return exchange->abandoned(); });
                      }}},
                    self_signed());
  {
    TlsClient client(server->port());
    client.send(server.request("GET /s"));
  }
  EXPECT_TRUE(eventually([&] { return is_noticed.load(); }));
}

/// A folder with a key and a certificate in files.
class TlsFiles {
 public:
  TlsFiles() {
    std::string name = "/tmp/nolens-tls-XXXXXX";
    folder_ = mkdtemp(name.data());
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"),
                                                                  EVP_PKEY_free);
    const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), X509_free);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
    X509_set_pubkey(certificate.get(), key.get());
    X509_sign(certificate.get(), key.get(), EVP_sha256());
    std::FILE* file = std::fopen(path("cert").c_str(), "w");
    PEM_write_X509(file, certificate.get());
    std::fclose(file);
    write_key("key", key.get(), nullptr);
    write_key("locked", key.get(), "password");
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> other(EVP_EC_gen("P-256"),
                                                                    EVP_PKEY_free);
    write_key("other", other.get(), nullptr);
  }
  ~TlsFiles() { std::filesystem::remove_all(folder_); }
  TlsFiles(const TlsFiles&) = delete;
  TlsFiles& operator=(const TlsFiles&) = delete;
  [[nodiscard]] std::string path(const std::string& name) const { return folder_ + "/" + name; }

 private:
  void write_key(const std::string& name, EVP_PKEY* key, const char* password) const {
    std::FILE* file = std::fopen(path(name).c_str(), "w");
    PEM_write_PKCS8PrivateKey(file, key, password != nullptr ? EVP_aes_128_cbc() : nullptr,
                              password, password != nullptr ? 8 : 0, nullptr, nullptr);
    std::fclose(file);
  }
  std::string folder_;
};

TEST(HttpTls, FilesAreUsedOrRefused) {
  const TlsFiles files;
  HttpOptions options = test_options();
  options.certificate = files.path("cert");
  options.private_key = files.path("key");
  TestServer server(routes(), options);
  EXPECT_TRUE(TlsClient(server->port()).is_connected());
  for (const char* key : {"other", "locked", "cert", "missing", ""}) {
    options.private_key = key[0] == '\0' ? std::string() : files.path(key);
    EXPECT_THROW(HttpServer(options, routes(), nullptr), Error) << key;
  }
  options.private_key = files.path("key");
  options.certificate = files.path("key");
  EXPECT_THROW(HttpServer(options, routes(), nullptr), Error);
}

}  // namespace
}  // namespace nolens::serve::test
