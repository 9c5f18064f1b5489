// What the terminal can do, and text on its way there.
#pragma once

#include <string>
#include <string_view>

namespace nolens::cli {

/// Thrown when whoever reads stdout has gone; the program then ends quietly.
struct OutputClosed {};

[[nodiscard]] bool stdin_is_terminal() noexcept;
[[nodiscard]] bool stdout_is_terminal() noexcept;
[[nodiscard]] bool stderr_is_terminal() noexcept;

/// stderr is a terminal with colours and NO_COLOR is not set.
[[nodiscard]] bool stderr_has_colour();
/// … and COLORTERM promises 24-bit colours.
[[nodiscard]] bool stderr_has_true_colour();

/// Columns of the terminal, 80 if unknown.
[[nodiscard]] int terminal_width() noexcept;

/// Text without control characters other than tab and line break, so that neither a model nor a
/// file can steer the terminal. Each of them becomes U+FFFD.
[[nodiscard]] std::string harmless(std::string_view text);

/// 1.50 for (1.5, 2), whatever the locale.
[[nodiscard]] std::string with_decimals(double value, int decimals);

/// Writes to stdout at once; harmless() if it is a terminal.
/// \throws OutputClosed, Error{kResource} when the disk is full.
void print(std::string_view text);

/// Writes to stderr; harmless() if it is a terminal. Failures are ignored.
void print_error(std::string_view text);

/// As print_error(), dimmed where there are colours.
void print_dim(std::string_view text);

}  // namespace nolens::cli
