#include "bind.h"

PYBIND11_MODULE(_native, module) {
  module.doc() = "kit's C++ library.";
  module.attr("torch_version") = KIT_TORCH_VERSION;
  kit::bind_errors(module);
  kit::bind_compare(module);
  kit::bind_archive(module);
  kit::bind_model(module);
  kit::bind_call(module);
  kit::bind_fusion(module);
  kit::bind_graph(module);
  kit::bind_bisect(module);
  kit::bind_programs(module);
  kit::bind_bench(module);
  kit::bind_stack_notes(module);
}
