"""What a comparison found: as JSON for machines, and as a table for people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kit.series import Interval

FORMAT = "kit-peers"
VERSION = 1

Document = dict[str, Any]


@dataclass(frozen=True)
class PeerReport:
    """A comparison. `str` of it is the table.

    document: "sizes" has for each size the ways with their medians, the ratios of kit's to all others, and
        who was absent; "starts" the same for fresh processes.
    """

    document: Document

    def to_json(self) -> str:
        """The document."""
        return json.dumps(self.document, indent=1, ensure_ascii=False)

    def __str__(self) -> str:
        known = self.document
        host, threads = known["host"], known["threads"]
        versions = ", ".join(f"{name} {version}" for name, version in known["versions"].items())
        lines = [
            f"{known['archive']}: {known['model']['name']}, {_count(threads, 'thread')} within an operation",
            f"{host['cpu']}, {_count(host['cores'], 'core')}, load {host['load']:.2f}, {host['date']}",
            versions,
        ]
        for one in known["sizes"]:
            lines += ["", *_size(one)]
        if "starts" in known:
            lines += ["", *_starts(known["starts"])]
        return "\n".join(lines)


def interval(one: Interval) -> dict[str, float]:
    """As it stands in the document."""
    return {"median": one.median, "low": one.low, "high": one.high}


def best_of_kit(size: Document) -> Document:
    """The fastest of kit's ways at one size, of those that are there to win."""
    own: list[Document] = [way for way in size["ways"] if way["kit"] and not way["reference"]]
    return min(own, key=lambda way: way["microseconds"]["median"])


def ratio_of(size: Document, kit: str, over: str) -> dict[str, float] | None:
    """The ratio of one of kit's ways to another way, or None if it was not measured."""
    found: list[dict[str, float]] = [
        one for one in size["ratios"] if (one["kit"], one["over"]) == (kit, over)
    ]
    return found[0] if found else None


def sizes_text(sizes: dict[str, int]) -> str:
    """ "batch = 64"."""
    return ", ".join(f"{name} = {size}" for name, size in sizes.items()) or "its one size"


def spread_text(one: dict[str, float], form: str) -> str:
    """ "0.31 (0.30–0.32)"."""
    return f"{one['median']:{form}} ({one['low']:{form}}–{one['high']:{form}})"


def time_text(one: dict[str, float], unit: str = "") -> str:
    """The same with as many digits as make sense for its size."""
    median = one["median"]
    form = ",.0f" if median >= 1000 else ".1f" if median >= 100 else ".2f" if median >= 1 else ".3f"
    return spread_text(one, form) + unit


def _size(size: Document) -> list[str]:
    best = best_of_kit(size)["name"]
    stable = "" if size["stable"] else ", not all stable within 2 %"
    heading = (
        f"{sizes_text(size['sizes'])}: {_count(size['rounds'], 'round')} in {size['seconds']:.1f} s{stable}"
    )
    rows = [["", "µs for a call", f"{best} over it", "differs from eager by", "setting"]]
    ordered = sorted(size["ways"], key=lambda way: way["microseconds"]["median"])
    for way in ordered:
        found = ratio_of(size, best, way["name"])
        rows.append(
            [
                way["name"],
                time_text(way["microseconds"]),
                "" if found is None else spread_text(found, ".3f"),
                way["difference"],
                way["setting"],
            ]
        )
    lines = [heading, *_aligned(rows)]
    lines += [f"  {one['name']}: not measured: {one['reason']}" for one in size["absent"]]
    lines += [f"  {way['name']}: without {one}" for way in size["ways"] for one in way["refused"]]
    return lines


def _starts(starts: Document) -> list[str]:
    heading = (
        f"Start to first prediction of a whole process, {sizes_text(starts['sizes'])}: "
        f"{_count(starts['runs'], 'round')}"
    )
    rows = [["", "ms", "predictor over it"]]
    for way in sorted(starts["ways"], key=lambda way: way["milliseconds"]["median"]):
        found = next((one for one in starts["ratios"] if one["over"] == way["name"]), None)
        rows.append(
            [
                way["name"],
                time_text(way["milliseconds"]),
                "" if found is None else spread_text(found, ".4f"),
            ]
        )
    lines = [heading, *_aligned(rows)]
    return lines + [f"  {one['name']}: not measured: {one['reason']}" for one in starts["absent"]]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
