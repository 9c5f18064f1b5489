// Where to listen, and why that does not work.
#pragma once

#include <cstdint>
#include <string>

namespace nolens::serve {

/// \param host  an address, with or without brackets, or a name
/// \return a numeric address, of IPv4 if there is a choice
/// \throws Error{kUsage} if there is none
[[nodiscard]] std::string resolve_listen_host(const std::string& host);

/// A sentence for a failed listen(): what is wrong, who likely holds the port, how to choose
/// another. \param error  the error number of the system
[[nodiscard]] std::string explain_listen_failure(const std::string& address, std::uint16_t port,
                                                 int error);

/// "host:port" as URLs have it.
[[nodiscard]] std::string with_port(const std::string& host, std::uint16_t port);

}  // namespace nolens::serve
