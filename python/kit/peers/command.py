"""`python -m kit bench MODEL --peers RECIPE`: its options, and the files of its plots."""

from __future__ import annotations

import argparse
from dataclasses import replace

from kit.cli_configuration import configuration_of
from kit.configuration import DEFAULTS
from kit.errors import UsageError
from kit.peers.comparing import compare_with_peers
from kit.peers.page import page
from kit.peers.plot import check_matplotlib, png
from kit.peers.report import PeerReport
from kit.writing import check_destination, replacing


def compare(options: argparse.Namespace) -> PeerReport:
    """The comparison that the options ask for. What they can be wrong about is refused before it begins."""
    configuration = configuration_of(options)
    if replace(configuration, threads=None) != DEFAULTS:
        raise UsageError(
            "with --peers each way runs as it is fastest; drop the options of the TorchScript engine"
        )
    refused = {
        "--target": options.target,
        "--threads": options.callers,
        "--compare": options.compare,
    }
    for option, value in refused.items():
        if value:
            raise UsageError(f"{option} does not go with --peers; drop one of them")
    if options.device != "cpu":
        raise UsageError(f"--peers compares on the CPU, and --device is {options.device}; drop it")
    if options.plot is not None:
        check_matplotlib()
        for path in _files(options.plot):
            check_destination(path)
    threads = configuration.threads
    return compare_with_peers(
        options.archive,
        options.peers,
        engine=options.engine,
        method=options.method,
        batches=options.batches,
        threads=1 if threads is None else threads,
        seconds=options.seconds,
        starts=options.starts,
    )


def write_plots(prefix: str, report: PeerReport) -> None:
    """Write the plot as PNG and as a page that needs no network."""
    image, html = _files(prefix)
    for path, content in ((image, png(report.document)), (html, page(report.document).encode())):
        with replacing(path, "plot") as file:
            file.write(content)


def _files(prefix: str) -> tuple[str, str]:
    return f"{prefix}.png", f"{prefix}.html"
