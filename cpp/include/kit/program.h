#pragma once

/// The C interface of a native program: a shared object that holds one method of one model, compiled for one
/// instruction set, and needs libc, libm and libstdc++ and nothing else. Plain C, without a header but the
/// standard's, so that any language that can call C can run a model:
///
///     void* library = dlopen("./mlp.so", RTLD_NOW | RTLD_LOCAL);   /* or link it */
///     KitProgram* program = kit_program_create(NULL, 0);
///     if (program == NULL) { puts(kit_program_last_error()); exit(1); }
///     int status = kit_program_run(program, inputs, 1, outputs, 1);
///     kit_program_destroy(program);
///
/// `python -m kit extract model.pt --program native -o mlp.so --header` writes such a file with this header.

// NOLINTBEGIN(modernize-deprecated-headers, modernize-use-using): this is C
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// The version of this interface. A program of another version must not be called.
#define KIT_PROGRAM_ABI 1

#ifndef KIT_PROGRAM_API
#define KIT_PROGRAM_API
#endif

/// An array in memory of the caller's. It has the layout of DLPack's DLTensor (versions 0.6 to 1.x,
/// https://dmlc.github.io/dlpack/latest/c_api.html), so that a pointer to one may be cast to the other.
typedef struct KitTensor {
  void* data;            ///< where the array starts, but for byte_offset; may be null if it has no elements
  int32_t device_type;   ///< 1, the CPU: a native program runs on nothing else
  int32_t device_id;     ///< 0
  int32_t ndim;          ///< number of dimensions; 0 for a scalar
  uint8_t dtype_code;    ///< 0 signed, 1 unsigned integer, 2 float, 4 bfloat, 5 complex, 6 bool
  uint8_t dtype_bits;    ///< bits of an element
  uint16_t dtype_lanes;  ///< 1
  int64_t* shape;        ///< ndim sizes
  int64_t* strides;      ///< ndim strides in elements, or null: row-major without gaps
  uint64_t byte_offset;  ///< bytes from data to the first element
} KitTensor;

/// One constant of the program: a weight or a table. It must stay as it is for as long as the program lives.
typedef struct KitConstant {
  const void* data;  ///< aligned to 64 bytes
  uint64_t size;     ///< in bytes
} KitConstant;

typedef struct KitProgram KitProgram;

/// What a call returns; the codes are kit's exit codes.
enum {
  KIT_PROGRAM_OK = 0,
  KIT_PROGRAM_INTERNAL = 1,     ///< a fault of kit's
  KIT_PROGRAM_INPUT = 4,        ///< an input or an output does not fit the signature, or has values that the
                                ///< model cannot compute with, such as an index out of bounds
  KIT_PROGRAM_UNAVAILABLE = 6,  ///< there is not enough memory, or the constants cannot be read
};

/// The KIT_PROGRAM_ABI that the program was compiled with.
KIT_PROGRAM_API uint32_t kit_program_abi(void);

/// What the program is, as JSON: "model", "method", "target" (the instruction set, as x86-64-v3), "torch",
/// "signature" (as in the manifest of the archive) and "constants" (their sizes in bytes, in order). With
/// "rows_per_thread", no row of a batch depends on another: a call may be made as several, each with some of
/// the rows of all inputs and outputs, at the same time if it pays; it does from about that number of rows on
/// in each. The text is the program's.
KIT_PROGRAM_API const char* kit_program_description(void);

/// Makes a program that can be run. `constants` has as many entries as the description; they are not copied.
/// With null and 0 the constants are taken from the end of the shared object's own file, where `kit extract`
/// has put them. Returns null if it cannot be made; kit_program_last_error then says why.
KIT_PROGRAM_API KitProgram* kit_program_create(const KitConstant* constants, size_t count);

/// Computes the outputs for the inputs, both in the signature's order. From many threads at once on one
/// program. Inputs are read in place; they may have strides. Outputs are written into the memory that the
/// caller gives: of the dtype and the shape that the signature gives for these inputs, row-major without
/// gaps, sharing nothing with the inputs. Returns KIT_PROGRAM_OK, or a code and kit_program_last_error. What
/// does not fit the signature is found before anything is computed, and gives KIT_PROGRAM_INPUT.
KIT_PROGRAM_API int kit_program_run(KitProgram* program, const KitTensor* inputs, size_t input_count,
                                    const KitTensor* outputs, size_t output_count);

/// What went wrong in the last call of this thread that failed: one line. Valid until the thread's next call.
KIT_PROGRAM_API const char* kit_program_last_error(void);

/// Frees it. Not while a thread runs it. Null is allowed.
KIT_PROGRAM_API void kit_program_destroy(KitProgram* program);

#ifdef __cplusplus
}
#endif
// NOLINTEND(modernize-deprecated-headers, modernize-use-using)
