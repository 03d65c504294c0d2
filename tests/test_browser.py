"""The HTML page as a person meets it: in headless Chromium, by mouse, by keyboard, on a phone."""

import base64
import dataclasses
import itertools
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from mnist_models import Comparison, Evaluation, compare, fetch_mnist, make_model
from tests.conftest import QUICK
from tests.pages import HOSTILE, crowded, drawn, expected_rows, made_up, several, written

_OPTIONS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--window-size=1400,900",
    "--force-prefers-reduced-motion",  # nothing moves while it is aimed at
)  # fmt: skip

Browser: TypeAlias = webdriver.Chrome
Open: TypeAlias = Callable[[Path], Browser]


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
        WebDriverWait(browser, 20).until(lambda _: _text(browser, "#status"))
        return browser

    browser.get("about:blank")
    _fetched(browser)
    yield show
    for command in ("Emulation.clearDeviceMetricsOverride", "Emulation.setEmulatedMedia"):
        browser.execute_cdp_cmd(command, {})
    assert browser.get_log("browser") == []
    fetched = _fetched(browser)
    assert any(url.startswith("file:") for url in fetched)
    assert {url.partition(":")[0] for url in fetched} <= {"file", "data", "about"}
    assert all(url.partition("#")[0].endswith(".html") for url in fetched if "file:" in url)


def _fetched(browser: Browser) -> list[str]:
    """Every address asked for since this was asked last."""
    entries = browser.get_log("performance")
    messages = [json.loads(entry["message"])["message"] for entry in entries]
    sent = [each for each in messages if each["method"] == "Network.requestWillBeSent"]
    return [each["params"]["request"]["url"] for each in sent]


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


def _run(browser: Browser, script: str, *arguments: Any) -> Any:
    return browser.execute_script(script, *arguments)


def _text(browser: Browser, selector: str) -> str:
    return str(_run(browser, "return document.querySelector(arguments[0])?.textContent", selector))


def _rows(browser: Browser) -> list[int]:
    """Row numbers of the digits shown."""
    script = "return [...document.querySelectorAll('.card')].map(card => Number(card.dataset.row))"
    return list(_run(browser, script))


def _click(browser: Browser, selector: str) -> None:
    script = """
        const seen = [...document.querySelectorAll(arguments[0])].find(e => e.checkVisibility());
        seen.scrollIntoView({block: 'center'});
        return seen"""
    _run(browser, script, selector).click()


def _cell(true: int, read: int) -> str:
    return f'button[data-true="{true}"][data-read="{read}"]'


def _press(browser: Browser, *keys: str) -> None:
    for key in keys:
        browser.switch_to.active_element.send_keys(key)


def _emulate(browser: Browser, width: int = 1400, **media: str) -> None:
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": media.get("scheme", "light")}]
    options = {"media": media.get("media", ""), "features": features}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", options)


# -- the digits of a cell --------------------------------------------------------------------------


def test_it_opens_with_all_errors_of_the_best_model(
    opened: Open, report: Path, comparison: Comparison
) -> None:
    browser, best = opened(report), comparison[comparison.best]
    assert _rows(browser) == expected_rows(best)[:60]
    assert f"all errors: 60 of {len(best.errors())} shown" in _text(browser, "#status")


def test_a_click_on_a_cell_shows_its_digits_the_most_confidently_wrong_first(
    opened: Open, report: Path, comparison: Comparison
) -> None:
    browser, best = opened(report), comparison[comparison.best]
    counts = best.confusion_matrix
    true, read = next((t, r) for t in range(10) for r in range(10) if t != r and counts[t, r] >= 3)
    _click(browser, _cell(true, read))
    rows = _rows(browser)
    assert rows == expected_rows(best, true, read)
    assert sorted(rows) == best.errors(true, read).tolist()
    n = len(rows)
    assert f"true {true} read as {read}: {n} of {n} shown" in _text(browser, "#status")
    assert "most confidently wrong first" in _text(browser, "#status")
    pressed = "return [...document.querySelectorAll('[aria-pressed=true]')]"
    (cell,) = _run(browser, f"{pressed}.filter(e => e.checkVisibility())")
    assert cell.text.startswith(f"{n}")


