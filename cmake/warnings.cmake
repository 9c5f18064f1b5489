# Warnings are errors for everything of ours; link nolens_warnings privately.
add_library(nolens_warnings INTERFACE)
target_compile_options(nolens_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wold-style-cast -Wnon-virtual-dtor
  -Woverloaded-virtual)
# GCC 12 reports a wrong overlap in std::string's operator+ (GCC bug 105651).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(nolens_warnings INTERFACE -Wno-restrict)
endif()
if(NOLENS_WERROR)
  target_compile_options(nolens_warnings INTERFACE -Werror)
endif()
