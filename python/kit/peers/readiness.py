"""Setting up each way, checking that it agrees with eager, and taking its fastest setting."""

from __future__ import annotations

from contextlib import nullcontext

import torch

from kit.cases import scale_of
from kit.compare import Tolerance, default_tolerance
from kit.errors import Error, ParityError
from kit.peers.contender import Absent, Call, Contender, Way
from kit.peers.quiet import quiet
from kit.peers.work import Work
from kit.replay import difference
from kit.report import worst_of
from kit.series import quantile
from kit.source import one_line

TRIAL_SECONDS = 0.02
_WARM_UP_CALLS = 4


def get_ready(way: Way, work: Work) -> Contender | Absent:
    """The way in its fastest setting, or why there is none.

    Raises what one of kit's own raises, and ParityError where it disagrees with eager; a peer is then
    absent.
    """
    working: dict[str, tuple[Call, str, float]] = {}
    refused = []
    for setting, make in way.settings.items():
        try:
            with nullcontext() if way.kit else quiet():
                call = make()
                agreement = agrees(call, work)
            working[setting] = call, agreement, trial(call)
        except Exception as error:  # a runtime may raise anything, and its row then says what
            if way.kit and isinstance(error, ParityError):
                raise ParityError(
                    f"{work.archive.path}: {way.name}, {setting}: {error}; give the recipe that the archive "
                    "was exported from, or see what python -m kit parity says"
                ) from error
            if way.kit:
                raise
            refused.append(f"{setting}: {reason_of(error)}")
    if not working:
        reasons = [one.partition(": ")[2] for one in refused]
        return Absent(way.name, reasons[0] if len(set(reasons)) == 1 else "; ".join(refused))
    setting = min(working, key=lambda name: working[name][2])
    call, agreement, _ = working[setting]
    return Contender(way.name, way.kit, setting, call, agreement, way.reference, tuple(refused))


def agrees(call: Call, work: Work) -> str:
    """How far its outputs are from eager's, in words. Raises ParityError if that is beyond the tolerance.

    The absolute tolerance is at scale, as for a compiled program at its export: see `scale_of`.
    """
    if work.method.seed is not None:
        torch.manual_seed(work.method.seed)
    outputs = call.run()
    scale = scale_of([*work.inputs, *work.expected])
    specs = work.method.signature.outputs
    if len(outputs) != len(specs):
        raise ParityError(f"it gives {len(outputs)} outputs where eager gives {len(specs)}")
    found = []
    for spec, actual, expected in zip(specs, outputs, work.expected, strict=True):
        tolerance = work.method.tolerances.get(spec.dtype, default_tolerance(spec.dtype))
        one = difference(actual, expected, Tolerance(tolerance.rtol, tolerance.atol * scale))
        if not one.within:
            raise ParityError(f"its output '{spec.name}' differs from eager's: {one.reason}")
        found.append(one)
    return str(worst_of(found))


def trial(call: Call, seconds: float = TRIAL_SECONDS) -> float:
    """Seconds for a call, roughly: the least median of three short series, after calls that warm it up."""
    once = min(call.time(_WARM_UP_CALLS, 1))
    groups = max(1, min(1000, int(seconds / max(once, 1e-7))))
    return min(quantile(sorted(call.time(groups, 1)), 0.5) for _ in range(3))


def reason_of(error: BaseException) -> str:
    """What an exception says is wrong, in one line; for a package that is not there, which one."""
    if isinstance(error, ModuleNotFoundError) and error.name is not None:
        return f"{error.name.partition('.')[0]} is not installed"
    text = one_line(error) if not isinstance(error, Error) else str(error)
    return text if len(text) <= 300 else text[:299] + "…"
