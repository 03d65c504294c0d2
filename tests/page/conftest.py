"""Pages to open, and Chromium to open them in."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.wait import WebDriverWait

from mnist_models import Comparison
from tests.page.chromium import Browser, Open, fetched_since, text_of
from tests.pages import crowded, drawn, several, written

_OPTIONS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--window-size=1400,900",
    "--force-prefers-reduced-motion",  # nothing moves while it is aimed at
)  # fmt: skip


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One Chromium for the whole session; it logs whatever it asks for."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        why = "needs Chromium and its driver: apt-get install chromium chromium-driver"
        (pytest.fail if "CI" in os.environ else pytest.skip)(why)
    options = Options()
    options.binary_location = program
    for option in (*_OPTIONS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chromium = webdriver.Chrome(options=options, service=Service(driver))
    yield chromium
    chromium.quit()


@pytest.fixture
def opened(browser: Browser) -> Iterator[Open]:
    """Open a page, and see at the end of the test that it fetched nothing and had no complaint."""

    def show(path: Path) -> Browser:
        browser.get(path.as_uri())
        WebDriverWait(browser, 20).until(lambda _: text_of(browser, "#status"))
        return browser

    browser.get("about:blank")
    fetched_since(browser)
    yield show
    for command in ("Emulation.clearDeviceMetricsOverride", "Emulation.setEmulatedMedia"):
        browser.execute_cdp_cmd(command, {})
    assert browser.get_log("browser") == []
    fetched = fetched_since(browser)
    assert any(url.startswith("file:") for url in fetched)
    assert {url.partition(":")[0] for url in fetched} <= {"file", "data", "about"}
    assert all(url.partition("#")[0].endswith(".html") for url in fetched if "file:" in url)


@pytest.fixture(scope="session")
def comparison() -> Comparison:
    return several()


@pytest.fixture(scope="session")
def report(comparison: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    written(comparison, path, drawn())
    return path


@pytest.fixture(scope="session")
def comparison_of_many() -> Comparison:
    return crowded()


@pytest.fixture(scope="session")
def many(comparison_of_many: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page on 62 classes with long names."""
    path = tmp_path_factory.mktemp("page") / "many.html"
    written(comparison_of_many, path, drawn(1500))
    return path