def test_a_cell_of_the_diagonal_shows_the_least_sure_first(
    opened: Open, report: Path, comparison: Comparison
) -> None:
    browser, best = opened(report), comparison[comparison.best]
    _click(browser, _cell(3, 3))
    assert _rows(browser) == expected_rows(best, 3, 3)
    assert "least sure first" in _text(browser, "#status")


def test_an_empty_cell_says_so(opened: Open, tmp_path: Path) -> None:
    found = made_up(labels=("a", "b"), right=1.0)
    path = tmp_path / "report.html"
    found.to_html(path, drawn())
    browser = opened(path)
    assert _text(browser, "#status") == "all errors: none"
    _click(browser, _cell(0, 1))
    assert _text(browser, "#status") == "true a read as b: none"
    assert _rows(browser) == []


def test_a_page_that_cannot_hold_all_digits_says_so(opened: Open, tmp_path: Path) -> None:
    found = made_up(n=12_000, right=0.98, labels=("a", "b"))
    path = tmp_path / "report.html"
    found.to_html(path, drawn(12_000, side=28))
    browser = opened(path)
    assert f"all errors: 60 of {len(found.errors())} in this file" in _text(browser, "#status")
    _click(browser, _cell(1, 1))
    assert _rows(browser) == expected_rows(found, "b", "b")[:60]
    assert "of the 12,000 digits: those misread first" in _text(browser, "#digits .note")


def test_a_class_in_the_margin_shows_all_its_errors(
    opened: Open, report: Path, comparison: Comparison
) -> None:
    browser, best = opened(report), comparison[comparison.best]
    _click(browser, 'button[data-true="4"]:not([data-read])')
    assert _rows(browser) == expected_rows(best, true=4)
    _click(browser, 'button[data-read="4"]:not([data-true])')
    assert _rows(browser) == expected_rows(best, predicted=4)


def test_show_more_goes_on_till_all_are_there(
    opened: Open, report: Path, comparison: Comparison
) -> None:
    browser, best = opened(report), comparison[comparison.best]
    _click(browser, "#more")
    assert _rows(browser) == expected_rows(best)[:120]
    assert len(_rows(browser)) == len(best.errors()) < 120
    focused = "return Number(document.activeElement.dataset.row)"
    assert _run(browser, focused) == expected_rows(best)[60]
    assert not _run(browser, "return document.querySelector('#more').checkVisibility()")


def test_a_card_says_all_there_is_to_say(
    opened: Open, report: Path, comparison: Comparison
) -> None:
    browser, ranking = opened(report), comparison.ranking()
    best = comparison[ranking[0]]
    row = expected_rows(best)[0]
    told = _text(browser, ".card")
    assert f"{best.y_true[row]} read as {best.y_pred[row]} " in told
    for name in ranking[1:]:
        assert f"{name} {comparison[name].y_pred[row]}" in told
    label = _run(browser, "return document.querySelector('.card svg').ariaLabel")
    assert best.probabilities is not None
    assert label == f"probabilities: {_likeliest(best, row)}"


