"""`python -m kit`: the command line. Nothing of torch is imported before a command needs it."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from kit import __version__
from kit import commands as run
from kit.cli_bench import add_bench_options
from kit.cli_configuration import add_configuration
from kit.errors import ArchiveWarning, Error, UsageError

Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str], prog: str = "python -m kit") -> int:
    """Run a command; gives the exit code. Errors become one line on stderr."""
    arguments = list(arguments)
    verbose = "--traceback" in arguments
    try:
        with warnings.catch_warnings():
            _show_archive_warnings()
            options = _parser(prog, "--bisect-fusion" in arguments).parse_args(arguments)
            command: Command = options.command
            code = command(options)
        sys.stdout.flush()
        return code
    except Error as error:
        return _fail(error, str(error), error.exit_code, verbose)
    except KeyboardInterrupt as error:
        return _fail(error, "interrupted; nothing was written", 130, verbose)
    except BrokenPipeError:
        # Who read our output has gone. Python would complain once more when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:
        message = f"internal fault: {type(error).__name__}: {error}; report it, with what --traceback prints"
        return _fail(error, message, 1, verbose)


def _fail(error: BaseException, message: str, code: int, verbose: bool) -> int:
    if verbose:
        traceback.print_exception(error)
    print(f"kit: error: {run.harmless(' '.join(message.split()))}", file=sys.stderr)
    return code


def _show_archive_warnings() -> None:
    """What an archive leaves unchecked is told in one line; other warnings look as Python's do."""
    ordinary = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *rest: object, **more: object) -> None:
        if issubclass(category, ArchiveWarning):
            print(f"kit: warning: {run.harmless(str(message))}", file=sys.stderr)
        else:
            ordinary(message, category, *rest, **more)  # type: ignore[arg-type]

    warnings.showwarning = show


class _Parser(argparse.ArgumentParser):
    def __init__(self, **known: Any) -> None:
        super().__init__(allow_abbrev=False, **known)

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see {self.prog} --help")


def _parser(prog: str, bisecting: bool = False) -> argparse.ArgumentParser:
    if prog.endswith("kit.export"):
        # Alone, the command is the program: its name is taken from the arguments, and not shown.
        outer = _Parser(prog=prog, add_help=False)
        _add_export(outer.add_subparsers(required=True), prog)
        return outer
    parser = _Parser(
        prog=prog, description="Export a PyTorch model to an archive, and verify what it computes."
    )
    parser.add_argument("--version", action="version", version=f"kit {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")
    _add_export(commands, f"{prog} export")
    _add_lint(commands)
    _add_adopt(commands)
    _add_inspect(commands)
    _add_extract(commands)
    _add_verify(commands)
    if bisecting:
        _add_bisect(commands)
    else:
        _add_parity(commands)
    _add_bench(commands)
    return parser


_RECIPE = "path.py:function or package.module:function; the function takes nothing and returns a kit.Recipe"


def _add_export(commands: argparse._SubParsersAction[_Parser], prog: str) -> None:
    parser = commands.add_parser(
        "export",
        prog=prog,
        help="trace a model, write an archive and verify it",
        description="Run a recipe, trace its model, write an archive and verify it in the C++ engine.",
    )
    parser.add_argument("recipe", metavar="RECIPE", help=_RECIPE)
    parser.add_argument("-o", "--output", default="model.pt", help="the file to write (default: %(default)s)")
    parser.add_argument(
        "--program",
        action="append",
        dest="programs",
        metavar="P",
        help="a program to put in: native (needs no libtorch), aoti, or auto for all that can be made; may "
        "be repeated; torchscript is always in",
    )
    parser.add_argument(
        "--target",
        action="append",
        default=[],
        dest="targets",
        metavar="T",
        help="what native and aoti are compiled for: x86-64-v2, x86-64-v3 (default), x86-64-v4, and "
        "cuda:sm_NN for aoti alone; may be repeated, or several with commas between",
    )
    parser.add_argument(
        "--device", metavar="D", help="trace and verify on cpu, cuda or cuda:N (default: where the model is)"
    )
    parser.add_argument(
        "--on-branch",
        choices=["refuse", "script"],
        help="refuse control flow that a trace cannot hold, or compile the smallest function or submodule "
        "around it (default: what the recipe says, else refuse)",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="print no summary")
    _finish(parser, run.export)


