# The tests of kit::io, which need neither Python nor torch, and of the executable.

kit_add_tests(
  kit_io_tests
  test_batching.cpp
  test_csv.cpp
  test_format.cpp
  test_input.cpp
  test_jsonl.cpp
  test_lines.cpp
  test_npy.cpp
  test_number.cpp
  test_output.cpp
  test_prefetch.cpp
  test_safetensors_io.cpp
)
target_link_libraries(kit_io_tests PRIVATE kit::io)
kit_discover_tests(kit_io_tests)

if(TARGET kit_test_archives)
  kit_add_tests(kit_predictor_tests test_predictor.cpp)
  add_dependencies(kit_predictor_tests predictor kit_test_archives)
  kit_discover_tests(kit_predictor_tests)
endif()
