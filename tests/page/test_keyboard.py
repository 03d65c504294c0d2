"""The page without a mouse, and as a screen reader is told of it."""

import itertools
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from mnist_models import Comparison
from tests.page.chromium import Open, ask, cell_of, emulate, press, rows_shown, text_of
from tests.pages import expected_rows


def test_the_keyboard_alone_is_enough(opened: Open, report: Path, comparison: Comparison) -> None:
    browser, ranking = opened(report), comparison.ranking()
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


def test_focus_is_seen(opened: Open, report: Path) -> None:
    browser = opened(report)
    press(browser, Keys.TAB)
    assert text_of(browser, ":focus") == "Skip to the confusion matrix"
    assert ask(browser, "return document.querySelector(':focus').getBoundingClientRect().top") >= 0
    for _ in range(8):
        press(browser, Keys.TAB)
        script = """
            const own = document.activeElement.matches('input')
                ? document.activeElement.nextElementSibling : document.activeElement;
            return getComputedStyle(own).outlineStyle"""
        assert ask(browser, script) == "solid"


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
    emulate(browser, width=360)
    ask(browser, f"document.querySelector('{cell_of(0, 0)}').focus()")
    right, down, left, up = Keys.ARROW_RIGHT, Keys.ARROW_DOWN, Keys.ARROW_LEFT, Keys.ARROW_UP
    around = [key for key in (right, down, left, up) for _ in range(9)]
    for key in (*around, Keys.END, *[left] * 9, Keys.HOME, up):
        press(browser, key)
        assert ask(browser, _IS_SEEN), ask(browser, "return document.activeElement.ariaLabel")


@pytest.mark.parametrize("which", ["report", "many"])
def test_the_tab_key_leads_to_nothing_that_is_hidden(
    opened: Open, which: str, request: pytest.FixtureRequest
) -> None:
    browser = opened(request.getfixturevalue(which))
    emulate(browser, width=360)
    press(browser, Keys.TAB)  # to the link that skips, and from there through the page
    stops: list[str] = []
    while ask(browser, "return document.activeElement !== document.body") and len(stops) < 40:
        stops.append(ask(browser, "return document.activeElement.outerHTML.slice(0, 80)"))
        large = ask(browser, "return document.activeElement.offsetHeight > 300")
        assert large or ask(browser, _IS_SEEN), stops[-1]
        press(browser, Keys.TAB)
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
        emulate(browser, width=width)
        assert ask(browser, script) == [True, True, "col", "row"]


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
        levels, language, nameless, without_caption, landmarks = ask(opened(path), script)
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
        assert ask(browser, script) == behavior


def test_a_screen_reader_is_told_what_a_cell_is(
    opened: Open, report: Path, comparison: Comparison
) -> None:
    browser, best = opened(report), comparison[comparison.best]
    n = best.confusion_matrix[1, 1]
    label = ask(browser, f"return document.querySelector('{cell_of(1, 1)}').ariaLabel")
    assert label.startswith(f"true 1, read as 1: {n} ")
    roles = """
        const nameless = [...document.querySelectorAll('button, input, canvas, svg[role]')]
            .filter(e => !(e.ariaLabel || e.textContent.trim() || e.closest('label')));
        return [nameless.length, document.querySelector('#status').role]"""
    assert ask(browser, roles) == [0, "status"]