def _add_lint(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "lint",
        help="say what would make a trace of the model lie",
        description="Run a recipe and look for what a trace of its model would not hold, without writing an "
        "archive. Every finding names the line and how to mend it; docs/guards has a page for each rule. "
        "Exit code 7 if there is one.",
    )
    parser.add_argument("recipe", metavar="RECIPE", help=_RECIPE)
    parser.add_argument("--device", metavar="D", help="cpu, cuda or cuda:N (default: where the model is)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    _finish(parser, run.lint)


def _add_adopt(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "adopt",
        help="make an archive of a TorchScript file from elsewhere",
        description="Load a TorchScript file that something else wrote, look at its graph as lint does, "
        "record what it computes as golden cases, and write an archive. It is compared with itself: whether "
        "it computes what the model it was made from computes, nobody can tell here.",
    )
    parser.add_argument("program", metavar="FILE", help="the TorchScript file")
    parser.add_argument(
        "--example",
        required=True,
        metavar="FILE",
        help=".safetensors with a tensor for each input, by its name",
    )
    parser.add_argument("-o", "--output", default="model.pt", help="the file to write (default: %(default)s)")
    parser.add_argument(
        "--dim",
        action="append",
        default=[],
        dest="dims",
        metavar="INPUT:AXIS=NAME:MIN..MAX",
        help="a dimension whose size may vary, as x:0=batch:1..4096; may be repeated (default: none)",
    )
    parser.add_argument("--name", metavar="N", help="the name of the model (default: that of the file)")
    parser.add_argument(
        "--allow", action="append", default=[], metavar="RULE", help="a finding to let pass; may be repeated"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="print no summary")
    _finish(parser, run.adopt)


def _add_inspect(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "inspect",
        help="print what an archive holds, and what the compiler makes of it",
        description="Open and check an archive, and print what it holds. The model is not loaded, unless its "
        "graph is asked for: as it was traced, after its weights were folded in (frozen), or as it is "
        "executed once it has run (optimized).",
    )
    parser.add_argument("archive", metavar="MODEL", help="the archive")
    parser.add_argument("--json", action="store_true", help="print JSON")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--graph", action="store_true", help="load the model and print its graph")
    what.add_argument(
        "--fusion-report",
        action="store_true",
        help="load the model, run golden cases, and print what was fused, and what was not",
    )
    what.add_argument(
        "--html",
        metavar="FILE",
        help="load the model, and write a page with its graph at each stage and the report (needs Graphviz)",
    )
    parser.add_argument(
        "--calls", type=int, metavar="N", help="how often the report runs each case (default: 4)"
    )
    parser.add_argument("--source", action="store_true", help="add the generated code to the report")
    parser.add_argument("--stage", metavar="S", help="traced (if not given), frozen or optimized")
    parser.add_argument("--diff", action="store_true", help="say what led from the stage before to this one")
    parser.add_argument(
        "--case",
        action="append",
        type=int,
        dest="cases",
        metavar="N",
        help="run the golden case of that index, for the report several; the first for the graph, all for "
        "the report, if not given",
    )
    parser.add_argument("--device", metavar="D", help="cpu, cuda or cuda:N (default: cpu)")
    parser.add_argument("--method", metavar="M", help="the method of the model (default: forward)")
    add_configuration(parser)
    _finish(parser, run.inspect)


def _add_extract(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "extract",
        help="write a compiled program to a file of its own, to run it without kit",
        description="Take a compiled program out of an archive. A native program becomes one shared object "
        "with its weights in it, which needs neither kit nor torch: whoever can call C can run it. An aoti "
        "program becomes a package for AOTInductor's loaders.",
    )
    parser.add_argument("archive", metavar="MODEL", help="the archive")
    parser.add_argument("--program", default="native", metavar="P", help="native (default) or aoti")
    parser.add_argument(
        "--target",
        metavar="T",
        help="what it is compiled for, as x86-64-v3 (default: the best for this host, or the only one)",
    )
    parser.add_argument("--method", metavar="M", help="the method of the model (default: forward)")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="the file to write")
    parser.add_argument(
        "--header", action="store_true", help="write the C header, kit_program.h, beside a native program"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="do not say what was written")
    _finish(parser, run.extract)


