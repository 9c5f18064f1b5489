// Base64 as media arrive in messages.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace nolens {

/// Decodes RFC 4648 base64, strictly: the standard alphabet (not the URL-safe one), padded to a
/// multiple of four, no white space, no line breaks, unused bits zero. Either everything is decoded
/// or nothing. The result is three quarters of the input's size. \throws Error{kInput} naming
/// `name`, what is wrong and at which character (counted from 1).
std::vector<std::byte> decode_base64(std::string_view text, const std::string& name);

/// Decodes `data:KIND/…;base64,…`, KIND being "image", "audio" or "video". Which type of that kind it says
/// does not matter, the bytes decide. \throws Error{kInput} naming `name`.
std::vector<std::byte> decode_data_url(std::string_view url, std::string_view kind,
                                       const std::string& name);

}  // namespace nolens
