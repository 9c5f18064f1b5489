// A body as a form: only HttpError may come out, and parts lie in the body.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "serve/api/multipart.h"
#include "serve/http/http_error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  // The first line is the content type.
  const std::size_t end = input.find('\n');
  const std::string_view type = input.substr(0, end);
  const std::string_view body = end == std::string_view::npos ? std::string_view() : input.substr(end + 1);
  try {
    for (const nolens::serve::FormPart& part : nolens::serve::parse_form(type, body)) {
      const bool inside = part.data.data() >= body.data() && part.data.data() + part.data.size() <= body.data() + body.size();
      if (part.name.empty() || !inside) {
        std::abort();
      }
    }
  } catch (const nolens::serve::HttpError& error) {
    if (error.status < 400 || error.status > 499) {
      std::abort();
    }
  }
  return 0;
}
