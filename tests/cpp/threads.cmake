# What concerns threads, forks and what is left behind. The first part needs neither Python nor torch, and so runs
# under the sanitizers.

kit_add_tests(
  kit_threads_tests
  "${PROJECT_SOURCE_DIR}/cpp/src/program/prepared.cpp"
  test_fork.cpp
  test_prepared.cpp
  test_threads.cpp
)
target_link_libraries(kit_threads_tests PRIVATE kit_endurance)
target_compile_definitions(
  kit_threads_tests
  PRIVATE KIT_TEST_NATIVE_PROGRAM="$<TARGET_FILE:kit_test_program>"
)
add_dependencies(kit_threads_tests kit_test_program)
kit_discover_tests(kit_threads_tests PROPERTIES LABELS threads)

if(TARGET kit_test_archives)
  kit_add_tests(kit_engine_threads_tests test_threads_of_engines.cpp)
  target_link_libraries(kit_engine_threads_tests PRIVATE kit_endurance)
  add_dependencies(kit_engine_threads_tests kit_torch kit_test_archives)
  kit_discover_tests(kit_engine_threads_tests PROPERTIES LABELS threads)
endif()
