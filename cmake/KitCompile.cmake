# Usage requirements that every target of kit's own has, and no consumer inherits.

add_library(kit_compile INTERFACE)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  if(CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    # At -O3, GCC 12 sees an overlap in every `"text" + string`: https://gcc.gnu.org/bugzilla/show_bug.cgi?id=105651
    target_compile_options(kit_compile INTERFACE -Wno-restrict)
  else()
    # From 13 on, GCC takes what a function gives a reference to for its argument, which may be a temporary string:
    # https://gcc.gnu.org/onlinedocs/gcc-14.2.0/gcc/C_002b_002b-Dialect-Options.html
    target_compile_options(kit_compile INTERFACE -Wno-dangling-reference)
  endif()
endif()
target_compile_options(
  kit_compile
  INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor $<$<BOOL:${KIT_WARNINGS_AS_ERRORS}>:-Werror>
)
if(KIT_SANITIZE)
  target_compile_options(
    kit_compile
    INTERFACE "-fsanitize=${KIT_SANITIZE}" -fno-sanitize-recover=all -fno-omit-frame-pointer
  )
  target_link_options(kit_compile INTERFACE "-fsanitize=${KIT_SANITIZE}")
endif()

# Lets KIT_UNITY compile a target as one file: most of the time goes into headers that all its files include.
function(kit_unity target)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${KIT_UNITY} UNITY_BUILD_BATCH_SIZE 0)
endfunction()

# Lets what is linked in this project share libtorch's C++ runtime.
function(kit_share_runtime)
  kit_find_runtime()
  target_link_libraries(kit_compile INTERFACE ${KIT_RUNTIME})
endfunction()
