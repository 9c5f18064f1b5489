#include "serve/http/request_id.h"

#include <array>
#include <atomic>
#include <cstring>

#include <sys/random.h>

namespace nolens::serve {

std::string make_request_id() {
  constexpr char kHex[] = "0123456789abcdef";
  std::array<unsigned char, 12> bytes{};
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    static std::atomic<std::uint64_t> count = 0;  // unique is enough
    const std::uint64_t number = ++count;
    std::memcpy(bytes.data(), &number, sizeof(number));
  }
  std::string id = "req_";
  for (const unsigned char byte : bytes) {
    id += kHex[byte >> 4];
    id += kHex[byte & 15];
  }
  return id;
}

}  // namespace nolens::serve