def _likeliest(found: Evaluation, row: int) -> str:
    """The three likeliest classes and the true one, in words, from the thousandths in the page."""
    assert found.probabilities is not None
    thousandths = np.rint(1000 * found.probabilities[row]).astype(int)
    true = np.searchsorted(found.classes, found.y_true[row])
    order = np.argsort(-thousandths, kind="stable")
    codes = [code for place, code in enumerate(order) if place < 3 or code == true]
    told = ("<1" if thousandths[code] < 5 else (thousandths[code] + 5) // 10 for code in codes)
    return ", ".join(
        f"{found.classes[code]} {share} %" for code, share in zip(codes, told, strict=True)
    )


def test_of_many_classes_a_card_lists_the_likeliest(
    opened: Open, many: Path, comparison_of_many: Comparison
) -> None:
    browser, best = opened(many), comparison_of_many[comparison_of_many.best]
    script = """
        const told = line => `${line.firstChild.textContent} ${line.lastChild.textContent}`;
        return [...document.querySelectorAll('.card')].map(card =>
            [...card.querySelectorAll('.likeliest li')].map(told).join(', '))"""
    shown = _run(browser, script)
    assert len(shown) == 60
    for row, words in zip(expected_rows(best), shown, strict=False):
        assert words == _likeliest(best, row).replace("\ud800", r"\ud800")


def test_the_picture_is_that_of_its_row(opened: Open, report: Path) -> None:
    browser = opened(report)
    script = """
        return [...document.querySelectorAll('.card')].slice(0, 40).map(card => {
            const {width, height} = card.querySelector('canvas');
            const copy = new OffscreenCanvas(width, height)
                .getContext('2d', {willReadFrequently: true});
            copy.drawImage(card.querySelector('canvas'), 0, 0);
            const {data} = copy.getImageData(0, 0, width, height);
            return [Number(card.dataset.row), [...data].filter((_, i) => i % 4 === 0)];
        });"""
    pixels = drawn().astype(int)
    WebDriverWait(browser, 10).until(
        lambda _: any(sum(shown) for _, shown in _run(browser, script))
    )
    for row, shown in _run(browser, script):
        assert (
            max(abs(255 - ink - drawn) for ink, drawn in zip(shown, pixels[row], strict=True)) < 9
        )


# -- without a mouse -------------------------------------------------------------------------------


def test_the_keyboard_alone_is_enough(opened: Open, report: Path, comparison: Comparison) -> None:
    browser, ranking = opened(report), comparison.ranking()
    focused = "return document.activeElement.outerHTML.slice(0, 60) + document.activeElement.value"
    for _ in range(12):  # by Tab to the choice of models, past all that comes before
        _press(browser, Keys.TAB)
        if 'type="radio"' in _run(browser, focused):
            break
    _press(browser, Keys.ARROW_RIGHT)
    assert f"{ranking[1]}, all errors" in _text(browser, "#status")
    _press(browser, Keys.TAB)
    place = "const {dataset} = document.activeElement; return [dataset.true, dataset.read]"
    while _run(browser, place) == [None, None]:
        _press(browser, Keys.TAB)
    assert _run(browser, place) == ["0", "0"]
    _press(browser, Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_RIGHT, Keys.ENTER)
    assert _run(browser, place) == ["2", "1"]
    assert _rows(browser) == expected_rows(comparison[ranking[1]], 2, 1)
    _press(browser, Keys.HOME)
    assert _run(browser, place) == ["2", None]
    _press(browser, Keys.END, Keys.ARROW_UP, Keys.SPACE)
    assert _run(browser, place) == ["1", "9"]
    assert _rows(browser) == expected_rows(comparison[ranking[1]], 1, 9)


def test_focus_is_seen(opened: Open, report: Path) -> None:
    browser = opened(report)
    _press(browser, Keys.TAB)
    assert _text(browser, ":focus") == "Skip to the confusion matrix"
    assert _run(browser, "return document.querySelector(':focus').getBoundingClientRect().top") >= 0
    for _ in range(8):
        _press(browser, Keys.TAB)
        script = """
            const own = document.activeElement.matches('input')
                ? document.activeElement.nextElementSibling : document.activeElement;
            return getComputedStyle(own).outlineStyle"""
        assert _run(browser, script) == "solid"


# Whether what has the focus can be seen whole: nothing lies over it, it is not scrolled away.
_IS_SEEN = """
    const own = document.activeElement.closest('label') ?? document.activeElement;
    const {left, right, top, bottom} = own.getBoundingClientRect();
    return [left + 5, (left + right) / 2, right - 5].every(x =>
        [top + 5, (top + bottom) / 2, bottom - 5].every(y => {
            const there = document.elementFromPoint(x, y);
            return there && own.contains(there);
        }))"""


@pytest.mark.parametrize("which", ["report", "many"])
def test_the_arrow_keys_lead_to_no_cell_that_is_hidden(
    opened: Open, which: str, request: pytest.FixtureRequest
) -> None:
    browser = opened(request.getfixturevalue(which))
    _emulate(browser, width=360)
    _run(browser, f"document.querySelector('{_cell(0, 0)}').focus()")
    right, down, left, up = Keys.ARROW_RIGHT, Keys.ARROW_DOWN, Keys.ARROW_LEFT, Keys.ARROW_UP
    around = [key for key in (right, down, left, up) for _ in range(9)]
    for key in (*around, Keys.END, *[left] * 9, Keys.HOME, up):
        _press(browser, key)
        assert _run(browser, _IS_SEEN), _run(browser, "return document.activeElement.ariaLabel")


@pytest.mark.parametrize("which", ["report", "many"])
def test_the_tab_key_leads_to_nothing_that_is_hidden(
    opened: Open, which: str, request: pytest.FixtureRequest
) -> None:
    browser = opened(request.getfixturevalue(which))
    _emulate(browser, width=360)
    _press(browser, Keys.TAB)  # to the link that skips, and from there through the page
    stops: list[str] = []
    while _run(browser, "return document.activeElement !== document.body") and len(stops) < 40:
        stops.append(_run(browser, "return document.activeElement.outerHTML.slice(0, 80)"))
        large = _run(browser, "return document.activeElement.offsetHeight > 300")
        assert large or _run(browser, _IS_SEEN), stops[-1]
        _press(browser, Keys.TAB)
    assert 12 < len(stops) < 40  # one cell of the matrix, the rest by the arrow keys


def test_the_names_of_many_classes_stay_in_sight(opened: Open, many: Path) -> None:
    browser = opened(many)
    script = """
        const box = [...document.querySelectorAll('.matrix-box')].find(e => e.checkVisibility());
        box.scrollTo(box.scrollWidth, box.scrollHeight);
        box.scrollIntoView({block: 'center'});
        const place = box.getBoundingClientRect();
        const [x, y] = [place.left + place.width / 2, place.top + place.height / 2];
        return [
            box.clientHeight < box.scrollHeight / 2, place.height <= innerHeight,
            document.elementFromPoint(x, place.top + 40).closest('th').scope,
            document.elementFromPoint(place.left + 40, y).closest('th').scope,
        ]"""
    for width in (360, 1200):
        _emulate(browser, width=width)
        assert _run(browser, script) == [True, True, "col", "row"]


def test_headings_do_not_skip_a_level_and_every_control_has_a_name(
    opened: Open, report: Path, many: Path
) -> None:
    script = """
        const levels = [...document.querySelectorAll('h1, h2, h3, h4')].map(e => +e.tagName[1]);
        const named = e => e.ariaLabel || e.labels?.length || e.textContent.trim()
            || e.getAttribute('aria-labelledby');
        return [
            levels, document.documentElement.lang,
            [...document.querySelectorAll('button, a, input, summary, [tabindex="0"], [role]')]
                .filter(e => !named(e) && e.role !== 'status').map(e => e.outerHTML),
            [...document.querySelectorAll('table')].filter(e => !e.caption).length,
            [...document.querySelectorAll('header, main, footer')].length,
        ]"""
    for path in (report, many):
        levels, language, nameless, without_caption, landmarks = _run(opened(path), script)
        assert levels.count(1) == 1
        assert levels[0] == 1
        assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
        assert (language, nameless, without_caption, landmarks) == ("en", [], 0, 3)


def test_nothing_moves_for_those_who_asked_for_rest(opened: Open, report: Path) -> None:
    browser = opened(report)
    script = "return getComputedStyle(document.documentElement).scrollBehavior"
    for asked, behavior in (("no-preference", "smooth"), ("reduce", "auto")):
        features = [{"name": "prefers-reduced-motion", "value": asked}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        assert _run(browser, script) == behavior


def test_a_screen_reader_is_told_what_a_cell_is(
    opened: Open, report: Path, comparison: Comparison
) -> None:
    browser, best = opened(report), comparison[comparison.best]
    n = best.confusion_matrix[1, 1]
    label = _run(browser, f"return document.querySelector('{_cell(1, 1)}').ariaLabel")
    assert label.startswith(f"true 1, read as 1: {n} ")
    roles = """
        const nameless = [...document.querySelectorAll('button, input, canvas, svg[role]')]
            .filter(e => !(e.ariaLabel || e.textContent.trim() || e.closest('label')));
        return [nameless.length, document.querySelector('#status').role]"""
    assert _run(browser, roles) == [0, "status"]


# -- tables and models -----------------------------------------------------------------------------


@pytest.mark.parametrize("column", range(5))
def test_the_report_sorts_by_every_column(opened: Open, report: Path, column: int) -> None:
    browser = opened(report)
    script = f"""
        const table = document.querySelector('.classes');
        const header = table.querySelectorAll('thead th')[{column}];
        return [
            [...table.tBodies[0].rows].map(row => Number(row.children[{column}].dataset.value)),
            header.ariaSort, table.querySelectorAll('[aria-sort]').length,
        ]"""
    orders = set()
    for _ in range(2):
        _run(browser, f"document.querySelectorAll('.classes thead button')[{column}].focus()")
        _press(browser, Keys.ENTER)
        values, order, marked = _run(browser, script)
        assert values == sorted(values, reverse=order == "descending")
        assert marked == 1
        orders.add(order)
    assert orders == {"ascending", "descending"}


def test_another_model_shows_its_own_matrix_and_the_same_cell(
    opened: Open, report: Path, comparison: Comparison
) -> None:
    browser, ranking = opened(report), comparison.ranking()
    _click(browser, _cell(5, 2))
    for place in (2, 1, 0):
        _click(browser, f"#models label:nth-of-type({place + 1})")
        assert _rows(browser) == expected_rows(comparison[ranking[place]], 5, 2)
        visible = (
            "return [...document.querySelectorAll('.matrix')].filter(e => e.checkVisibility())"
        )
        (matrix,) = _run(browser, visible)
        assert f"{ranking[place]}: true classes" in matrix.text


def test_one_model_needs_no_choice_and_no_images(opened: Open, tmp_path: Path) -> None:
    found = made_up(tested=False)
    path = tmp_path / "report.html"
    found.to_html(path)
    browser = opened(path)
    assert _rows(browser) == expected_rows(found)[:60]
    assert _run(browser, "return document.querySelectorAll('#models, canvas').length") == 0


def test_without_probabilities_digits_come_by_row(opened: Open, tmp_path: Path) -> None:
    found = made_up(probabilities=None)
    path = tmp_path / "report.html"
    found.to_html(path, drawn())
    browser = opened(path)
    assert _rows(browser) == found.errors().tolist()[:60]
    assert _run(browser, "return document.querySelectorAll('.card svg').length") == 0


# -- hostile text ----------------------------------------------------------------------------------


def test_hostile_names_run_nothing(opened: Open, tmp_path: Path) -> None:
    names = ("</title><script>alert(3)</script>", "<svg onload=alert(4)>")
    found = Comparison({name: made_up(name, HOSTILE, seed=seed) for seed, name in enumerate(names)})
    path = tmp_path / "report.html"
    found.to_html(path, drawn())
    browser = opened(path)  # an alert would make every further command fail
    _click(browser, _cell(0, 1))
    labels = sorted(HOSTILE)
    assert f"true {labels[0]} read as {labels[1]}" in _text(browser, "#status")
    assert _run(browser, "return document.querySelectorAll('img, script').length") == 2
    headers = (
        "return [...document.querySelectorAll('.matrix thead button')].map(e => e.textContent)"
    )
    assert _run(browser, headers)[:3] == labels


def test_its_policy_is_in_force(browser: Browser, report: Path) -> None:
    """An element added to the page by force neither runs, nor styles, nor fetches."""
    browser.get(report.as_uri())
    script = """
        const script = document.createElement('script');
        script.textContent = 'window.ran = true';
        document.body.append(script);
        const style = document.createElement('style');
        style.textContent = 'body { opacity: 0 }';
        document.body.append(style);
        return [window.ran === true, getComputedStyle(document.body).opacity]"""
    assert _run(browser, script) == [False, "1"]
    complaints = browser.get_log("browser")
    assert len(complaints) == 2
    assert all("Content Security Policy" in each["message"] for each in complaints)


# -- light, dark, narrow, printed ------------------------------------------------------------------

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
        _emulate(browser, scheme=scheme)
        checked, poor = _run(browser, _CONTRAST)
        assert poor == []
        assert checked > 400


def test_the_page_of_shades_has_them_all(shaded: Path) -> None:
    text = shaded.read_text(encoding="utf-8")
    for kind in ("right", "wrong"):
        assert {int(heat) for heat in re.findall(rf'"{kind} heat-(\d+)"', text)} == set(range(21))


def test_light_and_dark_follow_the_system_and_then_the_button(opened: Open, report: Path) -> None:
    browser = opened(report)
    ground = "return getComputedStyle(document.body).backgroundColor"
    _emulate(browser, scheme="light")
    light = _run(browser, ground)
    _emulate(browser, scheme="dark")
    dark = _run(browser, ground)
    assert light != dark
    for colour in (light, dark, light):
        _click(browser, "#theme")
        assert _run(browser, ground) == colour
    assert _text(browser, "#theme") == "Dark"


@pytest.mark.parametrize("width", [360, 768, 1400])
def test_no_width_makes_the_page_scroll_sideways(opened: Open, report: Path, width: int) -> None:
    browser = opened(report)
    _emulate(browser, width=width)
    assert _run(browser, "return document.documentElement.scrollWidth") <= width
    box = "const box = document.querySelector('.matrix').parentElement; return box.scrollWidth"
    assert (_run(browser, box) > width - 32) == (width == 360)


def test_many_names_do_not_either(opened: Open, many: Path) -> None:
    browser = opened(many)
    _emulate(browser, width=360)
    assert _run(browser, "return document.documentElement.scrollWidth") <= 360


def test_long_names_do_not_either(opened: Open, tmp_path: Path) -> None:
    labels = ("T-shirt/top", "x" * 60, "a label of several words, which may break")
    found = {name: made_up(name, labels, seed=seed) for seed, name in enumerate(("m" * 60, "n"))}
    path = tmp_path / "report.html"
    Comparison(found).to_html(path, drawn())
    browser = opened(path)
    _emulate(browser, width=360)
    assert _run(browser, "return document.documentElement.scrollWidth") <= 360


def test_it_prints_light_without_controls_and_with_digits(opened: Open, report: Path) -> None:
    browser = opened(report)
    _emulate(browser, scheme="dark", media="print")
    assert _run(browser, "return getComputedStyle(document.body).color") == "rgb(20, 22, 26)"
    visible = "return [...document.querySelectorAll(arguments[0])].filter(e => e.checkVisibility())"
    assert _run(browser, visible + ".length", "#theme, #models, #more, #all-errors, .hint") == 0
    assert _run(browser, visible + ".length", ".card") == 60


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


# -- the real thing --------------------------------------------------------------------------------


@pytest.mark.slow
def test_three_models_on_mnist(opened: Open, mnist_folder: Path, tmp_path: Path) -> None:
    X_train, X_test, y_train, y_test = fetch_mnist(data_home=mnist_folder).split("report")
    models = {name: make_model(name, random_state=0, **QUICK[name]) for name in QUICK}
    rows = slice(0, 3000)
    comparison = compare(models, X_train[rows], y_train[rows], test=(X_test, y_test), cv=2)
    path = tmp_path / "report.html"
    comparison.to_html(path, X_test)
    assert path.stat().st_size < 3_000_000
    browser = opened(path)
    for place, name in enumerate(comparison.ranking()):
        _click(browser, f"#models label:nth-of-type({place + 1})")
        for true, read in ((4, 9), (4, 4)):
            _click(browser, _cell(true, read))
            wanted = expected_rows(comparison[name], true, read)
            assert _rows(browser) == wanted[:60]
            assert f"of {len(wanted):,} shown" in _text(browser, "#status")
