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

# A compiler that has no libstdc++.so beside it takes libstdc++.a without a word. Each library then has a C++ runtime
# of its own, and what one makes crashes in another: libtorch has the shared one.
function(kit_share_runtime)
  if(NOT DEFINED KIT_RUNTIME)
    kit_find_runtime()
  endif()
  target_link_libraries(kit_compile INTERFACE ${KIT_RUNTIME})
endfunction()

# Sets KIT_RUNTIME, once for a build tree, to what must be linked so that a program needs the shared runtime.
function(kit_find_runtime)
  set(program "${CMAKE_BINARY_DIR}/CMakeFiles/kit_runtime")
  foreach(library "" "-l:libstdc++.so.6")
    try_compile(
      linked
      SOURCE_FROM_CONTENT main.cpp "#include <iostream>\nint main() { std::cout << std::cout.good(); }\n"
      LINK_LIBRARIES ${library}
      COPY_FILE "${program}"
      NO_CACHE
    )
    set(needed)
    if(linked)
      file(STRINGS "${program}" needed REGEX "^libstdc\\+\\+\\.so\\.6$")
    endif()
    if(needed)
      set(KIT_RUNTIME "${library}" CACHE INTERNAL "What links the shared C++ runtime")
      if(library)
        message(
          STATUS
          "${CMAKE_CXX_COMPILER} links libstdc++.a by itself: linking the shared one of the system"
        )
      endif()
      return()
    endif()
  endforeach()
  message(
    FATAL_ERROR
    "${CMAKE_CXX_COMPILER} does not link the shared C++ runtime, libstdc++.so.6, which libtorch has; install the "
    "packages of g++ and libstdc++ anew, or name another compiler with -DCMAKE_CXX_COMPILER"
  )
endfunction()
