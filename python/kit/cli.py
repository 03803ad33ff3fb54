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
from kit.errors import ArchiveWarning, Error, UsageError

Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str], prog: str = "python -m kit") -> int:
    """Run a command; gives the exit code. Errors become one line on stderr."""
    arguments = list(arguments)
    verbose = "--traceback" in arguments
    try:
        with warnings.catch_warnings():
            _show_archive_warnings()
            options = _parser(prog).parse_args(arguments)
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
    print(f"kit: error: {' '.join(message.split())}", file=sys.stderr)
    return code


def _show_archive_warnings() -> None:
    """What an archive leaves unchecked is told in one line; other warnings look as Python's do."""
    ordinary = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *rest: object, **more: object) -> None:
        if issubclass(category, ArchiveWarning):
            print(f"kit: warning: {message}", file=sys.stderr)
        else:
            ordinary(message, category, *rest, **more)  # type: ignore[arg-type]

    warnings.showwarning = show


class _Parser(argparse.ArgumentParser):
    def __init__(self, **known: Any) -> None:
        super().__init__(allow_abbrev=False, **known)

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see {self.prog} --help")


def _parser(prog: str) -> argparse.ArgumentParser:
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
    _add_verify(commands)
    _add_parity(commands)
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
        help="a program to put in, may be repeated (default: torchscript, which this version has alone)",
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
        help="print what an archive holds",
        description="Open and check an archive, and print what it holds. The model is not loaded.",
    )
    parser.add_argument("archive", metavar="MODEL", help="the archive")
    parser.add_argument("--json", action="store_true", help="print JSON")
    _finish(parser, run.inspect)


def _add_verify(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "verify",
        help="replay the golden cases of an archive in the C++ engine",
        description="Replay the golden cases of an archive in the C++ engine, and compare with the outputs "
        "that the eager model gave at export. Exit code 5 if they differ beyond the tolerance.",
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
    _add_way(parser)
    _finish(parser, run.parity)


def _add_way(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--engine", default="auto", metavar="E", help="auto, torchscript, aoti or native (default: auto)"
    )
    parser.add_argument("--device", default="cpu", metavar="D", help="cpu, cuda or cuda:N (default: cpu)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _finish(parser: argparse.ArgumentParser, command: Command) -> None:
    parser.add_argument("--traceback", action="store_true", help="on an error print where it was raised, too")
    parser.set_defaults(command=command)
