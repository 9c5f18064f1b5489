// Typed access to the fields of a messages document, with errors that name the field.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "formats/json.h"

namespace nolens {

/// The string under `key`, nullptr if the key is missing or null. `where` names the object.
/// \throws Error{kInput} if it is no string.
const std::string* optional_string(const Json& object, std::string_view key,
                                   const std::string& where);

/// The string under `key`. \throws Error{kInput} if it is missing or no string.
const std::string& required_string(const Json& object, std::string_view key,
                                   const std::string& where);

/// Refuses keys that would be ignored. `type` and `cache_control` (a hint of other services without
/// effect on the answer) are always allowed. \throws Error{kInput}
void refuse_unknown_keys(const Json& object, std::initializer_list<std::string_view> known,
                         const std::string& where);

}  // namespace nolens
