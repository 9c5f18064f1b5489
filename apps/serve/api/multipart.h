// Forms with files: multipart/form-data (RFC 7578).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace nolens::serve {

struct FormPart {
  std::string name;
  std::string_view data;  ///< part of the body
};

/// The parts of a body of the given content type, in order. File names are not kept: nothing here is a path.
/// \throws HttpError 400 if the body is no such form or has more than 64 parts, 415 for another content type
std::vector<FormPart> parse_form(std::string_view content_type, std::string_view body);

}  // namespace nolens::serve
