# Code for one instruction set: the only place where -m flags may appear.
#
#   nolens_add_isa_kernels(avx2 "-mavx2;-mfma;-mf16c" cpu/avx2/table.cpp)
#   nolens_add_isa_sources(preprocess avx2 "-mavx2" resize_passes_avx2.cpp)
#
# The objects become part of nolens_kernels, or of the module named. They may not contain weak symbols: the linker keeps one
# copy of an inline function for the whole program, and it might keep one that needs this instruction
# set (tools/check_isa_symbols.sh).
function(nolens_add_isa_kernels isa flags)
  nolens_add_isa_sources(kernels ${isa} "${flags}" ${ARGN})
endfunction()

function(nolens_add_isa_sources module isa flags)
  set(target nolens_${module}_${isa})
  add_library(${target} OBJECT ${ARGN})
  # Full unrolling of register tiles needs -O3 also where the build type says -O2; with sanitizers the
  # unrolled code takes minutes to compile, so there it stays small.
  if(CMAKE_CXX_FLAGS MATCHES "-fsanitize")
    set(optimize -O1)
  else()
    set(optimize $<$<NOT:$<CONFIG:Debug>>:-O3>)
  endif()
  # GCC's variable tracking takes most of the time with -g. Its uninitialized warnings (GCC 12) are about
  # its own _mm512_undefined_ps (GCC bug 105593).
  target_compile_options(${target} PRIVATE ${flags} -fno-exceptions -fno-rtti ${optimize}
    $<$<CXX_COMPILER_ID:GNU>:-fno-var-tracking -Wno-maybe-uninitialized -Wno-uninitialized>)
  string(TOUPPER ${isa} upper)
  target_compile_definitions(${target} PRIVATE NOLENS_ISA=${isa} NOLENS_ISA_${upper})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(${target} PRIVATE nolens_warnings)
  target_sources(nolens_${module} PRIVATE $<TARGET_OBJECTS:${target}>)
  if(NOLENS_BUILD_TESTS AND CMAKE_NM)
    add_test(NAME isa_symbols_${module}_${isa}
      COMMAND ${PROJECT_SOURCE_DIR}/tools/check_isa_symbols.sh ${CMAKE_NM} $<TARGET_OBJECTS:${target}>
      COMMAND_EXPAND_LISTS)
  endif()
endfunction()
