"""A cell of the matrix shows its digits."""

from pathlib import Path

import numpy as np
from selenium.webdriver.support.wait import WebDriverWait

from mnist_models import Comparison, Evaluation
from tests.page.chromium import Open, ask, cell_of, click, rows_shown, text_of
from tests.pages import drawn, expected_rows, made_up


def test_it_opens_with_all_errors_of_the_best_model(
    opened: Open, report: Path, comparison: Comparison
) -> None:
    browser, best = opened(report), comparison[comparison.best]
    assert rows_shown(browser) == expected_rows(best)[:60]
    assert f"all errors: 60 of {len(best.errors())} shown" in text_of(browser, "#status")


def test_a_click_on_a_cell_shows_its_digits_the_most_confidently_wrong_first(
    opened: Open, report: Path, comparison: Comparison
) -> None:
    browser, best = opened(report), comparison[comparison.best]
    counts = best.confusion_matrix
    true, read = next((t, r) for t in range(10) for r in range(10) if t != r and counts[t, r] >= 3)
    click(browser, cell_of(true, read))
    rows = rows_shown(browser)
    assert rows == expected_rows(best, true, read)
    assert sorted(rows) == best.errors(true, read).tolist()
    n = len(rows)
    assert f"true {true} read as {read}: {n} of {n} shown" in text_of(browser, "#status")
    assert "most confidently wrong first" in text_of(browser, "#status")
    pressed = "return [...document.querySelectorAll('[aria-pressed=true]')]"
    (cell,) = ask(browser, f"{pressed}.filter(e => e.checkVisibility())")
    assert cell.text.startswith(f"{n}")


def test_a_cell_of_the_diagonal_shows_the_least_sure_first(
    opened: Open, report: Path, comparison: Comparison
) -> None:
    browser, best = opened(report), comparison[comparison.best]
    click(browser, cell_of(3, 3))
    assert rows_shown(browser) == expected_rows(best, 3, 3)
    assert "least sure first" in text_of(browser, "#status")


def test_an_empty_cell_says_so(opened: Open, tmp_path: Path) -> None:
    found = made_up(labels=("a", "b"), right=1.0)
    path = tmp_path / "report.html"
    found.to_html(path, drawn())
    browser = opened(path)
    assert text_of(browser, "#status") == "all errors: none"
    click(browser, cell_of(0, 1))
    assert text_of(browser, "#status") == "true a read as b: none"
    assert rows_shown(browser) == []


def test_a_page_that_cannot_hold_all_digits_says_so(opened: Open, tmp_path: Path) -> None:
    found = made_up(n=12_000, right=0.98, labels=("a", "b"))
    path = tmp_path / "report.html"
    found.to_html(path, drawn(12_000, side=28))
    browser = opened(path)
    assert f"all errors: 60 of {len(found.errors())} in this file" in text_of(browser, "#status")
    click(browser, cell_of(1, 1))
    assert rows_shown(browser) == expected_rows(found, "b", "b")[:60]
    assert "of the 12,000 digits: those misread first" in text_of(browser, "#digits .note")


def test_a_class_in_the_margin_shows_all_its_errors(
    opened: Open, report: Path, comparison: Comparison
) -> None:
    browser, best = opened(report), comparison[comparison.best]
    click(browser, 'button[data-true="4"]:not([data-read])')
    assert rows_shown(browser) == expected_rows(best, true=4)
    click(browser, 'button[data-read="4"]:not([data-true])')
    assert rows_shown(browser) == expected_rows(best, predicted=4)


def test_show_more_goes_on_till_all_are_there(
    opened: Open, report: Path, comparison: Comparison
) -> None:
    browser, best = opened(report), comparison[comparison.best]
    click(browser, "#more")
    assert rows_shown(browser) == expected_rows(best)[:120]
    assert len(rows_shown(browser)) == len(best.errors()) < 120
    focused = "return Number(document.activeElement.dataset.row)"
    assert ask(browser, focused) == expected_rows(best)[60]
    assert not ask(browser, "return document.querySelector('#more').checkVisibility()")


def test_a_card_says_all_there_is_to_say(
    opened: Open, report: Path, comparison: Comparison
) -> None:
    browser, ranking = opened(report), comparison.ranking()
    best = comparison[ranking[0]]
    row = expected_rows(best)[0]
    told = text_of(browser, ".card")
    assert f"{best.y_true[row]} read as {best.y_pred[row]} " in told
    for name in ranking[1:]:
        assert f"{name} {comparison[name].y_pred[row]}" in told
    label = ask(browser, "return document.querySelector('.card svg').ariaLabel")
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
    shown = ask(browser, script)
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
    WebDriverWait(browser, 10).until(lambda _: any(sum(shown) for _, shown in ask(browser, script)))
    for row, shown in ask(browser, script):
        assert (
            max(abs(255 - ink - drawn) for ink, drawn in zip(shown, pixels[row], strict=True)) < 9
        )
