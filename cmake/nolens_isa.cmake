# Kernels for one instruction set: the only place where -m flags may appear.
#
#   nolens_add_isa_kernels(avx2 "-mavx2;-mfma;-mf16c" cpu/avx2/table.cpp)
#
# The objects become part of nolens_kernels. They may not contain weak symbols: the linker keeps one
# copy of an inline function for the whole program, and it might keep one that needs this instruction
# set (tools/check_isa_symbols.sh).
function(nolens_add_isa_kernels isa flags)
  set(target nolens_kernels_${isa})
  add_library(${target} OBJECT ${ARGN})
  # Full unrolling of register tiles needs -O3 also where the build type says -O2. Under sanitizers
  # GCC needs minutes for the unrolled tiles beyond -O1. The uninitialized warnings of GCC 12 are
  # about its own _mm512_undefined_ps (GCC bug 105593).
  set(level -O3)
  if(CMAKE_CXX_FLAGS MATCHES "-fsanitize")
    set(level -O1)
  endif()
  target_compile_options(${target} PRIVATE ${flags} -fno-exceptions -fno-rtti
    $<$<NOT:$<CONFIG:Debug>>:${level}>
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized -Wno-uninitialized>)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(${target} PRIVATE nolens_warnings)
  target_sources(nolens_kernels PRIVATE $<TARGET_OBJECTS:${target}>)
  if(NOLENS_BUILD_TESTS AND CMAKE_NM)
    add_test(NAME isa_symbols_${isa}
      COMMAND ${PROJECT_SOURCE_DIR}/tools/check_isa_symbols.sh ${CMAKE_NM} $<TARGET_OBJECTS:${target}>
      COMMAND_EXPAND_LISTS)
  endif()
endfunction()
