"""The page: whole by itself, and well formed."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from kit.peers.page import page
from tests.peers.fakes import document


@pytest.mark.parametrize("batches", [(1, 64), (8,)])
def test_the_page_needs_nothing_but_itself(batches: tuple[int, ...]) -> None:
    text = page(document(batches))
    assert not re.search(r"https?://|src=|@import|url\(|<link|<script", text)
    assert "prefers-color-scheme: dark" in text


@pytest.mark.parametrize("batches", [(1, 64), (8,)])
def test_the_drawing_is_well_formed_and_has_a_line_for_each_way(batches: tuple[int, ...]) -> None:
    text = page(document(batches))
    drawing = ElementTree.fromstring(text[text.index("<svg") : text.index("</svg>") + 6])
    groups = drawing.findall("g")
    assert len(groups) == 4
    names = {element.text for group in groups for element in group.findall("text")}
    assert {"kit native (C++)", "Peer & Co (C API)"} <= names
    marks = "circle" if len(batches) > 1 else "rect"
    assert all(len(group.findall(marks)) == len(batches) for group in groups)


def test_names_are_escaped_and_tables_are_complete() -> None:
    text = page(document())
    assert "Peer &amp; Co" in text
    assert "Peer & Co" not in text
    assert text.count("<tbody>") == 3
    assert "Gone (Python): not measured: gone is not installed." in text
