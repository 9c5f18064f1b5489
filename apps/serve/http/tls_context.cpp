#include "serve/http/tls_context.h"

#include <array>
#include <ifaddrs.h>
#include <set>
#include <unistd.h>

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "nolens/error.h"

#include "serve/http/host_rules.h"
#include "serve/http/text.h"

namespace nolens::serve {
namespace {

constexpr long kValidSeconds = 365L * 24 * 3600;

std::string last_reason() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const char* reason = code != 0 ? ERR_reason_error_string(code) : nullptr;
  return reason != nullptr ? reason : "no reason given";
}

[[noreturn]] void refuse_file(const char* what, const std::filesystem::path& file) {
  throw Error(ErrorCode::kUsage, std::string("the ") + what + " in " + escaped(file.string()) +
                                     " cannot be used (" + last_reason() +
                                     "); expected a PEM file without a password");
}

void require(bool is_done) {
  if (!is_done) {
    throw Error(ErrorCode::kInternal, "no certificate could be made (" + last_reason() + ")");
  }
}

int refuse_password(char*, int, int, void*) {
  return -1;
}

int select_http1(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
                 unsigned int in_size, void*) {
  constexpr unsigned char kOffered[] = "\x08http/1.1";
  unsigned char* selected = nullptr;
  const int outcome =
      SSL_select_next_proto(&selected, out_size, kOffered, sizeof(kOffered) - 1, in, in_size);
  *out = selected;
  return outcome == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

TlsContext make_context() {
  TlsContext context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  require(context != nullptr);
  require(SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) == 1);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  // Idle connections give their buffers back; writes may continue from another place in memory.
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_default_passwd_cb(context.get(), refuse_password);
  SSL_CTX_set_alpn_select_cb(context.get(), select_http1, nullptr);
  return context;
}

/// What clients may call this machine, as OpenSSL's text of a subjectAltName.
std::string alternative_names(const std::string& host) {
  std::set<std::string> names = {"DNS:localhost", "IP:127.0.0.1", "IP:::1"};
  const auto add = [&names](const std::string& name) {
    // Parsed first: in the text, a comma would begin another name.
    const bool is_ipv6 = name.find(':') != std::string::npos && name.front() != '[';
    if (const auto known = parse_authority(is_ipv6 ? "[" + name + "]" : name);
        known && !known->port) {
      names.insert((known->is_address ? "IP:" : "DNS:") + known->host);
    }
  };
  add(host);
  std::array<char, 256> own_name{};
  if (gethostname(own_name.data(), own_name.size() - 1) == 0) {
    add(own_name.data());
  }
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) == 0) {
    for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
      const int family = entry->ifa_addr != nullptr ? entry->ifa_addr->sa_family : AF_UNSPEC;
      std::array<char, INET6_ADDRSTRLEN> text{};
      const void* bytes = nullptr;
      if (family == AF_INET) {
        bytes = &reinterpret_cast<const sockaddr_in*>(entry->ifa_addr)->sin_addr;
      } else if (family == AF_INET6) {
        bytes = &reinterpret_cast<const sockaddr_in6*>(entry->ifa_addr)->sin6_addr;
      }
      if (bytes != nullptr && inet_ntop(family, bytes, text.data(), text.size()) != nullptr) {
        add(text.data());
      }
    }
    freeifaddrs(list);
  }
  std::string result;
  for (const std::string& name : names) {
    result += (result.empty() ? "" : ",") + name;
  }
  return result;
}

void add_extension(X509* certificate, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> extension(
      X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()), X509_EXTENSION_free);
  require(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1);
}

}  // namespace

TlsContext load_tls(const std::filesystem::path& certificate,
                    const std::filesystem::path& private_key) {
  if (certificate.empty() || private_key.empty()) {
    throw Error(ErrorCode::kUsage,
                "TLS needs two files, a certificate and its private key; only one is given");
  }
  TlsContext context = make_context();
  if (SSL_CTX_use_certificate_chain_file(context.get(), certificate.c_str()) != 1) {
    refuse_file("certificate", certificate);
  }
  if (SSL_CTX_use_PrivateKey_file(context.get(), private_key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context.get()) != 1) {
    refuse_file("private key", private_key);
  }
  return context;
}

TlsContext make_self_signed_tls(const std::string& host) {
  TlsContext context = make_context();
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> owner(X509_new(), X509_free);
  X509* certificate = owner.get();
  require(key != nullptr && certificate != nullptr);
  require(X509_set_version(certificate, X509_VERSION_3) == 1);
  const std::unique_ptr<BIGNUM, decltype(&BN_free)> serial(BN_new(), BN_free);
  require(serial != nullptr &&
          BN_rand(serial.get(), 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1);
  require(BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(certificate)) != nullptr);
  // An hour back: clocks of clients may be behind.
  require(X509_gmtime_adj(X509_getm_notBefore(certificate), -3600) != nullptr);
  require(X509_gmtime_adj(X509_getm_notAfter(certificate), kValidSeconds) != nullptr);
  require(X509_set_pubkey(certificate, key.get()) == 1);
  X509_NAME* name = X509_get_subject_name(certificate);
  const unsigned char common_name[] = "nolens";
  require(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, common_name, -1, -1, 0) == 1);
  require(X509_set_issuer_name(certificate, name) == 1);
  add_extension(certificate, NID_subject_alt_name, alternative_names(host));
  add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE");
  add_extension(certificate, NID_ext_key_usage, "serverAuth");
  require(X509_sign(certificate, key.get(), EVP_sha256()) > 0);
  require(SSL_CTX_use_certificate(context.get(), certificate) == 1);
  require(SSL_CTX_use_PrivateKey(context.get(), key.get()) == 1);
  return context;
}

std::string fingerprint(const TlsContext& context) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  require(X509_digest(SSL_CTX_get0_certificate(context.get()), EVP_sha256(), digest.data(),
                      &size) == 1);
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    text += i == 0 ? "" : ":";
    text += kHex[digest[i] >> 4];
    text += kHex[digest[i] & 15];
  }
  return text;
}

}  // namespace nolens::serve
