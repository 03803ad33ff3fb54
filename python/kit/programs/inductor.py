"""Torch's compiler, set so that what it makes depends on the target alone, and not on the machine it runs on.

Inductor compiles for the host: it picks the vector instructions that the host has, tells the compiler
-march=native, counts the host's threads, and leaves paths and debug information in what it makes. Not all
versions of torch that kit supports have settings against that, so two of its functions are replaced while it
compiles for kit.
"""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch

from kit.errors import InternalError, UnavailableError
from kit.programs.quiet import quiet
from kit.programs.rounding import with_exact_divisions
from kit.writing import temporary_folder

LEVELS = ("x86-64-v2", "x86-64-v3", "x86-64-v4")
"""The micro-architecture levels of the x86-64 psABI that programs are compiled for, the lowest first."""

INCLUDE = "include"
"""In the folder of `compiling`: what is there is found before torch's own headers."""

_lock = threading.RLock()

_CONFIG: Mapping[str, Any] = {
    "cpp.threads": 8,  # what it reckons with; as many as there are will run
    "cpp.dynamic_threads": True,
    "cpp.simdlen": None,
    "cpp.weight_prepack": True,
    "compile_threads": 1,  # or workers would outlive the private cache
    "max_autotune": False,
    "max_autotune_gemm": False,
    "max_autotune_pointwise": False,
    "coordinate_descent_tuning": False,
    "triton.autotune_pointwise": False,
    "aot_inductor.debug_compile": False,
    "aot_inductor.debug_symbols": False,
    "fx_graph_cache": False,
    "fx_graph_remote_cache": False,
    "autotune_local_cache": False,
    "autotune_remote_cache": False,
}
# What not all versions have.
_CONFIG_WHERE_KNOWN: Mapping[str, Any] = {
    "deterministic": True,
    "bundled_autotune_remote_cache": False,
    "aot_inductor.enable_line_tables": False,
    "aot_inductor.enable_frame_pointer": False,
    "aot_inductor.precompile_headers": False,  # they would be used once
    "cpp.march": None,
}


@contextmanager
def compiling(target: str, config: Mapping[str, Any] = {}) -> Iterator[Path]:
    """Let Inductor compile for a target, in a folder of its own; other threads wait until it is done.

    target: one of LEVELS, or "cuda:sm_NN", of which the part that runs on the CPU is for x86-64-v2.
    config: further settings of Inductor.

    Gives the folder, which is deleted at the end. Raises UnavailableError if there is no compiler,
    InternalError if this version of torch is not as kit expects it.
    """
    compiler = check_compiler()
    level = target if target in LEVELS else LEVELS[0]
    with _lock, temporary_folder("compile") as folder, ExitStack() as stack:
        # What CXX says now: Inductor has read it when it was imported.
        _enter_settings(stack, {**config, "cpp.cxx": (None, compiler.command)})
        stack.enter_context(changed("torch._inductor.cpu_vec_isa", "valid_vec_isa_list", _vector_isa(level)))
        flags = changed("torch._inductor.cpp_builder", "_get_optimization_cflags", _flags(level, folder))
        stack.enter_context(flags)
        table = changed("torch._inductor.compile_fx", "select_decomp_table", _with_exact_divisions)
        stack.enter_context(table)
        stack.enter_context(_array_names())
        _enter_environment(stack, folder)
        _enter_random_state(stack)
        # Which operations it has no C function for, that there is no GPU, and more.
        stack.enter_context(quiet(logging.ERROR, "torch._inductor", "torch.utils.cpp_extension"))
        yield folder


@contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Let an attribute of a class, module or object be another one."""
    before = owner.__dict__[name] if isinstance(owner, type) else getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


@contextmanager
def environment(variables: Mapping[str, str | None]) -> Iterator[None]:
    """Let variables of the environment have these values; None is for one that is not set."""
    before = {name: os.environ.get(name) for name in variables}
    _set_environment(variables)
    try:
        yield
    finally:
        _set_environment(before)


@contextmanager
def code_changed(wrapper: Callable[[str], str], kernels: Callable[[str], str]) -> Iterator[list[Any]]:
    """Let Inductor compile what these make of the code that it has written: of what calls the kernels, and of
    those for a CPU. The graphs that the code is of are added to the list."""
    from torch._inductor.codecache import AotCodeCompiler

    compile_code = AotCodeCompiler.compile
    graphs: list[Any] = []

    def compile_changed(
        _cls: Any, graph: Any, wrapping: str, computing: str, /, *args: Any, **kwargs: Any
    ) -> Any:
        graphs.append(graph)
        return compile_code(graph, wrapper(wrapping), kernels(computing), *args, **kwargs)

    with replaced(AotCodeCompiler, "compile", classmethod(compile_changed)):
        yield graphs


RUNTIME = "-l:libstdc++.so.6"
"""Links the C++ runtime that libtorch has. A compiler with no libstdc++.so beside it takes libstdc++.a and
says nothing: a program then has a runtime of its own, beside the other in one process, and crashes."""


class Compiler(NamedTuple):
    """A C++ compiler: its command, and what it says when it is asked for its version."""

    command: str
    version: str


def check_compiler() -> Compiler:
    """The C++ compiler. Raises UnavailableError that names what to install if it is not there."""
    named = os.environ.get("CXX") or "g++"
    if shutil.which(named) is None:
        raise UnavailableError(
            f"the C++ compiler {named} is not here, which compiled programs are made with; install the "
            "package g++ (apt-get install g++), or name another in the environment variable CXX"
        )
    done = subprocess.run([named, "--version"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise UnavailableError(
            f"the C++ compiler {named} does not work: it ends with status {done.returncode} when asked for "
            "its version; install it again, or name another in the environment variable CXX"
        )
    return Compiler(named, done.stdout)


def _enter_settings(stack: ExitStack, config: Mapping[str, Any]) -> None:
    import torch._inductor.config as inductor

    known = inductor.get_config_copy()
    for key in (*_CONFIG, *config):
        if key not in known:
            raise unexpected(f"Inductor has no setting {key}")
    further = {key: value for key, value in _CONFIG_WHERE_KNOWN.items() if key in known}
    stack.enter_context(inductor.patch({**_CONFIG, **further, **config}))


def changed(
    module: str, name: str, change: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> AbstractContextManager[None]:
    """Let a function of a module be what `change` makes of it."""
    owner = sys.modules.get(module) or __import__(module, fromlist=[name])
    original = getattr(owner, name, None)
    if not callable(original):
        raise unexpected(f"{module} has no function {name}")
    return replaced(owner, name, change(original))


def _vector_isa(level: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Makes the vector instructions of a level the only ones that Inductor knows."""
    from torch._inductor import cpu_vec_isa

    base = {"x86-64-v3": "VecAVX2", "x86-64-v4": "VecAVX512"}.get(level)
    if base is None:
        return lambda _original: list
    kind = getattr(cpu_vec_isa, base, None)
    if kind is None or not hasattr(kind, "__bool__"):
        raise unexpected(f"torch._inductor.cpu_vec_isa has no {base}")
    # The class tells by itself whether the host has what it stands for.
    there = type(f"Kit{base}", (kind,), {"__bool__": lambda _self: True, "__hash__": kind.__hash__})
    isa = there()
    return lambda _original: lambda: [isa]


