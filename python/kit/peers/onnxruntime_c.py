"""ONNX Runtime's C API. Its package has the shared object and no header, so that ctypes sets it up, and C++
calls it by its address."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kit.binding import native
from kit.errors import UnavailableError
from kit.peers.contender import Call
from kit.peers.onnx_file import onnx_file
from kit.peers.work import Sizes, Work

_VERSION = 22
"""The version of the API that is asked for: newer libraries serve older versions."""

# Places in the table of functions. The API only ever grows at its end, so they are those of all versions.
_GET_ERROR_MESSAGE, _CREATE_ENV, _CREATE_SESSION, _RUN, _CREATE_OPTIONS = 2, 3, 7, 9, 10
_SET_OPTIMIZATION, _SET_THREADS, _CREATE_TENSOR, _CREATE_MEMORY_INFO = 23, 24, 49, 69
_OPTIMIZE_ALL, _WARNINGS, _ARENA, _DEFAULT_MEMORY = 99, 2, 1, 0

_TYPES = {
    "float32": 1,
    "uint8": 2,
    "int8": 3,
    "uint16": 4,
    "int16": 5,
    "int32": 6,
    "int64": 7,
    "bool": 9,
    "float16": 10,
    "float64": 11,
    "uint32": 12,
    "uint64": 13,
    "bfloat16": 16,
}

_envs: dict[str, tuple[Any, ctypes.c_void_p]] = {}
"""By library the table of functions and the environment, of which a process has one."""


class Session:
    """A session for the model with these sizes or with varying ones, and tensors over the inputs of the work
    and over outputs of its own. It stays as long as the process."""

    def __init__(self, work: Work, sizes: Sizes | None) -> None:
        self._table, env = _environment()
        path = str(onnx_file(work, sizes))
        options, session, memory = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
        self._do(_CREATE_OPTIONS, ctypes.byref(options))
        self._do(_SET_OPTIMIZATION, options, ctypes.c_int(_OPTIMIZE_ALL))
        self._do(_SET_THREADS, options, ctypes.c_int(work.threads))
        self._do(_CREATE_SESSION, env, os.fsencode(path), options, ctypes.byref(session))
        self._do(
            _CREATE_MEMORY_INFO, ctypes.c_int(_ARENA), ctypes.c_int(_DEFAULT_MEMORY), ctypes.byref(memory)
        )
        self._memory = memory
        self._outputs = [torch.empty_like(tensor) for tensor in work.expected]
        self._inputs = work.inputs
        given, taken = self._values(work.inputs), self._values(self._outputs)
        signature = work.method.signature
        names = [_names([spec.name for spec in specs]) for specs in (signature.inputs, signature.outputs)]
        self._kept = (given, taken, names)
        self._arguments = [
            session.value or 0,
            0,  # default options for the run
            ctypes.addressof(names[0]),
            ctypes.addressof(given),
            len(given),
            ctypes.addressof(names[1]),
            len(taken),
            ctypes.addressof(taken),
        ]

    def call(self) -> Call:
        """The session's Run, from C++."""
        return Call(self._run, self._time)

    def _time(self, groups: int, calls: int) -> list[float]:
        return native.time_c_call(self._table[_RUN], self._arguments, True, groups, calls)

    def _run(self) -> list[Tensor]:
        self._time(1, 1)
        return [tensor.clone() for tensor in self._outputs]

    def _values(self, tensors: list[Tensor]) -> ctypes.Array[ctypes.c_void_p]:
        values = (ctypes.c_void_p * len(tensors))()
        for index, tensor in enumerate(tensors):
            dtype = str(tensor.dtype).removeprefix("torch.")
            if dtype not in _TYPES:
                raise UnavailableError(f"there are no tensors of {dtype} in ONNX Runtime's C API")
            value = ctypes.c_void_p()
            self._do(
                _CREATE_TENSOR,
                self._memory,
                ctypes.c_void_p(tensor.data_ptr()),
                ctypes.c_size_t(tensor.numel() * tensor.element_size()),
                (ctypes.c_int64 * tensor.dim())(*tensor.shape),
                ctypes.c_size_t(tensor.dim()),
                ctypes.c_int(_TYPES[dtype]),
                ctypes.byref(value),
            )
            values[index] = value.value
        return values

    def _do(self, function: int, *arguments: Any) -> None:
        _checked(self._table, function, *arguments)


def _environment() -> tuple[Any, ctypes.c_void_p]:
    """The table of functions and the environment. Raises UnavailableError where the package lacks its
    library."""
    import onnxruntime

    folder = Path(onnxruntime.__file__).parent / "capi"
    libraries = sorted(folder.glob("libonnxruntime.so*"))
    if not libraries:
        raise UnavailableError(f"{folder} has no libonnxruntime.so, which has the C API")
    path = str(libraries[0])
    if path not in _envs:
        library = ctypes.CDLL(path)
        library.OrtGetApiBase.restype = ctypes.POINTER(ctypes.c_void_p)
        get_api = ctypes.CFUNCTYPE(ctypes.POINTER(ctypes.c_void_p), ctypes.c_uint32)(
            library.OrtGetApiBase()[0]
        )
        table = get_api(_VERSION)
        if not table:
            raise UnavailableError(f"{path} has no version {_VERSION} of the C API; take a newer one")
        env = ctypes.c_void_p()
        _checked(table, _CREATE_ENV, ctypes.c_int(_WARNINGS), b"kit", ctypes.byref(env))
        _envs[path] = (table, env)
    return _envs[path]


def _checked(table: Any, function: int, *arguments: Any) -> None:
    call = ctypes.CFUNCTYPE(ctypes.c_void_p)(table[function])
    status = call(*arguments)
    if status:
        message = ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.c_void_p)(table[_GET_ERROR_MESSAGE])(status)
        raise UnavailableError(f"ONNX Runtime's C API: {message.decode(errors='replace')}")


def _names(names: list[str]) -> ctypes.Array[ctypes.c_char_p]:
    return (ctypes.c_char_p * len(names))(*(name.encode() for name in names))
