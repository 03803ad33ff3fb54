# Finds out what links the shared C++ runtime, for kit's own build and for projects that use kit::torch.
#
# A compiler that has no libstdc++.so beside it takes libstdc++.a without a word. Each library then has a C++ runtime
# of its own, and what one makes crashes in another: libtorch has the shared one.

# Sets KIT_RUNTIME, once for a build tree, to what must be linked so that a program needs the shared runtime.
function(kit_find_runtime)
  if(DEFINED KIT_RUNTIME)
    return()
  endif()
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
