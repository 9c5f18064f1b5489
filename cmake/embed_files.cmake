# Files as data of a program. Run as a script:
#   cmake -DOUT=page_files.cpp -DFOLDER=page -DFILES="a.html;b.js" -P embed_files.cmake
set(table "")
set(data "")
set(number 0)
foreach(name IN LISTS FILES)
  file(READ ${FOLDER}/${name} hex HEX)
  string(LENGTH "${hex}" digits)
  math(EXPR bytes "${digits} / 2")
  string(SHA256 hash "${hex}")
  string(SUBSTRING ${hash} 0 32 hash)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
  string(APPEND data "constexpr unsigned char kFile${number}[] = {${hex}0};\n")
  string(APPEND table "    {\"${name}\", kFile${number}, ${bytes}, \"${hash}\"},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(WRITE ${OUT} "// Made from the files of the page by cmake/embed_files.cmake.
#include \"serve/page_files.h\"

namespace nolens::serve {
namespace {
${data}
constexpr PageFile kFiles[] = {
${table}};
}  // namespace

std::span<const PageFile> page_files() { return kFiles; }

}  // namespace nolens::serve
")
