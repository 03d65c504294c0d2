"""Light, dark, narrow, printed, without scripts."""

import base64
import dataclasses
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from mnist_models import Comparison
from tests.page.chromium import (
    Browser,
    Open,
    ask,
    click,
    emulate,
    text_of,
)
from tests.pages import drawn, made_up

# Every text with the colours that it stands in, where text and ground differ by less than WCAG's
# AA asks (4.5; 3 for large text): the ground is that of the nearest ancestor that has one.
_CONTRAST = """
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
    if (element.closest('script, style, title, .unseen')) continue;
    const style = getComputedStyle(element);
    const text = light(numbers(element.closest('svg') ? style.fill : style.color));
    const back = light(ground(element));
    const ratio = (Math.max(text, back) + 0.05) / (Math.min(text, back) + 0.05);
    checked += 1;
    const large = parseFloat(style.fontSize) >= 24;
    if (ratio < (large ? 3 : 4.5)) poor.push([element.outerHTML.slice(0, 90), ratio]);
}
return [checked, poor]
"""


@pytest.fixture(scope="session")
def shaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page whose matrix has every shade: of class i, i / 20 were read right."""
    labels = np.array(list("abcdefghijklmnopqrstu"))
    true = np.repeat(np.arange(21), 400)
    read = np.where(np.tile(np.arange(400), 21) < 20 * true, true, (true + 1) % 21)
    found = made_up(labels=labels, n=len(true), probabilities=None)
    path = tmp_path_factory.mktemp("page") / "shaded.html"
    dataclasses.replace(found, y_test=labels[true], test_predictions=labels[read]).to_html(path)
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_ground(
    opened: Open, shaded: Path, report: Path, many: Path, scheme: str
) -> None:
    for path in (shaded, report, many):
        browser = opened(path)
        emulate(browser, scheme=scheme)
        checked, poor = ask(browser, _CONTRAST)
        assert poor == []
        assert checked > 400


def test_the_page_of_shades_has_them_all(shaded: Path) -> None:
    text = shaded.read_text(encoding="utf-8")
    for kind in ("right", "wrong"):
        assert {int(heat) for heat in re.findall(rf'"{kind} heat-(\d+)"', text)} == set(range(21))


def test_light_and_dark_follow_the_system_and_then_the_button(opened: Open, report: Path) -> None:
    browser = opened(report)
    ground = "return getComputedStyle(document.body).backgroundColor"
    emulate(browser, scheme="light")
    light = ask(browser, ground)
    emulate(browser, scheme="dark")
    dark = ask(browser, ground)
    assert light != dark
    for colour in (light, dark, light):
        click(browser, "#theme")
        assert ask(browser, ground) == colour
    assert text_of(browser, "#theme") == "Dark"


@pytest.mark.parametrize("width", [360, 768, 1400])
def test_no_width_makes_the_page_scroll_sideways(opened: Open, report: Path, width: int) -> None:
    browser = opened(report)
    emulate(browser, width=width)
    assert ask(browser, "return document.documentElement.scrollWidth") <= width
    box = "const box = document.querySelector('.matrix').parentElement; return box.scrollWidth"
    assert (ask(browser, box) > width - 32) == (width == 360)


def test_many_names_do_not_either(opened: Open, many: Path) -> None:
    browser = opened(many)
    emulate(browser, width=360)
    assert ask(browser, "return document.documentElement.scrollWidth") <= 360


def test_long_names_do_not_either(opened: Open, tmp_path: Path) -> None:
    labels = ("T-shirt/top", "x" * 60, "a label of several words, which may break")
    found = {name: made_up(name, labels, seed=seed) for seed, name in enumerate(("m" * 60, "n"))}
    path = tmp_path / "report.html"
    Comparison(found).to_html(path, drawn())
    browser = opened(path)
    emulate(browser, width=360)
    assert ask(browser, "return document.documentElement.scrollWidth") <= 360


def test_it_prints_light_without_controls_and_with_digits(opened: Open, report: Path) -> None:
    browser = opened(report)
    emulate(browser, scheme="dark", media="print")
    assert ask(browser, "return getComputedStyle(document.body).color") == "rgb(20, 22, 26)"
    visible = "return [...document.querySelectorAll(arguments[0])].filter(e => e.checkVisibility())"
    assert ask(browser, visible + ".length", "#theme, #models, #more, #all-errors, .hint") == 0
    assert ask(browser, visible + ".length", ".card") == 60


def test_on_paper_the_matrix_of_every_model_is_whole(
    opened: Open, report: Path, comparison: Comparison, tmp_path: Path
) -> None:
    reader = shutil.which("pdftotext")
    if reader is None:
        (pytest.fail if "CI" in os.environ else pytest.skip)("needs apt-get install poppler-utils")
    printed = tmp_path / "report.pdf"
    printed.write_bytes(base64.b64decode(opened(report).print_page()))
    text = subprocess.run(
        [reader, "-layout", printed, "-"], check=True, capture_output=True, text=True, timeout=60
    ).stdout
    for name in comparison.ranking():
        of_model = text.partition(f"{name}: true classes in rows")[2]
        matrix, _, rest = of_model.partition(f"{name}: report by class")
        words = set(matrix.replace("\N{MIDDLE DOT}", " ").split())
        counts = comparison[name].confusion_matrix
        assert {str(count) for count in counts[counts > 0]} <= words
        assert {f"{count:,}" for count in counts.sum(axis=0)} <= words
        for figures in comparison[name].classification_report(output_dict=True).values():
            if isinstance(figures, dict):
                assert f"{figures['recall']:.3f}" in rest


def test_without_scripts_all_figures_can_be_read(browser: Browser, report: Path) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(report.as_uri())
        matrices = [e for e in browser.find_elements("class name", "matrix") if e.is_displayed()]
        assert len(matrices) == 3
        assert not browser.find_element("id", "digits").is_displayed()
        assert "switched off" in browser.find_element("tag name", "noscript").text
        assert browser.find_element("tag name", "polyline").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
