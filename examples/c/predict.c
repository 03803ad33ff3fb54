/* Runs a native program that `python -m kit extract` has written: rows of numbers in, a row of numbers for
 * each out. It needs the C library and the program's file, nothing of kit and nothing of torch. README.md
 * shows it. */

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kit_program.h"

enum {
  COLUMNS = 3
}; /* of the input of examples/mlp: x: float32[batch, 3]; the output is float32[batch, 1] */

/* The functions of kit_program.h, found in a library that is loaded while this program runs. */
typedef struct Api {
  uint32_t (*abi)(void);
  const char* (*description)(void);
  KitProgram* (*create)(const KitConstant*, size_t);
  int (*run)(KitProgram*, const KitTensor*, size_t, const KitTensor*, size_t);
  const char* (*last_error)(void);
  void (*destroy)(KitProgram*);
} Api;

static int fail(int code, const char* format, ...) {
  va_list values;
  va_start(values, format);
  fputs("predict: error: ", stderr);
  vfprintf(stderr, format, values);
  fputc('\n', stderr);
  va_end(values);
  return code;
}

/* ISO C does not turn a pointer to data into one to a function; POSIX promises that this does. */
static int find(void* library, const char* name, void* function) {
  void* const found = dlsym(library, name);
  memcpy(function, &found, sizeof found);
  return found != NULL;
}

static int find_all(void* library, Api* api) {
  return find(library, "kit_program_abi", &api->abi) && api->abi() == KIT_PROGRAM_ABI &&
         find(library, "kit_program_description", &api->description) &&
         find(library, "kit_program_create", &api->create) && find(library, "kit_program_run", &api->run) &&
         find(library, "kit_program_last_error", &api->last_error) &&
         find(library, "kit_program_destroy", &api->destroy);
}

static int parse(char** texts, size_t count, float* numbers) {
  for (size_t i = 0; i < count; ++i) {
    char* end = NULL;
    errno = 0;
    numbers[i] = strtof(texts[i], &end);
    if (end == texts[i] || *end != '\0' || errno == ERANGE) return fail(2, "'%s' is no number", texts[i]);
  }
  return 0;
}

/* A row-major array of float32 in memory of ours. */
static KitTensor matrix(float* data, int64_t* shape) {
  KitTensor tensor = {0};
  tensor.data = data;
  tensor.device_type = 1;
  tensor.ndim = 2;
  tensor.dtype_code = 2;
  tensor.dtype_bits = 32;
  tensor.dtype_lanes = 1;
  tensor.shape = shape;
  return tensor;
}

static int predict(const Api* api, char** texts, size_t count) {
  const size_t rows = count / COLUMNS;
  int64_t x_shape[2] = {(int64_t)rows, COLUMNS};
  int64_t y_shape[2] = {(int64_t)rows, 1};
  float* const x = malloc(count * sizeof *x);
  float* const y = malloc(rows * sizeof *y);
  KitProgram* program = NULL;
  int status = x == NULL || y == NULL ? fail(6, "there is not enough memory") : parse(texts, count, x);

  if (status == 0) {
    program = api->create(NULL, 0);
    if (program == NULL) status = fail(KIT_PROGRAM_UNAVAILABLE, "%s", api->last_error());
  }
  if (status == 0) {
    const KitTensor input = matrix(x, x_shape);
    const KitTensor output = matrix(y, y_shape);
    status = api->run(program, &input, 1, &output, 1);
    if (status != KIT_PROGRAM_OK) fail(status, "%s", api->last_error());
  }
  for (size_t row = 0; status == 0 && row < rows; ++row) printf("%.9g\n", (double)y[row]);

  if (program != NULL) api->destroy(program);
  free(x);
  free(y);
  return status;
}

int main(int argc, char** argv) {
  if (argc < 2 || (argc - 2) % COLUMNS != 0) {
    fprintf(stderr,
            "usage: predict PROGRAM.so [NUMBER NUMBER NUMBER]...  a row of three; none: says what it is\n");
    return 2;
  }
  void* const library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) return fail(KIT_PROGRAM_UNAVAILABLE, "%s", dlerror());
  Api api;
  int status = 0;
  if (!find_all(library, &api))
    status = fail(3, "%s: it is no native program, or one for another version of kit_program.h", argv[1]);
  else if (argc == 2)
    puts(api.description());
  else
    status = predict(&api, argv + 2, (size_t)(argc - 2));
  if (status == 0 && fflush(stdout) != 0) status = fail(6, "cannot write <stdout>: %s", strerror(errno));
  dlclose(library);
  return status;
}
