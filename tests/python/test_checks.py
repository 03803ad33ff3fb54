"""What is thrown in the kernels that Inductor writes: the text of them, and what it does when compiled."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from kit.errors import InternalError
from kit.programs.checks import thrown_behind_regions, with_last_error

KERNELS = """\
#include <stdexcept>
#define AOTI_TORCH_CHECK(condition, text) if (!(condition)) throw std::runtime_error(text)

extern "C" void without_a_check(const long* in, long* out, long n)
{
    #pragma omp parallel
    {
        #pragma omp for
        for(long i=0; i<n; i+=1)
        {
            out[i] = in[i] + 1;
        }
    }
}

extern "C" void checked(const long* in, long* out, long n)
{
    #pragma omp parallel num_threads(3)
    {
        {
            #pragma omp for
            for(long i=0; i<n; i+=1)
            {
                out[i] = 0;
            }
        }
        {
            #pragma omp for simd simdlen(8) collapse(2)
            for(long i=0; i<n; i+=1)
            {
                for(long j=0; j<2; j+=1)
                {
                    {
                        AOTI_TORCH_CHECK(in[i] < 10, "index out of bounds");
                        if (j == 1) { out[i] = in[i] + 1; }
                    }
                }
            }
        }
        #pragma omp for
        for(long i=0; i<n; i+=1)
        {
            #pragma omp simd simdlen(8)
            for(long j=0; j<2; j+=1)
            {
                AOTI_TORCH_CHECK(in[i] > -10, "below its bounds");
            }
        }
        #pragma omp single
        {
            (in[0] != 5 ? 0 : (throw std::runtime_error("in a \\"block\\" } of one thread ("), 0));
        }
    }
}

extern "C" void in_one(const long* in, long* out, long n)
{
    #pragma omp parallel for num_threads(2)
    for (long i=0; i<n; i+=1)
    {
        AOTI_TORCH_CHECK(in[i] != 7, "seven");
        out[i] = in[i];
    }
}
"""

PROGRAM = """\
#include <cstdio>
#include <cstdlib>
#include <vector>
extern "C" void without_a_check(const long*, long*, long);
extern "C" void checked(const long*, long*, long);
extern "C" void in_one(const long*, long*, long);
int main(int, char** arguments) {
  std::vector<long> in(1000, std::atol(arguments[1])), out(1000);
  for (auto* const kernel : {without_a_check, checked, in_one}) {
    try {
      kernel(in.data(), out.data(), 1000);
      std::printf("%ld\\n", out[999]);
    } catch (const std::exception& error) {
      std::printf("%s\\n", error.what());
    }
  }
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kernels")
    (folder / "code.cpp").write_text(
        thrown_behind_regions(KERNELS) + PROGRAM.replace("#include", "\n#include")
    )
    command: list[str | Path] = [
        "g++",
        "-std=c++20",
        "-O2",
        "-fopenmp",
        "-o",
        folder / "program",
        folder / "code.cpp",
    ]
    subprocess.run(command, check=True)
    return folder / "program"


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ("3", ["4", "4", "3"]),
        ("10", ["11", "index out of bounds", "10"]),
        ("-10", ["-9", "below its bounds", "-10"]),
        ("5", ["6", 'in a "block" } of one thread (', "5"]),
        ("7", ["8", "8", "seven"]),
    ],
)
def test_a_check_that_fails_throws_once_behind_its_region(
    program: Path, number: str, said: list[str]
) -> None:
    done = subprocess.run([program, number], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == said


def test_what_checks_nothing_stays_as_it_is() -> None:
    kernels = KERNELS.replace("AOTI_TORCH_CHECK", "IGNORE").replace("throw", "ignore")
    assert thrown_behind_regions(kernels) == kernels


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("for(long i=0; i<n; i+=1)\n            {\n                out", "while (n)\n{ out"),
        ("{\n                for(long j=0; j<2; j+=1)", "{\n                while (n)"),
        ("num_threads(3)\n    {", "num_threads(3)\n    call();"),
    ],
)
def test_code_of_another_form_is_refused(before: str, after: str) -> None:
    assert before in KERNELS
    with pytest.raises(InternalError, match="in Inductor's code"):
        thrown_behind_regions(KERNELS.replace(before, after))


def test_the_reason_is_kept_and_not_printed(tmp_path: Path) -> None:
    old = """\
#include <iostream>
#include <stdexcept>
int fail(const char* text) {
  try {
    if (*text != 0) throw std::runtime_error(text);
  } catch (const std::exception& e) {
    std::cerr << "Error: " << e.what() << '\\n';
    return 1;
  }
  return 0;
}
"""
    program = 'int main() { fail("first"); fail("second"); std::cout << kit_take_error() << \'|\''
    program += " << kit_take_error() << '|'; fail(\"\"); std::cout << kit_take_error(); }\n"
    (tmp_path / "code.cpp").write_text(with_last_error(old) + program)
    subprocess.run(["g++", "-o", tmp_path / "program", tmp_path / "code.cpp"], check=True)
    done = subprocess.run([tmp_path / "program"], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("second||", "")
    new = with_last_error(f"static thread_local std::string g_aoti_last_error;\n{old}")
    assert "std::cerr" not in new
    assert "kit_" not in new
    with pytest.raises(InternalError, match="another form"):
        with_last_error(old.replace("cerr", "clog"))
