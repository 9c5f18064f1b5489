// The files of the web page and the description of the API, which are part of the program.
#pragma once

#include <cstddef>
#include <span>

namespace nolens::serve {

struct PageFile {
  const char* name;           ///< "page/index.html"
  const unsigned char* data;
  std::size_t size;           ///< bytes
  const char* hash;           ///< of the content, hexadecimal
};

std::span<const PageFile> page_files();

}  // namespace nolens::serve
