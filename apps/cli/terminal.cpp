#include "terminal.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <system_error>
#include <unistd.h>

#include <sys/ioctl.h>

#include "nolens/error.h"

namespace nolens::cli {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

/// False with errno set if not everything could be written.
bool write_all(int descriptor, std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written <= 0) {
      return false;
    }
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

bool stdin_is_terminal() noexcept {
  return isatty(STDIN_FILENO) == 1;
}
bool stdout_is_terminal() noexcept {
  return isatty(STDOUT_FILENO) == 1;
}
bool stderr_is_terminal() noexcept {
  return isatty(STDERR_FILENO) == 1;
}

bool stderr_has_colour() {
  const std::string terminal = environment("TERM");
  return stderr_is_terminal() && environment("NO_COLOR").empty() && !terminal.empty() &&
         terminal != "dumb";
}

bool stderr_has_true_colour() {
  const std::string colours = environment("COLORTERM");
  return stderr_has_colour() && (colours == "truecolor" || colours == "24bit");
}

int terminal_width() noexcept {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    return size.ws_col;
  }
  return 80;
}

std::string harmless(std::string_view text) {
  constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool is_c0 = (byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7F;
    // U+0080 … U+009F, which some terminals obey like escape sequences.
    const bool is_c1 = byte == 0xC2 && i + 1 < text.size() &&
                       static_cast<unsigned char>(text[i + 1]) >= 0x80 &&
                       static_cast<unsigned char>(text[i + 1]) < 0xA0;
    if (is_c0 || is_c1) {
      result += kReplacement;
      i += is_c1 ? 1 : 0;
    } else {
      result += text[i];
    }
  }
  return result;
}

std::string with_decimals(double value, int decimals) {
  std::array<char, 64> text{};
  const auto result = std::to_chars(text.data(), text.data() + text.size(), value,
                                    std::chars_format::fixed, decimals);
  return result.ec == std::errc() ? std::string(text.data(), result.ptr) : "?";
}

void print(std::string_view text) {
  const bool written = stdout_is_terminal() ? write_all(STDOUT_FILENO, harmless(text))
                                            : write_all(STDOUT_FILENO, text);
  if (written) {
    return;
  }
  if (errno == EPIPE) {
    throw OutputClosed{};
  }
  throw Error(ErrorCode::kResource,
              "standard output cannot be written: " + std::generic_category().message(errno));
}

void print_error(std::string_view text) {
  static_cast<void>(stderr_is_terminal() ? write_all(STDERR_FILENO, harmless(text))
                                         : write_all(STDERR_FILENO, text));
}

void print_dim(std::string_view text) {
  if (!stderr_has_colour()) {
    print_error(text);
    return;
  }
  static_cast<void>(write_all(STDERR_FILENO, "\x1b[2m" + harmless(text) + "\x1b[22m"));
}

}  // namespace nolens::cli
