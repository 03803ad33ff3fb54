# The tests of kit::bench, which need neither Python nor torch, and of what it measures through the executable.

kit_add_tests(
  kit_bench_tests
  test_c_call.cpp
  test_comparison.cpp
  test_groups.cpp
  test_interval.cpp
  test_predictor_bench.cpp
  test_series.cpp
  test_throughput.cpp
  test_workload.cpp
)
target_link_libraries(kit_bench_tests PRIVATE kit::bench)
target_compile_definitions(kit_bench_tests PRIVATE KIT_TEST_NATIVE_PROGRAM="$<TARGET_FILE:kit_test_program>")
add_dependencies(kit_bench_tests kit_test_program predictor)
kit_discover_tests(kit_bench_tests)

if(TARGET kit_bench_torch AND TARGET kit_test_archives)
  kit_add_tests(kit_bare_tests test_bare_module.cpp)
  target_link_libraries(kit_bare_tests PRIVATE kit_bench_torch)
  kit_discover_tests(kit_bare_tests)
endif()
