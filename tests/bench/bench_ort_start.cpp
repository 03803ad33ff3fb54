// The smallest program that predicts once with ONNX Runtime through its C API: what the start of `predictor
// run` is compared with. The library has no header in its Python package, so the table of functions is used
// by its places, which never change.
//
// Usage: bench_ort_start LIBRARY MODEL.onnx INPUT OUTPUT ROWS COLUMNS X.bin Y.bin
//
// X.bin has ROWS × COLUMNS float32 values, Y.bin gets as many as the output has, one for each row.

#include <dlfcn.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

constexpr int error_message = 2;
constexpr int create_env = 3;
constexpr int create_session = 7;
constexpr int run = 9;
constexpr int create_options = 10;
constexpr int set_threads = 24;
constexpr int create_tensor = 49;
constexpr int mutable_data = 51;
constexpr int create_memory_info = 69;
constexpr std::uint32_t api_version = 22;

struct ApiBase {
  void* const* (*get_api)(std::uint32_t);
};

void* const* table = nullptr;

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "bench_ort_start: %s\n", what);
  std::exit(1);
}

/// Calls the function of that place; ends the program with its message if it fails.
template <typename... Arguments>
void call(int place, Arguments... arguments) {
  void* status = reinterpret_cast<void* (*)(Arguments...)>(table[place])(arguments...);
  if (status != nullptr) fail(reinterpret_cast<const char* (*)(void*)>(table[error_message])(status));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 9) fail("usage: LIBRARY MODEL.onnx INPUT OUTPUT ROWS COLUMNS X.bin Y.bin");
  void* library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) fail(dlerror());
  const auto get_base = reinterpret_cast<const ApiBase* (*)()>(dlsym(library, "OrtGetApiBase"));
  if (get_base == nullptr) fail("the library has no OrtGetApiBase");
  table = get_base()->get_api(api_version);

  const std::int64_t shape[]{std::atoll(argv[5]), std::atoll(argv[6])};
  std::vector<float> x(static_cast<std::size_t>(shape[0] * shape[1]));
  std::FILE* in = std::fopen(argv[7], "rb");
  if (in == nullptr || std::fread(x.data(), sizeof(float), x.size(), in) != x.size()) fail("cannot read X");
  std::fclose(in);

  void* env = nullptr;
  void* options = nullptr;
  void* session = nullptr;
  void* memory = nullptr;
  void* given = nullptr;
  void* taken = nullptr;
  void* y = nullptr;
  call(create_env, 3, static_cast<const char*>("start"), &env);
  call(create_options, &options);
  call(set_threads, options, 1);
  call(create_session, env, static_cast<const char*>(argv[2]), options, &session);
  call(create_memory_info, 1, 0, &memory);
  call(create_tensor, memory, static_cast<void*>(x.data()), x.size() * sizeof(float), shape, std::size_t{2},
       1, &given);
  const char* const input = argv[3];
  const char* const output = argv[4];
  call(run, session, static_cast<void*>(nullptr), &input, &given, std::size_t{1}, &output, std::size_t{1},
       &taken);
  call(mutable_data, taken, &y);

  std::FILE* out = std::fopen(argv[8], "wb");
  const auto rows = static_cast<std::size_t>(shape[0]);
  if (out == nullptr || std::fwrite(y, sizeof(float), rows, out) != rows || std::fclose(out) != 0)
    fail("cannot write Y");
  // Without the destructors of the library, which take as long as a user need not wait.
  std::_Exit(0);
}
