"""Tables, the choice of a model, hostile names; the whole page on MNIST."""

from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from mnist_models import Comparison, compare, fetch_mnist, make_model
from tests.conftest import QUICK
from tests.page.chromium import Browser, Open, ask, cell_of, click, press, rows_shown, text_of
from tests.pages import HOSTILE, drawn, expected_rows, made_up


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
        ask(browser, f"document.querySelectorAll('.classes thead button')[{column}].focus()")
        press(browser, Keys.ENTER)
        values, order, marked = ask(browser, script)
        assert values == sorted(values, reverse=order == "descending")
        assert marked == 1
        orders.add(order)
    assert orders == {"ascending", "descending"}


def test_another_model_shows_its_own_matrix_and_the_same_cell(
    opened: Open, report: Path, comparison: Comparison
) -> None:
    browser, ranking = opened(report), comparison.ranking()
    click(browser, cell_of(5, 2))
    for place in (2, 1, 0):
        click(browser, f"#models label:nth-of-type({place + 1})")
        assert rows_shown(browser) == expected_rows(comparison[ranking[place]], 5, 2)
        visible = (
            "return [...document.querySelectorAll('.matrix')].filter(e => e.checkVisibility())"
        )
        (matrix,) = ask(browser, visible)
        assert f"{ranking[place]}: true classes" in matrix.text


def test_one_model_needs_no_choice_and_no_images(opened: Open, tmp_path: Path) -> None:
    found = made_up(tested=False)
    path = tmp_path / "report.html"
    found.to_html(path)
    browser = opened(path)
    assert rows_shown(browser) == expected_rows(found)[:60]
    assert ask(browser, "return document.querySelectorAll('#models, canvas').length") == 0


def test_without_probabilities_digits_come_by_row(opened: Open, tmp_path: Path) -> None:
    found = made_up(probabilities=None)
    path = tmp_path / "report.html"
    found.to_html(path, drawn())
    browser = opened(path)
    assert rows_shown(browser) == found.errors().tolist()[:60]
    assert ask(browser, "return document.querySelectorAll('.card svg').length") == 0


def test_hostile_names_run_nothing(opened: Open, tmp_path: Path) -> None:
    names = ("</title><script>alert(3)</script>", "<svg onload=alert(4)>")
    found = Comparison({name: made_up(name, HOSTILE, seed=seed) for seed, name in enumerate(names)})
    path = tmp_path / "report.html"
    found.to_html(path, drawn())
    browser = opened(path)  # an alert would make every further command fail
    click(browser, cell_of(0, 1))
    labels = sorted(HOSTILE)
    assert f"true {labels[0]} read as {labels[1]}" in text_of(browser, "#status")
    assert ask(browser, "return document.querySelectorAll('img, script').length") == 2
    headers = (
        "return [...document.querySelectorAll('.matrix thead button')].map(e => e.textContent)"
    )
    assert ask(browser, headers)[:3] == labels


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
    assert ask(browser, script) == [False, "1"]
    complaints = browser.get_log("browser")
    assert len(complaints) == 2
    assert all("Content Security Policy" in each["message"] for each in complaints)


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
        click(browser, f"#models label:nth-of-type({place + 1})")
        for true, read in ((4, 9), (4, 4)):
            click(browser, cell_of(true, read))
            wanted = expected_rows(comparison[name], true, read)
            assert rows_shown(browser) == wanted[:60]
            assert f"of {len(wanted):,} shown" in text_of(browser, "#status")
