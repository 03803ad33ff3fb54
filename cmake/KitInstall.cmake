# Where things are installed: in a prefix of the usual form, or inside the Python package when pip builds a wheel.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

if(SKBUILD)
  set(KIT_LIB_DIR kit/lib)
  set(KIT_INCLUDE_DIR kit/include)
  set(KIT_BIN_DIR "${SKBUILD_SCRIPTS_DIR}")
else()
  set(KIT_LIB_DIR "${CMAKE_INSTALL_LIBDIR}")
  set(KIT_INCLUDE_DIR "${CMAKE_INSTALL_INCLUDEDIR}")
  set(KIT_BIN_DIR "${CMAKE_INSTALL_BINDIR}")
endif()
set(KIT_CONFIG_DIR "${KIT_LIB_DIR}/cmake/kit")

# Makes the name kit::<name> for a library, installs it, and tells where its own libraries are at run time.
function(kit_install_library target name)
  add_library(kit::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name} INSTALL_RPATH "$ORIGIN;${ARGN}")
  install(TARGETS ${target} EXPORT kit LIBRARY DESTINATION "${KIT_LIB_DIR}")
endfunction()

# The search path from the folder of executables to that of libraries. In a wheel it depends on how pip lays the
# two out: a virtual environment or --user, Debian's own /usr/local, --target.
function(kit_install_executable target)
  if(SKBUILD)
    set(python "python${Python_VERSION_MAJOR}.${Python_VERSION_MINOR}")
    set(
      rpath
      "$ORIGIN/../lib/${python}/site-packages/${KIT_LIB_DIR}"
      "$ORIGIN/../lib/${python}/dist-packages/${KIT_LIB_DIR}"
      "$ORIGIN/../${KIT_LIB_DIR}"
    )
  else()
    file(RELATIVE_PATH up "/${KIT_BIN_DIR}" "/${KIT_LIB_DIR}")
    set(rpath "$ORIGIN/${up}")
  endif()
  set_target_properties(${target} PROPERTIES INSTALL_RPATH "${rpath}")
  install(TARGETS ${target} RUNTIME DESTINATION "${KIT_BIN_DIR}")
endfunction()

# The package config, for the install tree and for the build tree.
function(kit_install_package)
  install(DIRECTORY cpp/include/kit DESTINATION "${KIT_INCLUDE_DIR}" FILES_MATCHING PATTERN "*.h")
  install(FILES "${CMAKE_BINARY_DIR}/include/kit/version.h" DESTINATION "${KIT_INCLUDE_DIR}/kit")
  if(SKBUILD)
    # What the exporter compiles into native programs: python/kit/programs/compiler.py looks for it there.
    install(DIRECTORY cpp/src/program DESTINATION kit FILES_MATCHING PATTERN "*.h" PATTERN "*.cpp")
  endif()

  configure_package_config_file(
    cmake/kitConfig.cmake.in
    "${CMAKE_BINARY_DIR}/kitConfig.cmake"
    INSTALL_DESTINATION "${KIT_CONFIG_DIR}"
    NO_SET_AND_CHECK_MACRO
    NO_CHECK_REQUIRED_COMPONENTS_MACRO
  )
  write_basic_package_version_file(
    "${CMAKE_BINARY_DIR}/kitConfigVersion.cmake"
    COMPATIBILITY SameMinorVersion
  )
  foreach(module IN ITEMS KitFindRuntime KitFindTorch)
    configure_file(cmake/${module}.cmake "${CMAKE_BINARY_DIR}/${module}.cmake" COPYONLY)
  endforeach()
  install(
    FILES
      "${CMAKE_BINARY_DIR}/kitConfig.cmake"
      "${CMAKE_BINARY_DIR}/kitConfigVersion.cmake"
      cmake/KitFindRuntime.cmake
      cmake/KitFindTorch.cmake
    DESTINATION "${KIT_CONFIG_DIR}"
  )
  install(EXPORT kit NAMESPACE kit:: FILE kitTargets.cmake DESTINATION "${KIT_CONFIG_DIR}")
  export(EXPORT kit NAMESPACE kit:: FILE "${CMAKE_BINARY_DIR}/kitTargets.cmake")
endfunction()
