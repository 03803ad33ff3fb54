"""Rules on the way that a trace took: where Python decided or computed with what came out of a tensor."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from kit.guards.difference import first_difference
from kit.guards.evidence import Evidence, Trace
from kit.guards.finding import Finding
from kit.guards.numbers import Term, Verdict, affine, fit, other_sizes, same_form, verdict
from kit.guards.recorder import Event
from kit.guards.trial import turned
from kit.source import Place

_MEND_BRANCH = (
    "compute both sides and choose with torch.where, or export with on_branch='script' (--on-branch script)"
)

_MEND_SIZE = (
    "write it without the branch, narrow the Dim to the sizes that go one way, or export with "
    "on_branch='script' (--on-branch script)"
)
_FEW = 4
_CALLERS = 2
"""How many functions are read for the numbers that they name, the innermost first."""
_MOST_NAMED = 16


def value_branch(evidence: Evidence) -> Iterator[Finding]:
    """`if`, `while`, `assert` and the like on the values of a tensor."""
    for event in _of_values(evidence, "bool"):
        yield Finding(
            "value-branch",
            f"what runs next depends on the values of {_named(event)}, and the trace keeps what the example "
            f"chose ({event.outcome}) for all inputs",
            f"{_MEND_BRANCH}; an assertion on values can be left out",
            event.place,
            _about(event),
        )


def value_number(evidence: Evidence) -> Iterator[Finding]:
    """`.item()`, `int(t)`, `t.tolist()`, indexing by such a number, loops over what was selected."""
    for event in _of_values(evidence, "number", "list"):
        got = f" ({event.outcome:.6g})" if isinstance(event.outcome, float) else ""
        got = f" ({event.outcome})" if isinstance(event.outcome, int) else got
        yield Finding(
            "value-number",
            f"a Python number is taken from the values of {_named(event)}, and the trace keeps that of the "
            f"example{got} for all inputs",
            "leave it a tensor: index with index_select or gather, compute with 0-dimensional tensors",
            event.place,
            _about(event),
        )
    for event in _of_values(evidence, "unbind", "split"):
        yield Finding(
            "value-number",
            "a tensor that is as long as the values of an input make it is taken apart here, and the trace "
            f"keeps how many parts the example had ({event.outcome})",
            "compute with the tensor as a whole, without a loop over it",
            event.place,
            _about(event),
        )


def numpy_round_trip(evidence: Evidence) -> Iterator[Finding]:
    """Values that go through numpy, where a trace does not see them."""
    for event in _of_values(evidence, "array"):
        yield Finding(
            "numpy-round-trip",
            f"the values of {_named(event)} go to numpy, which a trace does not see: it would keep what "
            "numpy computes from the example for all inputs",
            "use the torch function of that name",
            event.place,
            _about(event),
        )


def untraced(evidence: Evidence) -> Iterator[Finding]:
    """`copy.deepcopy(t)`, `t.data = ...`, pickling, DLPack, threads: values move, or are computed, where a
    trace does not see them."""
    for event in evidence.example.events:
        if event.word == "unseen":
            yield Finding(
                "untraced",
                "values are copied here in a way that a trace does not see: the program would work on those "
                "of the example, or on none",
                "copy with t.clone(), and set values with t.copy_(...)",
                event.place,
                _about(event),
            )
        elif event.word == "thread":
            yield Finding(
                "untraced",
                "this is computed in a thread that the model starts, where a trace does not see it: the "
                "program would keep what came out for the example",
                "compute it in the thread that calls the model",
                event.place,
            )


def size_branch(evidence: Evidence) -> Iterator[Finding]:
    """`if` and the like on a size that is declared dynamic, unless it comes out the same for all sizes."""
    for column in _aligned(evidence):
        event = column[0]
        if event.word != "bool" or _by_value(event):
            continue
        differing = _differing(evidence, column)
        if differing:
            if _same_recorded(evidence, differing):
                continue  # a rare branch
            witness = f"it is {event.outcome} for the example and {not event.outcome} for {differing[0].what}"
        elif _verdict(evidence, column) == "varies" and few_sizes(evidence, column) is None:
            found = _turned(evidence, column)
            where = _described(found[0]) if found else "other sizes"
            witness = f"it is {event.outcome} for the example and {not event.outcome} for {where}"
        else:
            continue
        yield Finding(
            "size-branch",
            f"what runs next depends on a size that is declared dynamic: {witness}; the trace keeps what the "
            "example chose",
            _MEND_SIZE,
            event.place,
        )


def _differing(evidence: Evidence, column: Sequence[Event]) -> list[Trace]:
    """The traces in which a condition came out otherwise than for the example."""
    traces = zip(evidence.traces, column, strict=True)
    return [trace for trace, one in traces if one.outcome != column[0].outcome]


def _same_recorded(evidence: Evidence, traces: Sequence[Trace]) -> bool:
    """Whether the traces, which went another way than the example, recorded the same, and Python took as much
    from tensors: as if the ways were one."""
    example = evidence.example
    return all(
        trace.conversions == example.conversions and first_difference(example, trace) is None
        for trace in traces
    )


def _verdict(evidence: Evidence, column: Sequence[Event]) -> Verdict:
    dims = {dim.name: dim for dim in evidence.dims}
    if not same_form([one.term for one in column]):
        return "unknown"
    return verdict(_terms(column), [trace.sizes for trace in evidence.traces], dims)


def _turned(
    evidence: Evidence, column: Sequence[Event], of: Callable[[float], float] = bool
) -> list[dict[str, int]]:
    """Sizes that were tried and for which a condition, or a number, is another."""
    if not same_form([one.term for one in column]):
        return []
    return turned(_terms(column), [trace.sizes for trace in evidence.traces], evidence.dims, _FEW, of)


def _terms(column: Sequence[Event]) -> list[Term]:
    return [one.term for one in column if one.term is not None]


def few_sizes(evidence: Evidence, column: Sequence[Event]) -> tuple[str, list[int]] | None:
    """The few sizes of a dim, if they are few, for which a condition goes the other way than it went for the
    example: so few that the program can be compared with the model at each of them."""
    dims = {dim.name: dim for dim in evidence.dims}
    return other_sizes(_terms(column), [trace.sizes for trace in evidence.traces], dims, _FEW)


@dataclass(frozen=True)
class Doubt:
    """A branch on a dynamic size that goes another way for some sizes, or a Python number that is another
    there, of which the traces do not tell whether it makes a difference.

    finding: holds if the program differs from the model at one of these sizes, which are those of the example
    but for the dims that are named. certain: whether these are all. further: more sizes to compare at, if
    they are affordable; strict: the finding holds also if one of these is not.
    """

    finding: Finding
    sizes: Sequence[Mapping[str, int]]
    certain: bool = False
    further: Sequence[Mapping[str, int]] = ()
    strict: bool = False


def doubts(evidence: Evidence) -> Iterator[Doubt]:
    """What only a comparison of program and model can settle: branches that go another way for few sizes,
    those on a condition that can merely be tried, those both ways of which recorded the same, and numbers for
    which all traces recorded the same."""
    yield from _doubtful_branches(evidence)
    yield from _doubtful_numbers(evidence)


def _doubtful_branches(evidence: Evidence) -> Iterator[Doubt]:
    for column in _aligned(evidence):
        event = column[0]
        if event.word != "bool" or _by_value(event):
            continue
        differing = _differing(evidence, column)
        known = _verdict(evidence, column)
        if differing:
            others = [dict(one.sizes) for one in differing] if _same_recorded(evidence, differing) else []
        elif known == "varies":
            name, few = few_sizes(evidence, column) or ("", [])
            others = [{name: size} for size in few]
        else:
            others = _turned(evidence, column) if known == "unknown" else []
        if not others:
            continue
        where = " and for ".join(map(_described, others))
        finding = Finding(
            "size-branch",
            f"what runs next depends on a size that is declared dynamic: it is {event.outcome} for the "
            f"example and {not event.outcome} for {where}, where the program differs from the model",
            _MEND_SIZE,
            event.place,
        )
        certain = known == "varies" and not differing
        yield Doubt(finding, others, certain, _bounds(evidence) if differing else ())


def _doubtful_numbers(evidence: Evidence) -> Iterator[Doubt]:
    """What is made of a number in Python is not known, so many sizes are compared at."""
    for column in _dynamic_numbers(evidence):
        if _same_recorded(evidence, evidence.traces[1:]):
            further = [*_turned(evidence, column, float), *_named_sizes(evidence, column), *_spread(evidence)]
            yield Doubt(_kept_number(column[0]), [], further=further, strict=True)


def _bounds(evidence: Evidence) -> list[dict[str, int]]:
    """Each dim at its bounds."""
    return [{dim.name: size} for dim in evidence.dims for size in (dim.max, dim.min)]


def _spread(evidence: Evidence) -> list[dict[str, int]]:
    """All dims at their upper bounds, then each at its bounds and at the powers of two between."""
    powers = [2**exponent for exponent in range(32)]
    between = [{dim.name: size} for dim in evidence.dims for size in powers if dim.min < size < dim.max]
    return [{dim.name: dim.max for dim in evidence.dims}, *_bounds(evidence), *between]


def _named_sizes(evidence: Evidence, column: Sequence[Event]) -> Iterator[dict[str, int]]:
    """Sizes at which a Python number is one that the code names, or next to it: what Python may compare it
    with, as in `if len(x) == 348`."""
    if not all(isinstance(one.outcome, (int, float)) for one in column):
        return
    line = fit([one.outcome for one in column], [trace.sizes for trace in evidence.traces])
    dims = {dim.name: dim for dim in evidence.dims}
    if line is None:
        return
    for name, factor in line.factors.items():
        known = {round((number - line.constant) / factor) for number in _numbers_named(column[0])}
        near = sorted({size + step for size in known for step in (-1, 0, 1)})
        yield from ({name: size} for size in near if dims[name].min <= size <= dims[name].max)


def _numbers_named(event: Event) -> set[int]:
    """The whole numbers in the code that took the number, in its variables and the globals that it names, and
    those that its module has; of many the least."""
    found: set[int] = set()
    for caller in event.callers[:_CALLERS]:
        held = vars(caller.module).values() if caller.module is not None else ()
        named = (caller.globals.get(name) for name in caller.code.co_names)
        known = (*caller.code.co_consts, *caller.numbers, *named, *held)
        found |= {one for one in known if type(one) is int}
    return set(sorted(found, key=abs)[:_MOST_NAMED])


def _described(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{name} = {size}" for name, size in sizes.items())


def size_number(evidence: Evidence) -> Iterator[Finding]:
    """`int(x.shape[0])`, `len(x)`, `range(n)` and the like with a size that is declared dynamic."""
    for column in _dynamic_numbers(evidence):
        if not _same_recorded(evidence, evidence.traces[1:]):
            yield _kept_number(column[0])


def _dynamic_numbers(evidence: Evidence) -> Iterator[Sequence[Event]]:
    """Python numbers that are others at other sizes."""
    sizes = [trace.sizes for trace in evidence.traces]
    for column in _aligned(evidence):
        event = column[0]
        if event.word in ("bool", "unseen", "thread") or _by_value(event):
            continue
        number = affine(_terms(column), sizes) if same_form([one.term for one in column]) else None
        varies = bool(number.factors) if number is not None else bool(_turned(evidence, column, float))
        if varies or any(one.outcome != event.outcome for one in column):
            yield column


def _kept_number(event: Event) -> Finding:
    got = f" {event.outcome}" if event.outcome is not None else ""
    return Finding(
        "size-number",
        "a size that is declared dynamic becomes a Python number here, and the trace keeps that of the "
        f"example{got}",
        "use x.shape[i] as it is, without int(), len(), range() or a loop over it: the trace then computes "
        "it anew",
        event.place,
    )


def tracer_warning(evidence: Evidence) -> Iterator[Finding]:
    """What torch's tracer warned of and no other rule looked at."""
    for reason, path, line in evidence.example.warnings:
        yield Finding(
            "tracer-warning",
            f"torch's tracer says: {reason}",
            "express it with operations on tensors",
            Place(path, line),
        )


def _of_values(evidence: Evidence, *words: str) -> Iterable[Event]:
    """The events that depend on values."""
    return (event for event in evidence.example.events if event.word in words and _by_value(event))


def _by_value(event: Event) -> bool:
    return bool(event.origins.data) or event.origins.wild


def _aligned(evidence: Evidence) -> Iterable[tuple[Event, ...]]:
    """The events of all traces side by side, as far as these went the same way."""
    for column in zip(*(trace.events for trace in evidence.traces), strict=False):
        if any((one.place, one.word) != (column[0].place, column[0].word) for one in column):
            return
        yield column


def _named(event: Event) -> str:
    names = sorted(event.origins.data)
    if not names:
        return "an input (by the number of elements that were selected)"
    return f"input{'s' if len(names) > 1 else ''} " + ", ".join(f"'{name}'" for name in names)


def _about(event: Event) -> str:
    return ",".join(sorted(event.origins.data))
