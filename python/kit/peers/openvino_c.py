"""OpenVINO's C API: ctypes sets it up, and C++ calls it by its address."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kit.binding import native
from kit.errors import UnavailableError
from kit.peers.contender import Call
from kit.peers.onnx_file import onnx_file
from kit.peers.work import Sizes, Work


class _Shape(ctypes.Structure):
    _fields_ = (("rank", ctypes.c_int64), ("dims", ctypes.POINTER(ctypes.c_int64)))


class _Property(ctypes.Structure):
    _fields_ = (("key", ctypes.c_char_p), ("value", ctypes.c_char_p))


class Request:
    """An infer request for the model with these sizes or varying ones, and tensors over the inputs of the
    work and over outputs of its own. It stays as long as the process."""

    def __init__(self, work: Work, sizes: Sizes | None, properties: Mapping[str, str]) -> None:
        self._library = library = _library()
        path = str(onnx_file(work, sizes))
        self._outputs = [torch.empty_like(tensor) for tensor in work.expected]
        self._inputs = work.inputs
        core, model, compiled = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
        self._do("ov_core_create", ctypes.byref(core))
        self._do("ov_core_read_model", core, os.fsencode(path), None, ctypes.byref(model))
        given = (_Property * len(properties))(
            *(_Property(key.encode(), value.encode()) for key, value in properties.items())
        )
        self._do(
            "ov_core_compile_model_props",
            core,
            model,
            b"CPU",
            ctypes.c_size_t(len(given)),
            given,
            ctypes.byref(compiled),
        )
        self._request = ctypes.c_void_p()
        self._do("ov_compiled_model_create_infer_request", compiled, ctypes.byref(self._request))
        for side, tensors in (("input", self._inputs), ("output", self._outputs)):
            for index, tensor in enumerate(tensors):
                self._set(side, ctypes.c_size_t(index), tensor)
        self._infer = ctypes.cast(library.ov_infer_request_infer, ctypes.c_void_p).value or 0

    def call(self) -> Call:
        """The request's infer, from C++."""
        return Call(self._run, self._time)

    def _time(self, groups: int, calls: int) -> list[float]:
        return native.time_c_call(self._infer, [self._request.value or 0], False, groups, calls)

    def _run(self) -> list[Tensor]:
        self._time(1, 1)
        return [tensor.clone() for tensor in self._outputs]

    def _set(self, side: str, index: ctypes.c_size_t, tensor: Tensor) -> None:
        """Let the request use the memory of the tensor, as elements of the type that the model has there."""
        own, made, kind = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_int()
        self._do(f"ov_infer_request_get_{side}_tensor_by_index", self._request, index, ctypes.byref(own))
        self._do("ov_tensor_get_element_type", own, ctypes.byref(kind))
        dims = (ctypes.c_int64 * tensor.dim())(*tensor.shape)
        self._do(
            "ov_tensor_create_from_host_ptr",
            kind,
            _Shape(tensor.dim(), dims),
            ctypes.c_void_p(tensor.data_ptr()),
            ctypes.byref(made),
        )
        self._do(f"ov_infer_request_set_{side}_tensor_by_index", self._request, index, made)

    def _do(self, function: str, *arguments: Any) -> None:
        status = getattr(self._library, function)(*arguments)
        if status:
            self._library.ov_get_last_err_msg.restype = ctypes.c_char_p
            message = self._library.ov_get_last_err_msg() or b""
            raise UnavailableError(
                f"OpenVINO's C API: {function}: status {status} {message.decode(errors='replace')}".rstrip()
            )


def _library() -> Any:
    """The library. Raises UnavailableError where the package lacks it."""
    import openvino

    folder = Path(openvino.__file__).parent / "libs"
    libraries = sorted(folder.glob("libopenvino_c.so*"))
    if not libraries:
        raise UnavailableError(f"{folder} has no libopenvino_c.so, which has the C API")
    return ctypes.CDLL(str(libraries[0]))
