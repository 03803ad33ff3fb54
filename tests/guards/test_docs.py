"""The pages of the rules are true: the offender gives the message that is shown, and the mended code none."""

from __future__ import annotations

import importlib.util
import re
import sys
import tempfile
from pathlib import Path

import pytest

import kit
from kit.guards.check import NAMES
from tests.conftest import ROOT

PAGES = ROOT / "docs/guards"


def found_in(code: str) -> list[str]:
    """What the guards say of a recipe, whose file is called model.py."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.py"
        path.write_text(code + "\n")
        spec = importlib.util.spec_from_file_location("guarded_page", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        try:
            spec.loader.exec_module(module)
            return [str(finding).replace(str(path), "model.py") for finding in kit.lint(module.recipe)]
        finally:
            del sys.modules[spec.name]


def block(page: str, heading: str, language: str) -> str:
    """The first block of a language under a heading."""
    section = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    found = re.search(rf"^```{language}\n(.*?)\n```$", section, re.MULTILINE | re.DOTALL)
    assert found is not None, f"no {language} block under {heading}"
    return found[1]


@pytest.mark.parametrize("rule", sorted(NAMES))
def test_page_is_true(rule: str) -> None:
    page = (PAGES / f"{rule}.md").read_text()
    assert page.startswith(f"# {rule}\n")
    messages = found_in(block(page, "Offender", "python"))
    assert "\n".join(messages) == block(page, "Offender", "text")
    assert all(message.endswith(f"[{rule}]") for message in messages)
    assert found_in(block(page, "Mended", "python")) == []


def test_the_table_has_every_rule() -> None:
    table = (PAGES / "README.md").read_text()
    rows = re.findall(r"^\| \[(.+?)\]\((.+?)\.md\) \| .+ \| (yes|no) \|$", table, re.MULTILINE)
    assert [(name, link) for name, link, _ in rows] == [(name, name) for name in NAMES]
    assert {name: may == "yes" for name, _, may in rows} == dict(NAMES)
    assert {path.stem for path in PAGES.glob("*.md")} == {*NAMES, "README"}
