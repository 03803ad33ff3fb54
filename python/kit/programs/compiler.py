"""Compiling and linking the C++ of a native program."""

from __future__ import annotations

import hashlib
import os
import shlex
import signal
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Lock
from typing import NoReturn

import torch

from kit.errors import UnavailableError
from kit.programs.build_cache import cached, keep_log
from kit.programs.inductor import RUNTIME, check_compiler
from kit.writing import temporary_folder

FLAGS = "KIT_NATIVE_FLAGS"
"""The environment variable with further flags, for the compiler and the linker; they come last. With any, the
symbols stay: this is for sanitizers."""

_EXPORTS = "{ global: kit_program_*; local: *; };\n"
_CAPABILITY = {"x86-64-v3": "AVX2", "x86-64-v4": "AVX512"}
_EIGEN = ("/usr/include/eigen3", "/usr/local/include/eigen3")
_COMMON = shlex.split(
    "-std=c++20 -fPIC -g0 -DNDEBUG -w -fvisibility=hidden -fvisibility-inlines-hidden -fno-gnu-unique "
    "-ffunction-sections -fdata-sections -ffp-contract=off -fno-trapping-math -fno-math-errno "
    "-DTORCH_INDUCTOR_CPP_WRAPPER -DSTANDALONE_TORCH_HEADER -DC10_USING_CUSTOM_GENERATED_MACROS"
)
_LINK = shlex.split(
    "-shared -s -Wl,--gc-sections -Wl,-z,defs -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,--build-id=none "
    "-Wl,--as-needed"
)


@dataclass(frozen=True)
class Source:
    """A file to compile: its text, the headers that are written beside it, and further flags.

    with_kit: whether it includes any of kit's own headers.
    """

    name: str
    text: str
    headers: Mapping[str, str]
    flags: tuple[str, ...] = ()
    with_kit: bool = True


