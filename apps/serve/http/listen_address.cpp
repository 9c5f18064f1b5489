#include "serve/http/listen_address.h"

#include <cerrno>
#include <cstring>
#include <memory>
#include <netdb.h>

#include <arpa/inet.h>
#include <sys/socket.h>

#include "nolens/error.h"

#include "serve/http/port_holder.h"
#include "serve/http/text.h"

namespace nolens::serve {
namespace {

std::string numeric_address(const sockaddr& address) {
  char text[INET6_ADDRSTRLEN] = {};
  const void* bytes =
      address.sa_family == AF_INET6
          ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in6&>(address).sin6_addr)
          : &reinterpret_cast<const sockaddr_in&>(address).sin_addr;
  return inet_ntop(address.sa_family, bytes, text, sizeof(text)) != nullptr ? text : "";
}

}  // namespace

std::string resolve_listen_host(const std::string& host) {
  std::string name = host;
  if (name.size() > 2 && name.front() == '[' && name.back() == ']') {
    name = name.substr(1, name.size() - 2);
  }
  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = name.empty() ? EAI_NONAME : getaddrinfo(name.c_str(), nullptr, &hints, &found);
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, freeaddrinfo);
  std::string address;
  for (const addrinfo* entry = error == 0 ? found : nullptr; entry != nullptr;
       entry = entry->ai_next) {
    if (entry->ai_family == AF_INET || (entry->ai_family == AF_INET6 && address.empty())) {
      address = numeric_address(*entry->ai_addr);
      if (entry->ai_family == AF_INET) {
        break;
      }
    }
  }
  if (address.empty()) {
    throw Error(ErrorCode::kUsage,
                "cannot listen on \"" + escaped(host) + "\": no address of this name (" +
                    (error != 0 ? gai_strerror(error) : "neither IPv4 nor IPv6") +
                    "); expected an address of this machine, such as 127.0.0.1");
  }
  return address;
}

std::string explain_listen_failure(const std::string& address, std::uint16_t port, int error) {
  const std::string prefix = "cannot listen on " + with_port(address, port) + ": ";
  if (error == EADDRINUSE) {
    const std::string holder = holder_of_port(port);
    return prefix + "the port is in use" +
           (holder.empty() ? " by another program" : " by " + holder) +
           "; choose another with --port, or --port 0 for any free one";
  }
  if (error == EACCES) {
    return prefix + "ports below 1024 are for the system; choose a higher one with --port";
  }
  if (error == EADDRNOTAVAIL) {
    return prefix + "this machine has no such address; choose one of its own with --host";
  }
  return prefix + std::strerror(error) + "; choose another address with --host or --port";
}

std::string with_port(const std::string& host, std::uint16_t port) {
  const bool is_bare_ipv6 = host.find(':') != std::string::npos && host.front() != '[';
  return (is_bare_ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

}  // namespace nolens::serve