def _with_exact_divisions(original: Callable[..., Any]) -> Callable[..., Any]:
    return lambda: with_exact_divisions(original())


def _array_names() -> AbstractContextManager[None]:
    """Lets Inductor name arrays of sizes alike each time. Before torch 2.13 it takes an array that it has
    declared for the one that is wanted if both are written by methods with the same id, and these are made
    anew for each call: whether they have it was chance."""
    from torch._inductor.codegen.cpp_wrapper_cpu import CppWrapperCpu

    original = CppWrapperCpu.codegen_int_array_var

    def codegen(self: Any, int_array: str, writeline: Any, *args: Any, **kwargs: Any) -> Any:
        owner = getattr(writeline, "__self__", None)
        if owner is not None:
            key = (id(owner), writeline.__name__)  # what is kept is alive, and so the id is no other's
            writeline = self.__dict__.setdefault("_kit_writers", {}).setdefault(key, writeline)
        return original(self, int_array, writeline, *args, **kwargs)

    return replaced(CppWrapperCpu, "codegen_int_array_var", codegen)


def _flags(level: str, folder: Path) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Makes the compiler compile for a level, and forget where it ran."""
    # Of several that fit, the last counts. The name of the generated file stands for its whole path.
    places = {Path(sys.prefix): "python", Path(torch.__file__).resolve().parent: "torch", folder: "build"}
    forgotten = ["ffile-prefix-map=" + shlex.quote(f"{place}={name}") for place, name in places.items()]
    forgotten += ["D__FILE__=" + shlex.quote('"program"'), "Wno-builtin-macro-redefined"]
    stripped = ["g0", "s", "Wl,--build-id=none"]
    runtime = ["Wl,--push-state,--no-as-needed", RUNTIME[1:], "Wl,--pop-state"]

    def change(original: Callable[..., Any]) -> Callable[..., Any]:
        def flags(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            several = isinstance(result, tuple)  # flags of the linker beside them, in later versions
            found = result[0] if several else result
            wanted = [flag for flag in found if not flag.startswith(("march=", "g1", "g3"))]
            if len([flag for flag in found if flag.startswith("march=")]) != 1:
                raise unexpected(
                    f"Inductor gives the compiler the flags {found}, where one -march is expected"
                )
            wanted += [
                f"march={level}",
                "mtune=generic",
                *stripped,
                *runtime,
                *forgotten,
                f"I{shlex.quote(str(folder / INCLUDE))}",
            ]
            return (wanted, *result[1:]) if several else wanted

        return flags

    return change


def _enter_environment(stack: ExitStack, folder: Path) -> None:
    from torch._inductor import utils

    clear = getattr(utils, "clear_caches", None) or getattr(utils, "clear_inductor_caches", None)
    if clear is None:
        raise unexpected("torch._inductor.utils cannot clear its caches")
    variables: dict[str, str | None] = {
        "TORCHINDUCTOR_CACHE_DIR": str(folder / "inductor"),
        "TRITON_CACHE_DIR": str(folder / "triton"),
        "TMPDIR": str(folder),  # of the compiler, which leaves files there when it is interrupted
        "TRITON_DISABLE_LINE_INFO": "1",
        "ATEN_CPU_CAPABILITY": None,
        "TORCHINDUCTOR_DEBUG_COMPILE": None,
        "TORCHINDUCTOR_DEBUG_SYMBOL": None,
    }
    stack.enter_context(environment(variables))
    clear()  # which asks for the folder of the cache, and makes it
    stack.callback(clear)


def _set_environment(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _enter_random_state(stack: ExitStack) -> None:
    """It draws a number that tells weights in a file of their own from others."""
    stack.enter_context(torch.random.fork_rng(devices=[]))
    torch.default_generator.manual_seed(0)


def unexpected(what: str) -> InternalError:
    """What to raise if this version of torch is not as kit expects it."""
    return InternalError(
        f"torch {torch.__version__} is not as kit expects it: {what}; use a version that kit supports, 2.11 "
        "to 2.15, or export without compiled programs"
    )
