"""The page in a headless browser, and as a file."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from kit.errors import UnavailableError, UsageError
from kit.page.page import page, write_page
from tests.page import samples
from tests.page.data import data_of

pytest.importorskip("selenium", reason="selenium is not here: pip install selenium")
from tests.page.browser import NARROW, WIDE, Browser

SIZES = pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
STAGES = ("traced", "frozen", "optimized")


@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), (NARROW, "dark")], ids=["wide", "narrow"])
def test_it_loads_without_complaints_and_without_a_network(
    browser: Browser, sample_page: Path, size: tuple[int, int], scheme: str
) -> None:
    browser.open(sample_page, size, scheme)
    assert browser.complaints() == []
    asked = browser.requests()
    assert asked
    assert all(url == sample_page.as_uri() or url.startswith("data:") for url in asked)
    background = browser.script("return getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", background)[:3])) < 200) == (scheme == "dark")
    overflow = browser.script("return document.documentElement.scrollWidth - innerWidth")
    assert overflow <= 0


@SIZES
def test_every_box_is_drawn_and_its_text_fits(
    browser: Browser, sample_page: Path, size: tuple[int, int]
) -> None:
    data = data_of(sample_page.read_text())
    browser.open(sample_page, size)
    for which in ("folded", "full"):
        drawn = {element.get_attribute("data-box") for element in browser.all(".stage .box")}
        assert drawn == {box["name"] for stage in data["stages"] for box in stage[which]["boxes"]}
        wider = browser.script(
            "return [...document.querySelectorAll('.box')].filter((box) => [...box.querySelectorAll('text')]"
            ".some((text) => text.getBBox().width > box.firstChild.getBBox().width - 4)).length"
        )
        assert wider == 0
        browser.one("#full").click()


@SIZES
def test_stages_are_side_by_side_or_below_each_other(
    browser: Browser, sample_page: Path, size: tuple[int, int]
) -> None:
    browser.open(sample_page, size)
    places = [element.rect for element in browser.all(".stage")]
    along, across = ("x", "y") if size == WIDE else ("y", "x")
    assert [place[across] for place in places] == [places[0][across]] * 3
    assert places[0][along] < places[1][along] < places[2][along]
    width = places[0]["width"]
    for name in ("traced", "frozen"):
        next(button for button in browser.all("#toggles button") if button.text == name).click()
    (left,) = [element for element in browser.all(".stage") if element.is_displayed()]
    assert left.get_attribute("aria-label") == "optimized"
    assert left.rect["width"] == (
        browser.script("return document.documentElement.clientWidth") if size == WIDE else width
    )
    browser.all("#toggles button")[2].click()
    assert left.is_displayed(), "one stage is always shown"


@SIZES
def test_a_click_shows_the_line_and_the_same_operation_elsewhere(
    browser: Browser, sample_page: Path, size: tuple[int, int]
) -> None:
    browser.open(sample_page, size)
    assert not browser.one("#details").is_displayed()
    browser.box("traced", "n5").click()
    text = browser.one("#details").text
    assert "code/__torch__/chain.py:6" in text
    assert "_1 = torch.add(_0, m2)" in text
    assert "models/own.py:7\ny = scaled(x)" in text
    assert "models/own.py:9\ny = shifted(y)" in text
    assert "models/own.py:8" not in text, "that is another operation"
    assert "fused_mul_add_relu, when optimized" in text
    assert [element.get_attribute("data-box") for element in browser.all(".box.same")] == ["n5", "n7"]
    browser.keys("\ue00c")  # Escape
    assert not browser.one("#details").is_displayed()
    assert browser.all(".box.same, .box.selected") == []


def test_details_lead_along_the_values(browser: Browser, sample_page: Path) -> None:
    browser.open(sample_page, WIDE)
    browser.box("frozen", "n7").click()
    assert "it is not pointwise" not in browser.one("#details").text
    next(button for button in browser.all("#details .link") if button.text == "aten::relu").click()
    assert browser.one(".box.selected").get_attribute("data-box") == "n6"
    browser.keys("n")
    assert browser.one(".box.selected").get_attribute("data-box") == "n7"
    next(button for button in browser.all("#details .link") if button.text == "prim::Constant").click()
    assert browser.one("#full").is_selected(), "it has a box of its own only there"
    assert browser.one(".box.selected").get_attribute("data-box") == "n1@n5"
    assert "Float(4, 4) tensor" in browser.one("#details").text
    browser.one("#full").click()
    browser.keys("\ue00c")  # Escape: the details may lie over the box
    browser.box("optimized", "n10").click()
    assert "it is not pointwise" in browser.one("#details").text


FOUND = {
    "relu(_1)": ["n6", "n6", "n8"],
    "MATMUL": ["n8", "n7", "n10"],
    "m1": ["n4", "n4", "n6"],
    "%unused.1": ["n7"],
    "chain.py:9": ["n8", "n7", "n10"],
    "shifted(y)": ["n5", "n5", "n7"],
    "fused_mul_add_relu": ["n6", "n7", "n8"],
    "no such thing": [],
}


@SIZES
def test_a_search_marks_and_counts_and_goes_on(
    browser: Browser, sample_page: Path, size: tuple[int, int]
) -> None:
    browser.open(sample_page, size)
    for query, found in FOUND.items():
        browser.keys("\ue00c", "/", query)  # Escape first: "/" is typed where the focus is in the field
        assert [element.get_attribute("data-box") for element in browser.all(".box.match")] == found, query
        total = len(found)
        count = {0: "no match", 1: "1 match"}.get(total, f"{total} matches")
        assert browser.one("#count").text == count
        for at in range(total):
            browser.keys("\ue007")  # Enter
            assert browser.one("#count").text == f"{at + 1} of {total}"
            assert browser.one(".box.selected").get_attribute("data-box") == found[at]
        browser.script("document.activeElement.blur()")
    browser.one("#query").clear()
    assert browser.all(".box.match") == []


@SIZES
def test_what_is_found_is_in_sight(browser: Browser, sample_page: Path, size: tuple[int, int]) -> None:
    browser.open(sample_page, size)
    browser.keys("/", "20, 1")  # the last operation of each stage
    for stage, name in zip(STAGES, ("n9", "n8", "n11"), strict=True):
        browser.keys("\ue007")
        box = browser.box(stage, name)
        assert "selected" in str(box.get_attribute("class"))
        on_top = (
            "const at = arguments[0].getBoundingClientRect();"
            "return document.elementFromPoint(at.x + at.width / 2, at.y + at.height / 2).closest('.box')"
        )
        assert browser.script(on_top, box) == box


@SIZES
def test_zoom_and_pan_move_the_drawing(browser: Browser, sample_page: Path, size: tuple[int, int]) -> None:
    browser.open(sample_page, size)
    first = browser.scale("traced")
    out, zoom_in, fit = browser.all('.stage[aria-label="traced"] button')
    zoom_in.click()
    assert browser.scale("traced") == pytest.approx(first * 1.25)
    out.click()
    out.click()
    assert browser.scale("traced") == pytest.approx(first * 0.8)
    fit.click()
    surface = browser.one('.stage[aria-label="traced"] svg')
    surface.click()
    for key, moved in (("\ue014", "x"), ("\ue015", "y")):  # arrows right and down
        before = browser.transform("traced")
        browser.keys(key)
        assert browser.transform("traced") != before, moved
    before_wheel = browser.scale("traced")
    browser.script(
        "arguments[0].dispatchEvent(new WheelEvent('wheel', {deltaY: -100, cancelable: true}))", surface
    )
    assert browser.scale("traced") > before_wheel
    assert browser.scale("frozen") == first, "each stage for itself"


def test_a_drag_pans_and_selects_nothing(browser: Browser, sample_page: Path) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    browser.open(sample_page, WIDE)
    before = browser.transform("traced")
    ActionChains(browser.driver).drag_and_drop_by_offset(browser.box("traced", "n4"), 40, 30).perform()
    assert browser.transform("traced") != before
    assert browser.all(".box.selected") == []


def test_groups_are_coloured_and_listed(browser: Browser, sample_page: Path) -> None:
    browser.open(sample_page, WIDE)
    fill = "return getComputedStyle(arguments[0]).fill"
    frame = browser.one('.stage[aria-label="optimized"] .frame.fused rect')
    assert browser.script(fill, frame) not in ("none", "rgb(255, 255, 255)")
    assert len(browser.all('.stage[aria-label="traced"] .stripe')) == 3
    table, left = browser.all("#fusion table")
    assert "fused_mul_add_relu" in table.text
    assert "aten::mul, aten::add, aten::relu" in table.text
    assert not browser.one("#fusion pre").is_displayed()
    browser.one("#fusion summary").click()
    assert "for (int64_t i" in browser.one("#fusion pre").text
    assert [row.split(" ")[0] for row in left.text.splitlines()[1:]] == ["aten::matmul", "aten::add"]
    facts = browser.one("#facts").text
    for fact in ("forward", "cpu", "batch=4", "fusion on", "2.13.0"):
        assert fact in facts


def test_on_paper_the_whole_graph_is_shown(browser: Browser, sample_page: Path) -> None:
    browser.open(sample_page, WIDE)
    browser.script("dispatchEvent(new Event('beforeprint'))")
    for surface in browser.all(".stage svg"):
        assert surface.get_dom_attribute("viewBox")
    browser.script("dispatchEvent(new Event('afterprint'))")
    assert "scale" in browser.transform("traced")


def test_text_of_the_model_stays_text(browser: Browser, tmp_path: Path) -> None:
    bad = '</script><script>document.title = "run"</script><img src=x onerror="document.title = 1">@@data@@'
    graphs = samples.stages()
    for graph in graphs:
        graph["text"] = bad
        graph["nodes"][-1]["operation"] = bad
        graph["nodes"][-1]["line"]["text"] = bad
    report = samples.report()
    report["groups"][0]["name"] = report["groups"][0]["source"] = bad
    path = tmp_path / "bad.html"
    write_page(path, page(bad, graphs, report))
    browser.open(path, WIDE)
    assert browser.complaints() == []
    assert browser.driver.title == bad
    assert browser.one("h1").text == bad
    assert browser.all("img") == []
    browser.box("traced", "n9").click()
    assert bad in browser.one("#details").text


def test_nothing_fused_says_why(browser: Browser, tmp_path: Path) -> None:
    report = samples.report() | {"groups": [], "left_out": [], "note": "fusion is off"}
    path = tmp_path / "unfused.html"
    write_page(path, page("chain.pt", [samples.traced(), samples.frozen()], report))
    browser.open(path, WIDE)
    assert "fusion is off" in browser.one("#fusion").text
    assert [element.text for element in browser.all(".stage h2")] == ["traced", "frozen"]


def test_a_large_graph_stays_usable(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "large.html"
    report = samples.report() | {"groups": [], "left_out": []}
    write_page(path, page("large.pt", [samples.large(800)], report))
    browser.open(path, WIDE)
    assert len(browser.all(".box.operation")) == 800
    browser.all('.stage[aria-label="traced"] button')[2].click()
    milliseconds = browser.script(
        "const surface = document.querySelector('.stage svg'); const start = performance.now();"
        "for (let n = 0; n < 10; n++) {"
        "surface.dispatchEvent(new WheelEvent('wheel', {deltaY: -20, cancelable: true}));"
        "surface.getBoundingClientRect(); } return performance.now() - start"
    )
    assert milliseconds < 1000
    browser.keys("/")
    browser.keys("layers.150.weight")
    assert browser.one("#count").text == "1 match"
    browser.keys("\ue007")
    assert "layers.150.weight" in browser.one("#details").text


def test_without_graphviz_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UnavailableError, match="install the package graphviz"):
        page("chain.pt", samples.stages(), samples.report())


def test_a_failing_graphviz_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake = tmp_path / "dot"
    fake.write_text("#!/bin/sh\necho 'out of memory' >&2\nexit 3\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError, match="cannot place the graph: out of memory"):
        page("chain.pt", samples.stages(), samples.report())


def test_where_a_page_cannot_be_written_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        write_page(tmp_path / "no" / "report.html", "text")
    with pytest.raises(UsageError, match="a directory"):
        write_page(tmp_path, "text")

    def fail(code: int) -> Callable[[int], None]:
        def fsync(_: int) -> None:
            raise OSError(code, os.strerror(code))

        return fsync

    (tmp_path / "report.html").write_text("old")
    for code, remedy in ((28, "make room"), (30, "write it elsewhere")):
        monkeypatch.setattr(os, "fsync", fail(code))
        with pytest.raises(UnavailableError, match=remedy):
            write_page(tmp_path / "report.html", "new")
    assert os.listdir(tmp_path) == ["report.html"]
    assert (tmp_path / "report.html").read_text() == "old"
