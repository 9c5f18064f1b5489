// Ctrl-C, SIGTERM and the like.
#pragma once

namespace nolens::cli {

/// What a second signal does while the first one is being obeyed.
enum class SecondSignal { kExit, kIgnore };

/// Catches SIGINT and SIGTERM: the handler only notes them. SIGPIPE is ignored. SIGBUS, which a mapped
/// file causes that someone cuts, ends the program with a sentence and exit code 3.
void catch_signals(SecondSignal second = SecondSignal::kExit);

/// The signal that arrived, 0 if none.
[[nodiscard]] int caught_signal() noexcept;
void forget_signal() noexcept;

/// \throws Error{kInterrupted} if a signal arrived.
void check_signal();

}  // namespace nolens::cli
