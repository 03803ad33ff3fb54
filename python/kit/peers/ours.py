"""Kit's own ways: each program of the archive that runs here, from C++, from Python, and without kit."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from kit.binding import native
from kit.configuration import Configuration
from kit.errors import InternalError
from kit.extracting import extract
from kit.peers.contender import Call, Way, timed
from kit.peers.work import Work
from kit.programs.native import DTYPES
from kit.programs.torchscript import ENGINE as TORCHSCRIPT
from kit.runtime import Model
from kit.signature import dtype_name
from kit.structure import restore


def ours(work: Work, engine: str, folder: Path) -> list[Way]:
    """The program that is taken by itself, from C++ and from Python, then the others from C++.

    engine: as `kit.load` takes it; with another one than "auto" it is that program alone.
    """
    best = _load(work, engine, "", Configuration(threads=work.threads))
    names = [(best.engine, best.target)]
    if engine == "auto":
        for one in native.programs(work.archive._native):
            cpu = not one.target.startswith("cuda")
            if cpu and not one.obstacle and (one.engine, one.target) not in names:
                names.append((one.engine, one.target))
    ways = [_in_cpp(work, *name) for name in names]
    ways.append(_in_python(work, best))
    if work.threads > 1:
        ways.append(_in_one_thread(work, best))
    elif best.engine == "native":
        ways.append(_c_interface(work, best, folder))
    return ways


def _load(work: Work, engine: str, target: str, configuration: Configuration) -> Model:
    return Model(work.archive, engine, "cpu", work.method.name, configuration, target=target)


def _name(engine: str, target: str, how: str) -> str:
    return f"kit {engine}{'' if target == 'any' else f' {target}'} ({how})"


def _in_cpp(work: Work, engine: str, target: str) -> Way:
    def made(configuration: Configuration, time: TimeModel = native.time_model) -> Callable[[], Call]:
        return lambda: _called(work, _load(work, engine, target, configuration), time)

    plain = Configuration(threads=work.threads)
    settings = {"kit::Model::predict": made(plain)}
    settings["kit::Model::predict, into given memory"] = made(plain, native.time_model_into)
    if engine == TORCHSCRIPT:
        settings["kit::Model::predict, frozen"] = made(Configuration(threads=work.threads, freeze=True))
    return Way(_name(engine, target, "C++"), settings, kit=True)


TimeModel = Callable[[native.Model, Sequence[Tensor], int, int], list[float]]


def _called(work: Work, model: Model, time: TimeModel = native.time_model) -> Call:
    own, inputs = model._native, work.inputs
    return Call(lambda: model.predict(inputs), lambda groups, calls: time(own, inputs, groups, calls))


def _in_python(work: Work, model: Model) -> Way:
    call = work.method.signature.call
    args, kwargs = restore(call.args, work.inputs), restore(call.kwargs, work.inputs)
    made = Call(lambda: model.predict(work.inputs), timed(lambda: model(*args, **kwargs)))
    return Way(
        _name(model.engine, model.target, "Python"), {"kit.Model": lambda: made}, kit=True, reference=True
    )


def _in_one_thread(work: Work, model: Model) -> Way:
    one = Configuration(threads=1)
    name = _name(model.engine, model.target, "C++, 1 thread")
    settings = {"kit::Model::predict": lambda: _called(work, _load(work, model.engine, model.target, one))}
    return Way(name, settings, kit=True, reference=True)


class _KitTensor(ctypes.Structure):
    """KitTensor of kit/program.h."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("dtype_code", ctypes.c_uint8),
        ("dtype_bits", ctypes.c_uint8),
        ("dtype_lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    )


def _c_interface(work: Work, model: Model, folder: Path) -> Way:
    """kit_program_run of the extracted program: what kit::Model adds to it is seen by comparing."""

    def make() -> Call:
        path = folder / f"{work.method.name}-{model.target}.so"
        if not path.exists():
            extract(work.archive, path, target=model.target, method=work.method.name)
        library = ctypes.CDLL(str(path))
        library.kit_program_create.restype = ctypes.c_void_p
        library.kit_program_last_error.restype = ctypes.c_char_p
        program = library.kit_program_create(None, ctypes.c_size_t(0))
        if not program:
            raise InternalError(f"{path}: {library.kit_program_last_error().decode()}")
        outputs = [torch.empty_like(tensor) for tensor in work.expected]
        given, taken = _tensors(work.inputs), _tensors(outputs)
        arguments = [
            program,
            ctypes.addressof(given),
            len(work.inputs),
            ctypes.addressof(taken),
            len(outputs),
        ]
        address = ctypes.cast(library.kit_program_run, ctypes.c_void_p).value or 0

        def time(groups: int, calls: int, _kept: object = (library, given, taken)) -> list[float]:
            return native.time_c_call(address, arguments, False, groups, calls)

        def run() -> list[Tensor]:
            time(1, 1)
            return [tensor.clone() for tensor in outputs]

        return Call(run, time)

    name = _name(model.engine, model.target, "C interface")
    return Way(name, {"kit_program_run": make}, kit=True, reference=True)


def _tensors(tensors: Sequence[Tensor]) -> ctypes.Array[_KitTensor]:
    """Row-major ones as the C interface takes them; their memory stays torch's."""
    array = (_KitTensor * len(tensors))()
    for one, tensor in zip(array, tensors, strict=True):
        one.data, one.device_type, one.ndim = tensor.data_ptr(), 1, tensor.dim()
        one.dtype_code, one.dtype_bits, _ = DTYPES[dtype_name(tensor.dtype)]
        one.dtype_lanes = 1
        one.shape = (ctypes.c_int64 * tensor.dim())(*tensor.shape)
    return array
