// Certificates and keys of the server.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

struct ssl_ctx_st;  // OpenSSL's SSL_CTX

namespace nolens::serve {

using TlsContext = std::shared_ptr<ssl_ctx_st>;

/// TLS 1.2 and newer, HTTP/1.1 only. Never asks for a password.
/// \throws Error{kUsage} if a file cannot be read or key and certificate do not fit
[[nodiscard]] TlsContext load_tls(const std::filesystem::path& certificate,
                                  const std::filesystem::path& private_key);

/// A fresh key and a certificate for this machine's names and addresses and for `host`, valid for a
/// year or until the process ends. Nothing is written. \throws Error{kInternal}
[[nodiscard]] TlsContext make_self_signed_tls(const std::string& host);

/// SHA-256 of the certificate as colon-separated hexadecimal pairs, to compare with what a client
/// shows.
[[nodiscard]] std::string fingerprint(const TlsContext& context);

}  // namespace nolens::serve
