"""The page as a person meets it: in headless Chromium, by mouse, by keyboard, on a phone."""

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from mnist_models import Comparison, Evaluation
from tests.chromium import (
    CONTRAST,
    SEEN,
    Browser,
    ask,
    click,
    emulate,
    end_emulation,
    fetched_since,
    press,
    text_of,
)
from tests.pages import HOSTILE, crowded, drawn, expected_rows, made_up, several

pytestmark = pytest.mark.slow

Open: TypeAlias = Callable[[Path], Browser]

# Whether what has the focus can be seen whole: nothing lies over it, it is not scrolled away.
_IS_SEEN = """
    const own = document.activeElement.closest('label') ?? document.activeElement;
    const {left, right, top, bottom} = own.getBoundingClientRect();
    return [left + 5, (left + right) / 2, right - 5].every(x =>
        [top + 5, (top + bottom) / 2, bottom - 5].every(y => {
            const there = document.elementFromPoint(x, y);
            return there && own.contains(there);
        }))"""


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
    end_emulation(browser)
    assert browser.get_log("browser") == []
    fetched = fetched_since(browser)
    assert any(url.startswith("file:") for url in fetched)
    assert {url.partition(":")[0] for url in fetched} <= {"file", "data", "about"}
    assert all(url.partition("#")[0].endswith(".html") for url in fetched if "file:" in url)


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return several()


