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
from kit.errors import ArchiveWarning, Error, UnavailableError, UsageError

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


def _say(text: object) -> None:
    """Print, and find out now, not when Python exits, if it cannot be written."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnavailableError(f"cannot write <stdout>: {reason}; make room, or write elsewhere") from error


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
    parser.add_argument("-q", "--quiet", action="store_true", help="print no summary")
    _finish(parser, _export)


def _add_inspect(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "inspect",
        help="print what an archive holds",
        description="Open and check an archive, and print what it holds. The model is not loaded.",
    )
    parser.add_argument("archive", metavar="MODEL", help="the archive")
    parser.add_argument("--json", action="store_true", help="print JSON")
    _finish(parser, _inspect)


def _add_verify(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = commands.add_parser(
        "verify",
        help="replay the golden cases of an archive in the C++ engine",
        description="Replay the golden cases of an archive in the C++ engine, and compare with the outputs "
        "that the eager model gave at export. Exit code 5 if they differ beyond the tolerance.",
    )
    parser.add_argument("archive", metavar="MODEL", help="the archive")
    _add_way(parser)
    _finish(parser, _verify)


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
    _add_way(parser)
    _finish(parser, _parity)


def _add_way(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--engine", default="auto", metavar="E", help="auto, torchscript, aoti or native (default: auto)"
    )
    parser.add_argument("--device", default="cpu", metavar="D", help="cpu, cuda or cuda:N (default: cpu)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _finish(parser: argparse.ArgumentParser, command: Command) -> None:
    parser.add_argument("--traceback", action="store_true", help="on an error print where it was raised, too")
    parser.set_defaults(command=command)


def _export(options: argparse.Namespace) -> int:
    from kit.exporter import export_with_report
    from kit.summary import summary

    programs = options.programs or ["torchscript"]
    archive, report = export_with_report(
        options.recipe, None, options.output, programs, device=options.device
    )
    if not options.quiet:
        _say(summary(archive, report))
    return 0


def _inspect(options: argparse.Namespace) -> int:
    from kit.runtime import inspect

    archive = inspect(options.archive)
    _say(archive.to_json() if options.json else archive)
    return 0


def _verify(options: argparse.Namespace) -> int:
    from kit.replay import verify

    report = verify(options.archive, options.engine, options.device)
    _say(report.to_json() if options.json else report)
    report.raise_for_failure()
    return 0


def _parity(options: argparse.Namespace) -> int:
    from kit.replay import parity

    report = parity(options.recipe, options.archive, options.engine, options.device)
    _say(report.to_json() if options.json else report)
    report.raise_for_failure()
    return 0
