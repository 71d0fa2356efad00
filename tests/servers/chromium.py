"""A headless Chromium that a test drives, and what the terminal on its page shows."""

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains

from tests.servers.postgresql import missing, wait_for

PACKAGE = "chromium-driver"  # Debian's; it brings along the chromium that it fits
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,943",
)
# textual.js keeps its terminal to itself. What first is given an address for its websocket is what holds it.
_CATCH = """
Object.defineProperty(Object.prototype, "websocket_url", {configurable: true, set(value) {
    window.caught = this;
    Object.defineProperty(this, "websocket_url", {value});
}});
"""
_READ = """
if (!window.caught) return "";
const terminal = window.caught.terminal, buffer = terminal.buffer.active;
return Array.from({length: terminal.rows}, (_, y) => buffer.getLine(y).translateToString(true)).join("\\n");
"""
_READ_PAGE = """
const told = document.getElementById("told");
return told && told.checkVisibility() ? told.innerText : "";
"""


class Browser:
    """What a person does with it, and sees."""

    def __init__(self, driver: Chrome, downloads: Path) -> None:
        self.driver = driver
        self.downloads = downloads

    def opens(self, address: str) -> None:
        self.driver.get(address)

    @property
    def terminal(self) -> str:
        """The text in the terminal, from its own memory."""
        text: str = self.driver.execute_script(_READ)
        return text

    @property
    def page(self) -> str:
        """The text beside it that can be seen."""
        text: str = self.driver.execute_script(_READ_PAGE)
        return text

    def sees(self, *texts: str) -> None:
        with self._told():
            wait_for(repr(texts), lambda: all(text in self.terminal for text in texts))

    def is_told(self, *texts: str, within: float = 30) -> None:
        """What stands on the page in front of the terminal."""
        with self._told():
            wait_for(repr(texts), lambda: all(text in self.page for text in texts), within)

    def presses(self, *keys: str) -> None:
        for key in keys:
            ActionChains(self.driver).send_keys(key).perform()

    def runs(self, script: str) -> Any:
        """The result of a script that calls `done` with it."""
        return self.driver.execute_async_script(f"const done = arguments[0]; {script}")

    def asked_for(self) -> set[str]:
        """The addresses that were asked for over a network since the last time."""
        found = set()
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                found.add(message["params"]["request"]["url"])
            elif message["method"] == "Network.webSocketCreated":
                found.add(message["params"]["url"])
        return {url for url in found if url.partition(":")[0] in {"http", "https", "ws", "wss"}}

    def complaints(self) -> list[str]:
        """What the browser itself found wrong with the page since the last time."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except AssertionError as error:
            error.add_note(f"{self.terminal}\n--\n{self.page}")
            raise


@contextlib.contextmanager
def chromium(folder: Path) -> Iterator[Browser]:
    """A new one, with all of its own in `folder`; skips the test where it is not installed."""
    program, driver_program = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver_program is None:
        missing(PACKAGE)
    assert program is not None
    options = ChromeOptions()
    options.binary_location = program
    downloads = folder / "downloads"
    downloads.mkdir()
    for flag in (*_FLAGS, f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(flag)
    options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("acceptInsecureCerts", True)  # noqa: FBT003 - its own way
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options=options, service=Service(driver_program))
    try:
        driver.set_script_timeout(20)
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": _CATCH})
        yield Browser(driver, downloads)
    finally:
        driver.quit()