def _add_verify(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "verify",
        help="replay the golden cases of an archive in the C++ engine",
        description="Replay the golden cases of an archive in the C++ engine, and compare with the outputs "
        "that the eager model gave at export. Exit code 5 if they differ beyond the tolerance. `predictor "
        "verify` alone notes on this host that a program which was unverified has passed.",
    )
    parser.add_argument("archive", metavar="MODEL", help="the archive")
    parser.add_argument("--method", metavar="M", help="one method of the model (default: all)")
    _add_way(parser)
    _finish(parser, run.verify)


def _add_parity(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "parity",
        help="compare every way to run an archive with the eager model",
        description="Run the golden inputs through the eager model of the recipe, the traced program in "
        "Python, predictor, and the C++ engine in this process, and compare. The recipe is run again, which "
        "trains again if that is what it does: it must be seeded, or keep its weights in a file. Exit code "
        "5 if outputs differ beyond the tolerance.",
    )
    parser.add_argument("recipe", metavar="RECIPE", help=_RECIPE)
    parser.add_argument("archive", metavar="MODEL", help="the archive that was exported from it")
    parser.add_argument(
        "--layers",
        action="store_true",
        help="compare submodule by submodule and run by run, and name the first that differs",
    )
    parser.add_argument(
        "--method", metavar="M", help="the method to look into with --layers (default: forward)"
    )
    parser.add_argument(
        "--bisect-fusion",
        action="store_true",
        help="compare fused with unfused instead, and find what differs; takes MODEL alone, and options of "
        "its own: see --bisect-fusion --help",
    )
    _add_way(parser)
    _finish(parser, run.parity)


def _add_bisect(commands: argparse._SubParsersAction[_Parser]) -> None:
    """`parity` where it is given --bisect-fusion: without a recipe."""
    parser = commands.add_parser(
        "parity",
        help="find the fused group and the operation that make outputs differ",
        description="Run the golden inputs with fusion on and off, and compare. Where outputs differ, find "
        "the smallest group and the operation in it that cause it, and write a folder with a script that "
        "shows it by itself. Exit code 5 if outputs differ beyond the tolerance.",
    )
    parser.add_argument("archive", metavar="MODEL", help="the archive; no recipe is needed")
    parser.add_argument("--bisect-fusion", action="store_true", help="what this help is about")
    parser.add_argument(
        "-o", "--output", metavar="DIR", help="the folder to write (default: NAME-fusion for NAME.pt)"
    )
    parser.add_argument("--method", metavar="M", help="one method of the model (default: all)")
    parser.add_argument("--device", default="cpu", metavar="D", help="cpu, cuda or cuda:N (default: cpu)")
    parser.add_argument(
        "--runs", type=int, default=3, metavar="N", help="how often each case runs (default: %(default)s)"
    )
    parser.add_argument("--rtol", type=float, metavar="R", help="relative tolerance (default: the archive's)")
    parser.add_argument("--atol", type=float, metavar="A", help="absolute tolerance (default: the archive's)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_configuration(parser)
    _finish(parser, run.bisect)


def _add_bench(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "bench",
        help="measure start, latency, throughput and memory",
        description="Measure with predictor how an archive starts in fresh processes, latency, throughput "
        "and memory, and the latency of a call from Python. predictor bench --help says how. Exit code 5 "
        "if a figure is beyond the limit of a comparison. With --peers RECIPE calls of kit and of other "
        "runtimes take turns in one process, on the same inputs and with as many threads.",
    )
    add_bench_options(parser)
    _finish(parser, run.bench)


def _add_way(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--engine", default="auto", metavar="E", help="auto, torchscript, aoti or native (default: auto)"
    )
    parser.add_argument("--device", default="cpu", metavar="D", help="cpu, cuda or cuda:N (default: cpu)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_configuration(parser)


def _finish(parser: argparse.ArgumentParser, command: Command) -> None:
    parser.add_argument("--traceback", action="store_true", help="on an error print where it was raised, too")
    parser.set_defaults(command=command)
