# Finds the torch that libtorch programs run in, and makes the imported target kit::libtorch of it.
#
# Not torch's own package config, because that asks for the CUDA toolkit wherever libtorch was built with CUDA: kit
# needs no CUDA header and no CUDA library to build.
#
# Looked at in this order: KIT_TORCH_ROOT (a folder with include/ and lib/, such as an unpacked libtorch or
# site-packages/torch), the torch package of Python_EXECUTABLE or of python3, CMAKE_PREFIX_PATH.
#
# Sets KIT_TORCH_ROOT, KIT_TORCH_VERSION; or KIT_TORCH_NOT_FOUND, which says what is missing.

function(kit_read_torch_version root result)
  set(${result} "" PARENT_SCOPE)
  foreach(header IN ITEMS include/torch/headeronly/version.h include/torch/csrc/api/include/torch/version.h)
    if(NOT EXISTS "${root}/${header}")
      continue()
    endif()
    set(version "")
    foreach(part IN ITEMS MAJOR MINOR PATCH)
      file(STRINGS "${root}/${header}" line REGEX "^#define TORCH_VERSION_${part} +[0-9]+")
      if(line MATCHES "([0-9]+)$")
        list(APPEND version "${CMAKE_MATCH_1}")
      endif()
    endforeach()
    list(LENGTH version parts)
    if(parts EQUAL 3)
      list(JOIN version "." version)
      set(${result} "${version}" PARENT_SCOPE)
      return()
    endif()
  endforeach()
endfunction()

macro(kit_find_torch)
  set(
    KIT_TORCH_ROOT
    "${KIT_TORCH_ROOT}"
    CACHE PATH
    "Folder of torch, with include/ and lib/; found through Python if empty"
  )
  set(KIT_TORCH_VERSION "")
  set(KIT_TORCH_NOT_FOUND "")

  if(NOT KIT_TORCH_ROOT)
    if(Python_EXECUTABLE)
      set(_kit_python "${Python_EXECUTABLE}")
    else()
      find_program(_kit_python NAMES python3 python NO_CACHE)
    endif()
    if(_kit_python)
      execute_process(
        COMMAND
          "${_kit_python}" -c
          "import importlib.util as u; s = u.find_spec('torch'); print(s.submodule_search_locations[0] if s else '')"
        OUTPUT_VARIABLE _kit_torch_root
        OUTPUT_STRIP_TRAILING_WHITESPACE
        ERROR_QUIET
      )
    endif()
    if(NOT _kit_torch_root)
      find_path(
        _kit_torch_root
        NAMES include/torch/headeronly/version.h include/torch/csrc/api/include/torch/version.h NO_CACHE
      )
    endif()
    if(_kit_torch_root)
      set_property(CACHE KIT_TORCH_ROOT PROPERTY VALUE "${_kit_torch_root}")
    endif()
  endif()

  if(KIT_TORCH_ROOT)
    kit_read_torch_version("${KIT_TORCH_ROOT}" KIT_TORCH_VERSION)
  endif()
  if(NOT KIT_TORCH_VERSION OR NOT EXISTS "${KIT_TORCH_ROOT}/lib/libtorch_cpu.so")
    set(KIT_TORCH_VERSION "")
    set(
      KIT_TORCH_NOT_FOUND
      "kit: no torch in '${KIT_TORCH_ROOT}'; pip install torch, or give -DKIT_TORCH_ROOT=<folder with include/ and lib/>"
    )
  elseif(NOT TARGET kit::libtorch)
    add_library(kit::libtorch INTERFACE IMPORTED)
    set_target_properties(
      kit::libtorch
      PROPERTIES
        INTERFACE_INCLUDE_DIRECTORIES
          "${KIT_TORCH_ROOT}/include;${KIT_TORCH_ROOT}/include/torch/csrc/api/include"
        INTERFACE_LINK_LIBRARIES "${KIT_TORCH_ROOT}/lib/libtorch_cpu.so;${KIT_TORCH_ROOT}/lib/libc10.so"
        # A CUDA libtorch needs libraries that are there when it runs, not when something is linked against it.
        INTERFACE_LINK_OPTIONS "-Wl,--allow-shlib-undefined"
    )
  endif()
endmacro()
