// Who has a port.
#pragma once

#include <cstdint>
#include <string>

namespace nolens::serve {

/// \return "NAME (process 123)" of a program that listens on `port`; "" if that cannot be seen, as
/// with
///         programs of other users
[[nodiscard]] std::string holder_of_port(std::uint16_t port);

}  // namespace nolens::serve
