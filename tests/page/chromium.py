"""What a person does with a page: words for tests to drive Chromium by."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from selenium import webdriver

Browser: TypeAlias = webdriver.Chrome
Open: TypeAlias = Callable[[Path], Browser]


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


def rows_shown(browser: Browser) -> list[int]:
    """Row numbers of the digits shown."""
    script = "return [...document.querySelectorAll('.card')].map(card => Number(card.dataset.row))"
    return list(ask(browser, script))


def click(browser: Browser, selector: str) -> None:
    script = """
        const seen = [...document.querySelectorAll(arguments[0])].find(e => e.checkVisibility());
        seen.scrollIntoView({block: 'center'});
        return seen"""
    ask(browser, script, selector).click()


def cell_of(true: int, read: int) -> str:
    return f'button[data-true="{true}"][data-read="{read}"]'


def press(browser: Browser, *keys: str) -> None:
    for key in keys:
        browser.switch_to.active_element.send_keys(key)


def emulate(browser: Browser, width: int = 1400, **media: str) -> None:
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": media.get("scheme", "light")}]
    options = {"media": media.get("media", ""), "features": features}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", options)
