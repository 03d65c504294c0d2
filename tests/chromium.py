"""Headless Chromium, and what tests ask of it."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

Browser: TypeAlias = webdriver.Chrome

_OPTIONS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--window-size=1400,900",
    "--force-prefers-reduced-motion",  # nothing moves while it is aimed at
)  # fmt: skip

# Every text with the colours that it stands in, where text and ground differ by less than WCAG's
# AA asks (4.5; 3 for large text): the ground is that of the nearest ancestor that has one.
CONTRAST = """
const context = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
const numbers = colour => {
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data];
};
const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map(v => v / 255)
        .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
};
const ground = element => {
    for (let each = element; each; each = each.parentElement) {
        const colour = numbers(getComputedStyle(each).backgroundColor);
        if (colour[3] === 255) return colour;
    }
    return [255, 255, 255];
};
const poor = [];
let checked = 0;
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
    if (element.closest('script, style, .unseen')) continue;
    const style = getComputedStyle(element);
    const text = light(numbers(style.color));
    const back = light(ground(element));
    const ratio = (Math.max(text, back) + 0.05) / (Math.min(text, back) + 0.05);
    checked += 1;
    const large = parseFloat(style.fontSize) >= 24;
    if (ratio < (large ? 3 : 4.5)) poor.push([element.outerHTML.slice(0, 90), ratio]);
}
return [checked, poor]
"""

SEEN = "return [...document.querySelectorAll(arguments[0])].filter(e => e.checkVisibility())"


@contextmanager
def started(folder: Path) -> Iterator[Browser]:
    """Chromium with its profile in a folder; it logs whatever it asks for."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        why = "needs Chromium and its driver: apt-get install chromium chromium-driver"
        (pytest.fail if "CI" in os.environ else pytest.skip)(why)
    options = Options()
    options.binary_location = program
    for option in (*_OPTIONS, f"--user-data-dir={folder}"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chromium = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield chromium
    finally:
        chromium.quit()


def fetched_since(browser: Browser) -> list[str]:
    """Every address asked for since this was asked last."""
    entries = browser.get_log("performance")
    messages = [json.loads(entry["message"])["message"] for entry in entries]
    sent = [each for each in messages if each["method"] == "Network.requestWillBeSent"]
    return [each["params"]["request"]["url"] for each in sent]


def ask(browser: Browser, script: str, *arguments: Any) -> Any:
    return browser.execute_script(script, *arguments)


def text_of(browser: Browser, selector: str) -> str:
    return str(ask(browser, "return document.querySelector(arguments[0])?.textContent", selector))


def click(browser: Browser, selector: str) -> None:
    element = ask(browser, SEEN, selector)[0]
    ask(browser, "arguments[0].scrollIntoView({block: 'center'})", element)
    element.click()


def press(browser: Browser, *keys: str) -> None:
    for key in keys:
        browser.switch_to.active_element.send_keys(key)


def emulate(browser: Browser, width: int = 1400, **media: str) -> None:
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": media.get("scheme", "light")}]
    options = {"media": media.get("media", ""), "features": features}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", options)


def end_emulation(browser: Browser) -> None:
    for command in ("Emulation.clearDeviceMetricsOverride", "Emulation.setEmulatedMedia"):
        browser.execute_cdp_cmd(command, {})
