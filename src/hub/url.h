// The few operations on addresses that a client with a secret must not get wrong.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace nolens::hub {

/// An http or https address without user name. Everything that two parsers could read differently
/// (user names, backslashes, blanks, bytes above ASCII) is refused instead of interpreted.
struct Url {
  std::string scheme;  ///< "http" or "https"
  std::string host;    ///< lower case; IPv6 with its brackets
  int port = 0;        ///< 80 or 443 if not written
  std::string target;  ///< path and query, begins with '/'; no fragment

  [[nodiscard]] std::string text() const;
  [[nodiscard]] bool same_origin(const Url& other) const {
    return scheme == other.scheme && host == other.host && port == other.port;
  }
  /// localhost, 127.x.x.x or [::1]
  [[nodiscard]] bool is_loopback() const;
};

[[nodiscard]] std::optional<Url> parse_url(std::string_view text);

/// The address a Location or Link header found at `base` means.
[[nodiscard]] std::optional<Url> resolve_reference(const Url& base, std::string_view reference);

/// As Python's urllib.parse.quote: letters, digits and _.-~ stay, and '/' with `keep_slash`.
[[nodiscard]] std::string percent_encode(std::string_view text, bool keep_slash);

}  // namespace nolens::hub
