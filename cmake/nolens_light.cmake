# nolens_light(TARGET): tests and the command line spend their time in the libraries they call and a
# compiler's in their templates; so they are compiled with less effort. Debug builds have none anyway.
function(nolens_light target)
  target_compile_options(${target} PRIVATE
    $<$<CONFIG:Release>:-O1> $<$<CONFIG:RelWithDebInfo>:-O0>)
endfunction()
