# Usage requirements that every target of kit's own has, and no consumer inherits.

add_library(kit_compile INTERFACE)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # At -O3, GCC 12 sees an overlap in every `"text" + string`: https://gcc.gnu.org/bugzilla/show_bug.cgi?id=105651
  target_compile_options(kit_compile INTERFACE -Wno-restrict)
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