@cache
def sources_folder() -> Path:
    """Where the sources are that are compiled into each program: of the installed package, or the checkout.

    Raises UnavailableError if they are not there.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "program", package.parents[1] / "cpp" / "src" / "program"):
        if (folder / "program.cpp").is_file():
            return folder
    raise UnavailableError(f"{package}: the sources of native programs are missing; install kit again")


@cache
def header_folder() -> Path:
    """Where kit/program.h is."""
    folder = sources_folder()
    for candidate in (folder.parent / "include", folder.parents[1] / "include"):
        if (candidate / "kit" / "program.h").is_file():
            return candidate
    raise UnavailableError(f"{folder}: kit/program.h is missing; install kit again")


def build(sources: Sequence[Source], library: Sequence[Source], target: str) -> bytes:
    """The shared object of these sources, for one of the levels of `kit.programs.inductor`.

    library: sources of which only those count that the others use.

    Each object is kept, so that what did not change is not compiled again. Raises UnavailableError if there
    is no compiler, or if it fails: then the log is kept, and named; and if there is no room for it.
    """
    compiler = check_compiler()
    key = "\n".join(
        [compiler.version, torch.__version__, target, *_COMMON, *_LINK, RUNTIME, _EXPORTS, *_further()]
    )
    with temporary_folder("compile") as folder:
        processes = _Processes(folder)

        def compiled(source: Source) -> bytes:
            kit = _kit_headers() if source.with_kit else ""
            parts = [
                key,
                kit,
                *source.flags,
                source.text,
                *(f"{a}\n{b}" for a, b in source.headers.items()),
            ]
            return cached("\0".join(parts), lambda: _compile(compiler.command, source, target, processes))

        pool = ThreadPoolExecutor(os.cpu_count() or 1)
        try:
            objects = list(pool.map(compiled, [*sources, *library]))
        except BaseException:
            processes.stop()
            raise
        finally:
            pool.shutdown(cancel_futures=True)
        digest = hashlib.sha256(b"".join(hashlib.sha256(one).digest() for one in objects)).hexdigest()
        return cached(
            f"{key}\0link {len(sources)}\0{digest}",
            lambda: _link(compiler.command, objects, len(sources), processes),
        )


class _Processes:
    """The processes of a build, and those that they start, which end with it: if it is interrupted, so are
    they. What they leave behind then is in the folder of the build."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._environment = {**os.environ, "TMPDIR": str(folder)}
        self._running: set[subprocess.Popen[str]] = set()
        self._stopped = False
        self._lock = Lock()

    def stop(self) -> None:
        """End those that run, and start no more."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                if process.poll() is None:
                    with suppress(ProcessLookupError):  # its thread may just have seen it end
                        os.killpg(process.pid, signal.SIGKILL)

    def run(self, command: Sequence[str]) -> None:
        """Run a command in the folder. Raises UnavailableError if it fails: its log is kept, and named."""
        with self._lock:
            self._check()
            try:
                process = subprocess.Popen(
                    command,
                    cwd=self.folder,
                    env=self._environment,
                    start_new_session=True,  # a group, to be ended together
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            except FileNotFoundError as error:
                raise UnavailableError(
                    f"{command[0]} is not here, which native programs are made with; install the packages "
                    "g++ and binutils (apt-get install g++ binutils)"
                ) from error
            except OSError as error:
                raise UnavailableError(
                    f"{command[0]} cannot be started, which native programs are made with: "
                    f"{error.strerror}; see that it works, and export again"
                ) from error
            self._running.add(process)
        try:
            printed, said = process.communicate()
        finally:
            self._running.discard(process)
        if process.returncode != 0:
            self._check()
            _refuse(command, process.returncode, printed, said)

    def make(self, command: Sequence[str], result: Path) -> bytes:
        """What a command writes to a file."""
        self.run([*command, "-o", str(result)])
        if not result.is_file():
            raise UnavailableError(
                f"{command[0]} ended well but wrote no {result.suffix} file; name a C++ compiler in the "
                "environment variable CXX"
            )
        return result.read_bytes()

    def _check(self) -> None:
        if self._stopped:
            raise UnavailableError("the build of the native program was stopped; export again")


def _compile(compiler: str, source: Source, target: str, processes: _Processes) -> bytes:
    place = processes.folder / source.name
    place.mkdir()
    file, result = place / f"{source.name}.cpp", place / f"{source.name}.o"
    file.write_text(source.text)
    for name, text in source.headers.items():
        (place / name).write_text(text)
    capability = _CAPABILITY.get(target)
    isa = [f"-DCPU_CAPABILITY={capability}", f"-DCPU_CAPABILITY_{capability}"] if capability else []
    torch_headers = Path(torch.__file__).resolve().parent / "include"
    includes = [f"-I{place}", f"-I{sources_folder()}", f"-I{header_folder()}", "-isystem", str(torch_headers)]
    includes += [part for eigen in _EIGEN if Path(eigen).is_dir() for part in ("-isystem", eigen)]
    names = {place: "", sources_folder(): "program", header_folder(): "include", torch_headers: "torch"}
    hidden = [f"-ffile-prefix-map={path}={name}" for path, name in names.items()]
    command = [
        compiler,
        *_COMMON,
        f"-march={target}",
        "-mtune=generic",
        *isa,
        *source.flags,
        *includes,
        *hidden,
        *_further(),
    ]
    return processes.make([*command, "-c", str(file)], result)


def _link(compiler: str, objects: Sequence[bytes], whole: int, processes: _Processes) -> bytes:
    """The first `whole` objects, and what they use of the others."""
    folder, paths, further = processes.folder, [], _further()
    for index, content in enumerate(objects):
        path = folder / f"{index}.o"
        path.write_bytes(content)
        paths.append(str(path))
    exports, library, result = folder / "exports.map", folder / "kit.a", folder / "program.so"
    exports.write_text(_EXPORTS)
    processes.run(["ar", "rcsD", str(library), *paths[whole:]])
    used = [*paths[:whole], "-Wl,--start-group", str(library), "-Wl,--end-group"]
    flags = [flag for flag in _LINK if not (further and flag == "-s")] + further
    command = [compiler, *flags, f"-Wl,--version-script={exports}", *used, RUNTIME, "-lmvec", "-lm"]
    return processes.make(command, result)


def _refuse(command: Sequence[str], status: int, printed: str, written: str) -> NoReturn:
    log = keep_log(f"{shlex.join(command)}\n\n{printed}{written}")
    errors = [line for line in written.splitlines() if "error" in line]
    said = errors[0].strip() if errors else f"it ended with status {status}"
    if "Eigen/" in said:
        raise UnavailableError(
            "the headers of Eigen, which native programs multiply matrices with, are not here; install the "
            "package libeigen3-dev (apt-get install libeigen3-dev)"
        )
    raise UnavailableError(
        f"{command[0]} cannot compile the native program: {said}; the whole log is in {log}"
    )


def _further() -> list[str]:
    return shlex.split(os.environ.get(FLAGS, ""))


@cache
def _kit_headers() -> str:
    """A digest of the headers that are compiled into programs."""
    digest = hashlib.sha256()
    for path in [*sorted(sources_folder().glob("*.h")), header_folder() / "kit" / "program.h"]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
