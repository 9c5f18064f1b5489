// Names for requests.
#pragma once

#include <string>

namespace nolens::serve {

/// "req_" and 24 random hexadecimal digits. What clients send as an id is not used: it ends up in
/// logs.
[[nodiscard]] std::string make_request_id();

}  // namespace nolens::serve
