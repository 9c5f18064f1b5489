# One library per folder of src/, named nolens_<folder>.
#
#   nolens_add_module(text SOURCES a.cpp b.cpp DEPENDS core formats LIBRARIES simdjson::simdjson)
#
# DEPENDS are modules of this project (ARCHITECTURE.md, "Who may include whom"); LIBRARIES are third
# parties and stay private. A module without sources is header-only.
function(nolens_add_module name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;LIBRARIES" ${ARGN})
  set(target nolens_${name})
  list(TRANSFORM ARG_DEPENDS PREPEND nolens_)
  if(ARG_SOURCES)
    add_library(${target} STATIC ${ARG_SOURCES})
    target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
    target_link_libraries(${target} PUBLIC ${ARG_DEPENDS} PRIVATE nolens_warnings ${ARG_LIBRARIES})
  else()
    add_library(${target} INTERFACE)
    target_include_directories(${target} INTERFACE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
    target_link_libraries(${target} INTERFACE ${ARG_DEPENDS})
  endif()
endfunction()

# nolens_add_tests(text SOURCES a_test.cpp DEPENDS text LABELS slow)
# makes the program <name>_tests from GoogleTest files and registers it with CTest.
# Tests find their data through the macro NOLENS_SOURCE_DIR.
function(nolens_add_tests name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;LIBRARIES;LABELS" ${ARGN})
  if(NOT NOLENS_BUILD_TESTS)
    return()
  endif()
  set(target ${name}_tests)
  list(TRANSFORM ARG_DEPENDS PREPEND nolens_)
  add_executable(${target} ${ARG_SOURCES})
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_compile_definitions(${target} PRIVATE NOLENS_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  target_link_libraries(${target} PRIVATE ${ARG_DEPENDS} ${ARG_LIBRARIES} nolens_warnings
                                          GTest::gtest_main GTest::gmock)
  nolens_light(${target})
  add_test(NAME ${name} COMMAND ${target})
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT 600)
endfunction()