@pytest.fixture(scope="module")
def page(comparison: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "page.html"
    comparison.to_html(path, drawn())
    return path


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page on 62 classes with long names."""
    path = tmp_path_factory.mktemp("page") / "many.html"
    crowded().to_html(path, drawn(1500, side=28))
    assert path.stat().st_size < 3_000_000
    return path


def rows_shown(browser: Browser) -> list[int]:
    """Row numbers of the digits shown."""
    script = "return [...document.querySelectorAll('.card')].map(card => Number(card.dataset.row))"
    return list(ask(browser, script))


def cell_of(true: int, read: int) -> str:
    return f'button[data-true="{true}"][data-read="{read}"]'


# -- the digits behind a cell ----------------------------------------------------------------------


def test_it_opens_with_all_errors_of_the_best_model_and_show_more_goes_on(
    opened: Open, page: Path, comparison: Comparison
) -> None:
    browser, best = opened(page), comparison[comparison.best]
    assert rows_shown(browser) == expected_rows(best)[:60]
    assert f"all errors: 60 of {len(best.errors())} shown" in text_of(browser, "#status")
    click(browser, "#more")
    assert rows_shown(browser) == expected_rows(best)
    focused = "return Number(document.activeElement.dataset.row)"
    assert ask(browser, focused) == expected_rows(best)[60]
    assert ask(browser, SEEN, "#more") == []


def test_doubtful_labels_are_those_of_suspects_in_their_order(
    opened: Open, page: Path, comparison: Comparison
) -> None:
    browser, best = opened(page), comparison[comparison.best]
    click(browser, "#doubtful")
    shown, wanted = rows_shown(browser), best.suspects().tolist()
    assert best.probabilities is not None
    own = best.probabilities[np.arange(400), np.searchsorted(best.classes, best.y_true)]
    assert len(shown) == 60
    # the page has thousandths, which tie where the probabilities do not
    np.testing.assert_allclose(own[shown], own[wanted[:60]], atol=0.002)
    assert "labels in doubt: 60 of" in text_of(browser, "#status")
    assert len(ask(browser, SEEN, "[aria-pressed=true]")) == 1
    click(browser, "#all-errors")
    assert rows_shown(browser) == expected_rows(best)[:60]


def test_a_click_on_a_cell_shows_its_digits(
    opened: Open, page: Path, comparison: Comparison
) -> None:
    browser, best = opened(page), comparison[comparison.best]
    counts = best.confusion_matrix
    true, read = next((t, r) for t in range(10) for r in range(10) if t != r and counts[t, r] >= 3)
    click(browser, cell_of(true, read))
    rows = rows_shown(browser)
    assert rows == expected_rows(best, true, read)
    assert sorted(rows) == best.errors(true, read).tolist()
    n = len(rows)
    assert text_of(browser, "#status").endswith(
        f"true {true} read as {read}: {n} of {n} shown, most confidently wrong first"
    )
    (cell,) = ask(browser, SEEN, "[aria-pressed=true]")
    assert cell.text.startswith(f"{n}")
    click(browser, cell_of(3, 3))
    assert rows_shown(browser) == expected_rows(best, 3, 3)
    assert "least sure first" in text_of(browser, "#status")
    click(browser, 'button[data-true="4"]:not([data-read])')
    assert rows_shown(browser) == expected_rows(best, true=4)
    click(browser, 'button[data-read="4"]:not([data-true])')
    assert rows_shown(browser) == expected_rows(best, predicted=4)


def test_another_model_shows_its_own_matrix_and_the_same_cell(
    opened: Open, page: Path, comparison: Comparison
) -> None:
    browser, ranking = opened(page), comparison.ranking()
    click(browser, cell_of(5, 2))
    for place in (2, 1, 0):
        click(browser, f"#models label:nth-of-type({place + 1})")
        assert rows_shown(browser) == expected_rows(comparison[ranking[place]], 5, 2)
        (matrix,) = ask(browser, SEEN, ".matrix")
        assert f"{ranking[place]}: true classes" in matrix.text
        charts = [chart.get_attribute("alt") for chart in ask(browser, SEEN, ".charts img")]
        assert charts[0] == f"{ranking[place]}: loss by epoch, best epoch 2"


def test_a_page_that_cannot_hold_all_digits_says_so(opened: Open, tmp_path: Path) -> None:
    found = made_up(n=12_000, right=0.98, labels=("a", "b"))
    path = tmp_path / "page.html"
    found.to_html(path, drawn(12_000, side=28))
    browser = opened(path)
    assert f"all errors: 60 of {len(found.errors())} in this file" in text_of(browser, "#status")
    click(browser, cell_of(1, 1))
    assert rows_shown(browser) == expected_rows(found, "b", "b")[:60]
    assert "of the 12,000 images: first those that were" in text_of(browser, "#digits .note")
    path = tmp_path / "right.html"
    made_up(labels=("a", "b"), right=1.0).to_html(path, drawn())
    browser = opened(path)
    assert text_of(browser, "#status") == "all errors: none"
    click(browser, cell_of(0, 1))
    assert text_of(browser, "#status") == "true a read as b: none"


def test_without_a_choice_of_models_images_or_probabilities(opened: Open, tmp_path: Path) -> None:
    found = made_up(tested=False, probabilities=None)
    path = tmp_path / "page.html"
    found.to_html(path)
    browser = opened(path)
    assert rows_shown(browser) == found.errors().tolist()[:60]
    assert ask(browser, SEEN, "#models, canvas, .likeliest") == []


def _likeliest(found: Evaluation, row: int) -> list[str]:
    """The three likeliest classes and the true one, in words, from the thousandths in the page."""
    assert found.probabilities is not None
    thousandths = np.rint(1000 * found.probabilities[row]).astype(int)
    true = np.searchsorted(found.classes, found.y_true[row])
    order = np.argsort(-thousandths, kind="stable")
    codes = [code for place, code in enumerate(order) if place < 3 or code == true]
    told = ("<1" if thousandths[code] < 5 else (thousandths[code] + 5) // 10 for code in codes)
    labels = [str(found.classes[code]).replace("\ud800", r"\ud800") for code in codes]
    return [f"{label} {share} %" for label, share in zip(labels, told, strict=True)]


def test_a_card_says_what_each_model_made_of_the_digit(
    opened: Open, page: Path, many: Path, comparison: Comparison
) -> None:
    script = """
        const told = line => `${line.firstChild.textContent} ${line.lastChild.textContent}`;
        return [...document.querySelectorAll('.card')].map(card =>
            [...card.querySelectorAll('.likeliest li')].map(told))"""
    for path, found in ((page, comparison), (many, crowded())):
        browser, best = opened(path), found[found.best]
        rows = expected_rows(best)[:60]
        assert ask(browser, script) == [_likeliest(best, row) for row in rows]
    browser, ranking = opened(page), comparison.ranking()
    best = comparison[ranking[0]]
    row = expected_rows(best)[0]
    told = text_of(browser, ".card")
    assert f"{best.y_true[row]} read as {best.y_pred[row]}" in told
    for name in ranking[1:]:
        assert f"{name} {comparison[name].y_pred[row]}" in told


def test_the_picture_is_that_of_its_row(opened: Open, page: Path) -> None:
    browser = opened(page)
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
    WebDriverWait(browser, 10).until(lambda _: all(sum(shown) for _, shown in ask(browser, script)))
    for row, shown in ask(browser, script):
        assert np.abs(255 - np.array(shown) - pixels[row]).max() < 9


def test_hostile_names_run_nothing(opened: Open, tmp_path: Path) -> None:
    names = ("</title><script>alert(3)</script>", "<svg onload=alert(4)>")
    found = Comparison({name: made_up(name, HOSTILE, seed=seed) for seed, name in enumerate(names)})
    path = tmp_path / "page.html"
    found.to_html(path, drawn())
    browser = opened(path)  # an alert would make every further command fail
    click(browser, cell_of(0, 1))
    labels = sorted(HOSTILE)
    assert f"true {labels[0]} read as {labels[1]}" in text_of(browser, "#status")
    assert ask(browser, "return document.querySelectorAll('img:not(.chart), script').length") == 2
    headers = (
        "return [...document.querySelectorAll('.matrix thead button')].map(e => e.textContent)"
    )
    assert ask(browser, headers)[:3] == labels


# -- keyboard and screen reader --------------------------------------------------------------------


def test_the_keyboard_alone_is_enough(opened: Open, page: Path, comparison: Comparison) -> None:
    browser, ranking = opened(page), comparison.ranking()
    focused = "return document.activeElement.outerHTML.slice(0, 60) + document.activeElement.value"
    for _ in range(12):  # by Tab to the choice of models, past all that comes before
        press(browser, Keys.TAB)
        if 'type="radio"' in ask(browser, focused):
            break
    press(browser, Keys.ARROW_RIGHT)
    assert f"{ranking[1]}, all errors" in text_of(browser, "#status")
    press(browser, Keys.TAB)
    place = "const {dataset} = document.activeElement; return [dataset.true, dataset.read]"
    while ask(browser, place) == [None, None]:
        press(browser, Keys.TAB)
    assert ask(browser, place) == ["0", "0"]
    press(browser, Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_RIGHT, Keys.ENTER)
    assert ask(browser, place) == ["2", "1"]
    assert rows_shown(browser) == expected_rows(comparison[ranking[1]], 2, 1)
    press(browser, Keys.HOME)
    assert ask(browser, place) == ["2", None]
    press(browser, Keys.END, Keys.ARROW_UP, Keys.SPACE)
    assert ask(browser, place) == ["1", "9"]
    assert rows_shown(browser) == expected_rows(comparison[ranking[1]], 1, 9)


@pytest.mark.parametrize("which", ["page", "many"])
def test_no_key_leads_to_what_is_hidden(
    opened: Open, which: str, request: pytest.FixtureRequest
) -> None:
    browser = opened(request.getfixturevalue(which))
    emulate(browser, width=360)
    press(browser, Keys.TAB)  # to the link that skips, and from there through the page
    assert text_of(browser, ":focus") == "Skip to the confusion matrix"
    stops: list[str] = []
    outline = """
        const own = document.activeElement.matches('input')
            ? document.activeElement.nextElementSibling : document.activeElement;
        return getComputedStyle(own).outlineStyle"""
    while ask(browser, "return document.activeElement !== document.body") and len(stops) < 40:
        stops.append(ask(browser, "return document.activeElement.outerHTML.slice(0, 80)"))
        large = ask(browser, "return document.activeElement.offsetHeight > 300")
        assert large or ask(browser, _IS_SEEN), stops[-1]
        assert ask(browser, outline) == "solid", stops[-1]
        press(browser, Keys.TAB)
    assert 10 < len(stops) < 40  # one cell of the matrix, the rest by the arrow keys
    ask(browser, f"document.querySelector('{cell_of(0, 0)}').focus()")
    right, down, left, up = Keys.ARROW_RIGHT, Keys.ARROW_DOWN, Keys.ARROW_LEFT, Keys.ARROW_UP
    around = [key for key in (right, down, left, up) for _ in range(9)]
    for key in (*around, Keys.END, *[left] * 9, Keys.HOME, up):
        press(browser, key)
        assert ask(browser, _IS_SEEN), ask(browser, "return document.activeElement.ariaLabel")


def test_a_screen_reader_is_told_what_things_are(
    opened: Open, page: Path, many: Path, comparison: Comparison
) -> None:
    script = """
        const levels = [...document.querySelectorAll('h1, h2, h3, h4')].map(e => +e.tagName[1]);
        const named = e => e.ariaLabel || e.alt || e.labels?.length || e.textContent.trim()
            || e.getAttribute('aria-labelledby');
        return [
            levels, document.documentElement.lang,
            [...document.querySelectorAll(
                'button, a, input, img, canvas, summary, [tabindex="0"], [role]'
            )].filter(e => !named(e) && e.role !== 'status').map(e => e.outerHTML),
            [...document.querySelectorAll('table')].filter(e => !e.caption).length,
            [...document.querySelectorAll('header, main, footer')].length,
        ]"""
    for path in (many, page):
        levels, language, nameless, without_caption, landmarks = ask(opened(path), script)
        assert levels.count(1) == levels[0] == 1
        assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
        assert (language, nameless, without_caption, landmarks) == ("en", [], 0, 3)
    browser = opened(page)
    n = comparison[comparison.best].confusion_matrix[1, 1]
    label = ask(browser, f"return document.querySelector('{cell_of(1, 1)}').ariaLabel")
    assert label.startswith(f"true 1, read as 1: {n} ")


def test_the_classification_report_sorts_by_every_column(opened: Open, page: Path) -> None:
    browser = opened(page)
    script = """
        const [table, place] = [document.querySelector('.classes'), arguments[0]];
        const header = table.querySelectorAll('thead th')[place];
        return [
            [...table.tBodies[0].rows].map(row => Number(row.children[place].dataset.value)),
            header.ariaSort, table.querySelectorAll('[aria-sort]').length,
        ]"""
    for column in range(5):
        orders = set()
        for _ in range(2):
            ask(browser, f"document.querySelectorAll('.classes thead button')[{column}].focus()")
            press(browser, Keys.ENTER)
            values, order, marked = ask(browser, script, column)
            assert values == sorted(values, reverse=order == "descending")
            assert marked == 1
            orders.add(order)
        assert orders == {"ascending", "descending"}


# -- light, dark, narrow, printed, without scripts -------------------------------------------------


@pytest.fixture(scope="module")
def shaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page whose matrix has every shade: of class i, i / 20 were read right."""
    labels = np.array(list("abcdefghijklmnopqrstu"))
    true = np.repeat(np.arange(21), 400)
    read = np.where(np.tile(np.arange(400), 21) < 20 * true, true, (true + 1) % 21)
    found = made_up(labels=labels, n=len(true), probabilities=None)
    path = tmp_path_factory.mktemp("page") / "shaded.html"
    dataclasses.replace(found, y_test=labels[true], test_predictions=labels[read]).to_html(path)
    text = path.read_text(encoding="utf-8")
    assert all(f'"{kind} heat-{heat}"' in text for kind in ("right", "wrong") for heat in range(21))
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_ground(
    opened: Open, shaded: Path, page: Path, many: Path, scheme: str
) -> None:
    for path in (shaded, page, many):
        browser = opened(path)
        emulate(browser, scheme=scheme)
        checked, poor = ask(browser, CONTRAST)
        assert poor == []
        assert checked > 400


def test_light_and_dark_follow_the_system_and_then_the_button(opened: Open, page: Path) -> None:
    browser = opened(page)
    look = """
        const style = selector => getComputedStyle(document.querySelector(selector));
        return [style('body').backgroundColor, style('.chart').filter, style('canvas').mixBlendMode]
    """
    emulate(browser, scheme="light")
    light = ask(browser, look)
    assert light[1:] == ["none", "multiply"]
    emulate(browser, scheme="dark")
    dark = ask(browser, look)
    assert dark[1:] == ["invert(1) hue-rotate(180deg)", "screen"]
    for wanted in (light, dark, light):
        click(browser, "#theme")
        assert ask(browser, look) == wanted
    assert text_of(browser, "#theme") == "Dark"


@pytest.mark.parametrize("width", [360, 768, 1400])
def test_no_width_makes_the_page_scroll_sideways(
    opened: Open, page: Path, many: Path, tmp_path: Path, width: int
) -> None:
    labels = ("T-shirt/top", "x" * 60, "a label of several words, which may break")
    found = {name: made_up(name, labels, seed=seed) for seed, name in enumerate(("m" * 60, "n"))}
    long = tmp_path / "long.html"
    Comparison(found).to_html(long, drawn())
    for path in (many, long, page):
        browser = opened(path)
        emulate(browser, width=width)
        assert ask(browser, "return document.documentElement.scrollWidth") <= width
    box = "const box = document.querySelector('.matrix').parentElement; return box.scrollWidth"
    assert ask(browser, box) <= width - 32  # ten classes fit a phone
    click(browser, cell_of(5, 2))
    top = "return document.querySelector('.card, #status').getBoundingClientRect().top"
    assert 0 <= ask(browser, top) <= 800


def test_on_a_phone_digits_open_right_below_the_matrix(opened: Open, page: Path) -> None:
    browser = opened(page)
    emulate(browser, width=390)
    opened(page)
    assert ask(browser, "return document.documentElement.scrollHeight") < 6000
    for model in (0, 1):
        click(browser, f"#models label:nth-of-type({model + 1}) span")
        click(browser, cell := f".pair:not([hidden]) {cell_of(5, 2)}")
        places = (
            "return arguments[0].map(x => document.querySelector(x).getBoundingClientRect().top)"
        )
        of_cell, of_card = ask(browser, places, [cell, ".card, #status"])
        assert 0 < of_cell < of_card < 800  # both can be seen
        report = ".pair:not([hidden]) .classes"
        assert of_card < ask(browser, places, [report])[0]


def test_printed_it_is_light_without_controls_and_with_every_matrix(
    opened: Open, page: Path
) -> None:
    browser = opened(page)
    emulate(browser, scheme="dark", media="print")
    assert ask(browser, "return getComputedStyle(document.body).color") == "rgb(20, 22, 26)"
    assert ask(browser, SEEN, "#theme, #models, #more, #all-errors, #doubtful, .hint") == []
    assert len(ask(browser, SEEN, ".card")) == 60
    assert len(ask(browser, SEEN, ".matrix")) == len(ask(browser, SEEN, ".classes")) == 3


def test_without_scripts_all_figures_can_be_read(browser: Browser, page: Path) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(page.as_uri())
        matrices = [e for e in browser.find_elements("class name", "matrix") if e.is_displayed()]
        charts = [e for e in browser.find_elements("class name", "chart") if e.is_displayed()]
        assert (len(matrices), len(charts)) == (3, 2 + 3)
        assert not browser.find_element("id", "digits").is_displayed()
        assert "switched off" in browser.find_element("tag name", "noscript").text
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
