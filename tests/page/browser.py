"""What the tests do in a headless Chromium."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

WIDE, NARROW = (1280, 800), (420, 800)


class Browser:
    """One window; `open` shows a page in it, of some size."""

    def __init__(self, chromium: str, driver: str) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        # Root, as in a container, cannot have the sandbox; /dev/shm is small there.
        for switch in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "disable-gpu"):
            options.add_argument(f"--{switch}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(driver))

    def close(self) -> None:
        """End the browser."""
        self.driver.quit()

    def open(self, path: Path, size: tuple[int, int], scheme: str = "light") -> None:
        """Show a file in a window of that size, in pixels, in a "light" or "dark" scheme."""
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        self.requests()  # forget those of the page before
        self.complaints()
        self.driver.get(path.as_uri())

    def requests(self) -> list[str]:
        """Where the browser wanted something from since this was asked last."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        sent = [event for event in events if event["method"] == "Network.requestWillBeSent"]
        return [event["params"]["request"]["url"] for event in sent]

    def complaints(self) -> list[str]:
        """What the console has got since this was asked last."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def all(self, selector: str) -> list[WebElement]:
        """The elements that a selector of CSS finds."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        """The only one."""
        (found,) = self.all(selector)
        return found

    def box(self, stage: str, name: str) -> WebElement:
        """A box of the drawing of a stage."""
        return self.one(f'.stage[aria-label="{stage}"] [data-box="{name}"]')

    def transform(self, stage: str) -> str:
        """How the drawing of a stage is moved and scaled."""
        found = self.one(f'.stage[aria-label="{stage}"] .world').get_attribute("transform")
        assert found is not None
        return found

    def scale(self, stage: str) -> float:
        """Of the drawing of a stage."""
        return float(self.transform(stage).partition("scale(")[2].rstrip(")"))

    def keys(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        ActionChains(self.driver).send_keys(*keys).perform()

    def script(self, text: str, *arguments: Any) -> Any:
        """Run JavaScript."""
        return self.driver.execute_script(text, *arguments)
