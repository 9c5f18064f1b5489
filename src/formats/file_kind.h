// What people hand over in place of a weights file.
#pragma once

#include <string_view>

namespace nolens {

/// Recognises pickles, Git LFS pointers and web pages by their first bytes.
/// \param head  the first 16 bytes, or fewer
/// \return what it is and what to do, "" if nothing is recognised
[[nodiscard]] std::string_view known_impostor(std::string_view head) noexcept;

}  // namespace nolens
