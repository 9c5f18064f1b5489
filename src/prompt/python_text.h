// Text as Python sees it: what the template's `trim`, `upper` and `dictsort` do to a string.
#pragma once

#include <string>
#include <string_view>

namespace nolens {

/// Python's str.strip(): drops Unicode white space (str.isspace(), so also U+0085, U+00A0, U+3000
/// and the ASCII separators 0x1C…0x1F) at both ends. Bytes that are no UTF-8 count as letters.
/// The result points into `text`.
std::string_view python_strip(std::string_view text) noexcept;

/// Python's str.lower() for Latin, Greek, Cyrillic and Armenian letters; other text is unchanged.
/// Only used to sort keys.
std::string lower_for_sorting(std::string_view text);

/// str.upper() for ASCII letters; other text is unchanged. Type names of JSON schemas are ASCII.
std::string upper_ascii(std::string_view text);

/// str.lower() for ASCII letters; other text is unchanged.
std::string lower_ascii(std::string_view text);

}  // namespace nolens
