// Where the library's warnings go.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace nolens {

enum class LogLevel : std::uint8_t { kWarning, kInfo, kDebug };

/// Receives one line per event, without a newline. Called on the thread that had the event.
using LogSink = std::function<void(LogLevel, std::string_view)>;

/// 0…1 while a long step runs; called on the caller's thread. May be empty.
using ProgressSink = std::function<void(double fraction)>;

}  // namespace nolens
