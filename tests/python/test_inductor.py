"""Inductor compiles for the target and not for this machine, and is as it was afterwards."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torch._inductor import config, cpp_builder, cpu_vec_isa
from torch._inductor.codegen.cpp_wrapper_cpu import CppWrapperCpu
from torch._inductor.utils import IndentedBuffer

from kit.errors import InternalError, UnavailableError
from kit.programs.inductor import check_compiler, compiling


def flags() -> list[str]:
    found: Any = cpp_builder._get_optimization_cflags("g++")
    return found[0] if isinstance(found, tuple) else found


@pytest.mark.parametrize(
    ("target", "isa"),
    [
        ("x86-64-v2", "INVALID_VEC_ISA"),
        ("x86-64-v3", "avx2"),
        ("x86-64-v4", "avx512"),
        ("cuda:sm_90", "INVALID_VEC_ISA"),
    ],
)
def test_the_target_decides(target: str, isa: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")
    with compiling(target):
        picked = cpu_vec_isa.pick_vec_isa()
        assert str(picked) == isa
        assert "bf16" not in str(picked.build_arch_flags())  # which is no part of a level
        level = target if "cuda" not in target else "x86-64-v2"
        assert [flag for flag in flags() if flag.startswith("march")] == [f"march={level}"]
        assert torch.initial_seed() == 0


def test_all_is_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "/somewhere")
    monkeypatch.delenv("TRITON_CACHE_DIR", raising=False)

    def state() -> list[Any]:
        patched = [cpu_vec_isa.valid_vec_isa_list, cpp_builder._get_optimization_cflags]
        return [dict(os.environ), config.get_config_copy(), torch.initial_seed(), *patched]

    before = state()
    places = []

    def fail() -> None:
        with compiling("x86-64-v3", {"freezing": True}) as folder:
            places.append(folder)
            assert config.freezing
            assert os.environ["TORCHINDUCTOR_CACHE_DIR"].startswith(str(folder))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert state() == before
    assert not places[0].exists()


@pytest.mark.parametrize("name", ["torch._inductor.ir", "torch.utils.cpp_extension"])
def test_torch_logs_no_warnings(name: str) -> None:
    log = logging.getLogger(name)
    with compiling("x86-64-v2"):
        assert not log.isEnabledFor(logging.WARNING)
    assert log.isEnabledFor(logging.WARNING)


def test_arrays_of_sizes_are_told_apart_by_who_writes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not by methods that are made anew for each call, and may have the id of another."""
    given: list[Any] = []

    def codegen(self: Any, int_array: str, writeline: Any, *args: Any, **kwargs: Any) -> None:
        given.append(writeline)

    monkeypatch.setattr(CppWrapperCpu, "codegen_int_array_var", codegen)
    buffers, wrapper = (IndentedBuffer(), IndentedBuffer()), object.__new__(CppWrapperCpu)
    with compiling("x86-64-v2"):
        for buffer in (*buffers, *buffers):
            wrapper.codegen_int_array_var("{1}", buffer.writeline)
        wrapper.codegen_int_array_var("{1}", buffers[0].writelines)
        wrapper.codegen_int_array_var("{1}", print)
    first, second, *again, other, free = given
    assert again[0] is first
    assert again[1] is second
    assert (first.__self__, second.__self__) == buffers
    assert other.__name__ == "writelines"
    assert free is print


def test_a_missing_compiler_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(UnavailableError, match=r"g\+\+ is not here.*install the package g\+\+"):
        check_compiler()


@pytest.mark.parametrize(
    ("module", "name"), [(cpu_vec_isa, "valid_vec_isa_list"), (cpp_builder, "_get_optimization_cflags")]
)
def test_another_torch_is_an_error(module: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(module, name)
    with pytest.raises(InternalError, match=f"no function {name}"), compiling("x86-64-v3"):
        pass


def test_flags_that_are_not_understood_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpp_builder, "_get_optimization_cflags", lambda *_: ["O3", "mcpu=native"])
    with compiling("x86-64-v3"), pytest.raises(InternalError, match="-march is expected"):
        flags()


def test_an_unknown_setting_is_an_error() -> None:
    with pytest.raises(InternalError, match="no setting nonsense"), compiling("x86-64-v3", {"nonsense": 1}):
        pass
