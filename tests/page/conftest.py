"""A headless browser, and pages to open in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kit.page.page import page, write_page
from tests.page import samples

if TYPE_CHECKING:
    from tests.page.browser import Browser


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, from Debian's packages."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("Chromium is not here: apt-get install chromium chromium-driver")
    if shutil.which("dot") is None:
        pytest.skip("Graphviz is not here: apt-get install graphviz")
    pytest.importorskip("selenium", reason="selenium is not here: pip install selenium")
    from tests.page.browser import Browser

    browser = Browser(chromium, driver)
    yield browser
    browser.close()


@pytest.fixture(scope="session")
def sample_page(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the sample, where there is a browser to open it."""
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_page(path, page("chain.pt", samples.stages(), samples.report(), samples.sources()))
    assert os.listdir(path.parent) == ["report.html"]
    return path
