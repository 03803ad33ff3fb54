"""The options of a command line that say how the TorchScript engine runs."""

from __future__ import annotations

import argparse

import pytest

from kit.cli_configuration import add_configuration, configuration_of
from kit.configuration import Configuration
from kit.errors import UsageError


def parse(*options: str) -> Configuration:
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_configuration(parser)
    return configuration_of(parser.parse_args(options))


def test_each_option_sets_its_field() -> None:
    assert parse() == Configuration()
    assert parse("--fusion", "on") == Configuration(fusion=True)
    assert parse("--fusion", "off", "--executor", "simple") == Configuration(fusion=False, executor="simple")
    assert parse("--freeze") == Configuration(freeze=True)
    assert parse("--no-freeze") == Configuration(freeze=False)
    assert parse("--tf32", "on") == Configuration(tf32=True)
    assert parse("--tf32", "off") == Configuration(tf32=False)
    assert parse("--threads", "2", "--interop-threads", "3") == Configuration(threads=2, interop_threads=3)
    assert parse("--static-depth", "0", "--dynamic-depth", "4") == Configuration(
        static_depth=0, dynamic_depth=4
    )


@pytest.mark.parametrize(
    ("options", "mention"),
    [
        (("--threads", "0"), "threads is 0"),
        (("--interop-threads", "-1"), "interop_threads is -1"),
        (("--static-depth", "-1"), "static_depth is -1"),
        (("--fusion", "on", "--executor", "simple"), "simple executor fuses nothing"),
    ],
)
def test_what_cannot_be_is_refused(options: tuple[str, ...], mention: str) -> None:
    with pytest.raises(UsageError, match=mention):
        parse(*options)


@pytest.mark.parametrize(
    "options",
    [("--fusion", "maybe"), ("--executor", "fast"), ("--threads", "many"), ("--freeze", "--no-freeze")],
)
def test_what_is_no_value_is_refused(options: tuple[str, ...]) -> None:
    with pytest.raises(argparse.ArgumentError, match=options[0]):
        parse(*options)
