"""The HTML page as a file: what it says, what it refuses, how large it gets."""

import base64
import dataclasses
import hashlib
import html
import io
import json
import re
import zlib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mnist_models import Comparison, Fit
from mnist_models._report.scales import make_scale
from tests.pages import HOSTILE, crowded, drawn, expected_rows, inlined, made_up, several, written

VOID = {"meta", "link", "input", "br", "img"}


class _Tree(HTMLParser):
    """Every element, in order, with its attributes and own text; fails on tags left open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self._open: list[tuple[str, list[str]]] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        own: list[str] = []
        self.elements.append((tag, dict(attrs), own))
        if tag not in VOID:
            self._open.append((tag, own))

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.elements.append((tag, dict(attrs), []))

    def handle_endtag(self, tag: str) -> None:
        opened, _ = self._open.pop()
        assert opened == tag

    def handle_data(self, data: str) -> None:
        if self._open:
            self._open[-1][1].append(data)

    def all(self, tag: str) -> list[tuple[dict[str, str | None], str]]:
        return [(attrs, "".join(own)) for name, attrs, own in self.elements if name == tag]


def _data(text: str) -> Any:
    """The JSON in the page."""
    for attributes, content in _Tree(text).all("script"):
        if attributes.get("type") == "application/json":
            return json.loads(content)
    raise AssertionError("no data")


def _numbers(block: Any) -> Any:
    return json.loads(zlib.decompress(base64.b64decode(block["numbers"])))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "report.html"
    return written(several(), path, drawn())


# -- what it says ----------------------------------------------------------------------------------


def test_its_tags_match_and_no_id_stands_twice(page: str) -> None:
    ids = [attrs["id"] for _, attrs, _ in _Tree(page).elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    for _, attrs, _ in _Tree(page).elements:
        for name in ("aria-labelledby", "aria-describedby"):
            assert attrs.get(name, ids[0]) in ids


def test_the_matrix_is_a_table_with_every_count(page: str) -> None:
    comparison = several()
    buttons = [
        (attrs, text) for attrs, text in _Tree(page).all("button")
        if "data-true" in attrs and "data-read" in attrs
    ]  # fmt: skip
    shown = [int(text.replace("·", "0")) for _, text in buttons]
    wanted = [comparison[name].confusion_matrix.ravel() for name in comparison.ranking()]
    assert shown == np.concatenate(wanted).tolist()
    captions = [text for _, text in _Tree(page).all("span") if "true classes in rows" in text]
    assert [text.partition(":")[0] for text in captions] == comparison.ranking()


def test_errors_are_shaded_by_the_largest_of_any_model_and_the_legend_says_so(
    tmp_path: Path,
) -> None:
    """Of 200 a, one model reads 10 as b, the other 1; of 200 b, one 5 as a, the other none."""
    y = np.repeat(["a", "b"], 200)
    found = {}
    for name, as_b, as_a in (("one", 10, 5), ("two", 1, 0)):
        read = y.copy()
        read[:as_b], read[200 : 200 + as_a] = "b", "a"
        whole = made_up(name, ("a", "b"), probabilities=None)
        found[name] = dataclasses.replace(whole, y_test=y, test_predictions=read)
    tree = _Tree(written(Comparison(found), tmp_path / "report.html"))
    cells = [
        (text, str(attrs["class"])) for attrs, text in tree.all("button")
        if "data-true" in attrs and "data-read" in attrs
    ]  # fmt: skip
    assert cells == [
        ("190", "right heat-19"), ("10", "wrong heat-20"),
        ("5", "wrong heat-10"), ("195", "right heat-20"),
        ("199", "right heat-20"), ("1", "wrong heat-2"),
        ("·", "wrong heat-0"), ("200", "right heat-20"),
    ]  # fmt: skip
    legend = [text for attrs, text in tree.all("span") if "wrong" in str(attrs.get("class"))]
    assert legend == ["1.2 %", "2.5 %", "3.8 %", "5.0 %"] * 2


def test_without_errors_the_legend_has_no_shades_of_them(tmp_path: Path) -> None:
    text = written(made_up(right=1.0), tmp_path / "report.html")
    assert "largest error" not in text
    assert "25 %" in text


def test_of_many_classes_the_cells_hold_the_counts_alone(page: str, tmp_path: Path) -> None:
    text = written(made_up(labels=tuple(range(13))), tmp_path / "report.html")
    for html_text, shares in ((page, True), (text, False)):
        matrix = html_text[html_text.index('<table class="matrix"') :].partition("</table>")[0]
        assert ("<small>" in matrix) is shares


def test_the_first_words_say_who_leads_and_how_surely(page: str) -> None:
    comparison, tree = several(), _Tree(page)
    best = comparison[comparison.best]
    ((_, headline),) = tree.all("h1")
    assert headline == f"{comparison.best} has the highest mean accuracy, 0.8633"
    told = [text for attrs, text in tree.all("p") if attrs.get("class") in ("range", "finding")]
    low, high, *_ = best.cv_confidence_interval()
    assert told[0] == f"95 % interval {low:.4f} \N{EN DASH} {high:.4f}"
    assert told[1] == comparison.significance().verdicts["folds"][0]
    for name in comparison.ranking()[:2]:
        assert name in told[1]
    assert "Scored in 3 folds, 400 rows in all." in page


def test_one_model_is_not_called_the_highest(tmp_path: Path) -> None:
    tree = _Tree(written(made_up("mine"), tmp_path / "report.html"))
    ((_, headline),) = tree.all("h1")
    assert headline == "mine: mean accuracy 0.8500"
    assert [text for _, text in tree.all("span") if "highest" in text] == []


def test_the_axis_of_the_folds_holds_the_intervals(page: str) -> None:
    low, high, *_ = several()[several().best].cv_confidence_interval()
    intervals = [
        (float(str(attrs["x1"])[:-1]), float(str(attrs["x2"])[:-1]))
        for attrs, _ in _Tree(page).all("line")
        if attrs["class"] == "interval"
    ]
    assert len(intervals) == 3
    assert f"95 % interval: {low:.4f} to {high:.4f}" in page
    assert all(0 <= left < right <= 100 for left, right in intervals)


def test_none_is_marked_best_where_none_has_a_score(tmp_path: Path) -> None:
    unscored = tuple(Fit(score, 2.0, 0.01, 80, 40) for score in (float("nan"), 0.9, 0.85))
    found = {name: dataclasses.replace(each, folds=unscored) for name, each in several().items()}
    page = written(Comparison(found), tmp_path / "report.html")
    assert "highest mean" not in page.replace("highest mean score", "")
    assert "nan" not in page.partition("<main>")[0]
    assert "missing in 1 of 3 folds" in page
    assert "nothing can be said of" in page


def test_it_ranks_the_models_and_marks_the_best(page: str) -> None:
    comparison = several()
    rows = [text.strip() for attrs, text in _Tree(page).all("th") if attrs.get("scope") == "row"]
    assert rows[:3] == comparison.ranking()
    assert page.count("highest mean</span>") == 1
    assert page.index("highest mean</span>") < page.index(
        f'<th scope="row">{comparison.ranking()[1]}'
    )
    best = comparison[comparison.best]
    assert f"{best.cv_scores.mean():.4f}" in page
    low, high, *_ = best.confidence_interval()
    assert f"{best.accuracy:.4f}" in page
    assert f"{low:.4f} \N{EN DASH} {high:.4f}" in page
    told = html.unescape(page)
    headings = [text for _, text in _Tree(page).all("h3")]
    assert headings == [
        "Which kind of model reads better, by the folds",
        "Which of the fitted models reads better, by the test set",
    ]
    for sentences in comparison.significance().verdicts.values():
        assert all(sentence in told for sentence in sentences)


def test_what_was_not_measured_is_a_dash_that_says_so(page: str) -> None:
    told = [text for attrs, text in _Tree(page).all("span") if "peak memory" in str(attrs)]
    assert told == ["\N{EN DASH}"] * 3
    assert "45 kB" in page


def test_its_foot_says_where_it_comes_from(page: str) -> None:
    for part in ("d" * 64, "f" * 64, "<code>7</code>", "Parameters of forest", "<code>1.0</code>"):
        assert part in page


def test_folds_and_learning_curves_are_drawn_without_a_script(page: str) -> None:
    titles = [text for _, text in _Tree(page).all("title")]
    for name in several():
        assert f"{name}, fold 2: 0.9000" in titles
    assert len(_Tree(page).all("polyline")) == 3 * 3  # loss, val_loss, accuracy of each model
    assert "all rows, validation, best epoch 2: 0.7000" in titles


def test_a_history_that_diverged_is_drawn_as_far_as_it_goes(tmp_path: Path) -> None:
    history = {"loss": [1.0, float("nan"), float("inf")], "accuracy": [float("nan")] * 3}
    found = made_up()
    assert found.test is not None
    diverged = dataclasses.replace(found, test=dataclasses.replace(found.test, history=history))
    text = written(diverged, tmp_path / "report.html")
    (curve,) = _Tree(text).all("polyline")
    assert len(str(curve[0]["points"]).split()) == 1
    assert "nan" not in str(curve)


@pytest.mark.parametrize("score", [float("nan"), float("-inf"), -1e-100, 1e100])
def test_odd_scores_make_a_page_all_the_same(tmp_path: Path, score: float) -> None:
    found = dataclasses.replace(made_up(), scoring="odd")
    first = dataclasses.replace(found.folds[0], score=score)
    for folds in ((first, *found.folds[1:]), (first,) * 3):
        odd = dataclasses.replace(found, folds=folds)
        text = written(odd, tmp_path / "report.html")
        for attrs, _ in _Tree(text).all("circle"):
            assert 0 <= float(str(attrs["cx"]).rstrip("%")) <= 100


def test_large_pictures_are_packed_a_few_at_a_time(tmp_path: Path) -> None:
    text = written(made_up(n=6), tmp_path / "report.html", drawn(6, side=600))
    data = _data(text)
    assert [block["count"] for block in data["blocks"]] == [2, 2, 2]
    with Image.open(io.BytesIO(base64.b64decode(data["blocks"][0]["sheet"]))) as sheet:
        assert sheet.size == (1200, 600)


def test_out_of_fold_it_shows_every_fold(tmp_path: Path) -> None:
    found = made_up(tested=False)
    history = {"loss": [1.0, 0.5]}
    folds = tuple(dataclasses.replace(fold, history=history, best_epoch=1) for fold in found.folds)
    text = written(dataclasses.replace(found, folds=folds), tmp_path / "report.html")
    assert "out of fold" in text
    assert len(_Tree(text).all("polyline")) == 3


@pytest.mark.parametrize("labels", [HOSTILE, (-1, 5, 99), ("macro avg", "accuracy", "x")], ids=str)
def test_the_report_is_scikit_learns_whatever_the_labels(tmp_path: Path, labels: Any) -> None:
    found = made_up(labels=labels)
    tree = _Tree(written(found, tmp_path / "report.html"))
    values = [
        float(str(attrs["data-value"])) for attrs, _ in tree.all("td") if "data-value" in attrs
    ]
    wanted = []
    for label in found.classes:
        hit = int(np.sum((found.y_true == label) & (found.y_pred == label)))
        precision, recall = hit / sum(found.y_pred == label), hit / sum(found.y_true == label)
        wanted += [precision, recall, 2 * precision * recall / (precision + recall)]
        wanted += [sum(found.y_true == label)]
    assert values == pytest.approx(wanted)


def test_models_that_know_other_classes_share_one_matrix(tmp_path: Path) -> None:
    found = made_up(labels=("a", "b"))
    answers = found.y_pred.astype("<U5").copy()
    answers[0] = "none"
    other = dataclasses.replace(
        found, model_name="other", classes=np.array(["a", "b", "none"]), test_predictions=answers,
        probabilities=None,
    )  # fmt: skip
    data = _data(written(Comparison({"a": found, "other": other}), tmp_path / "report.html"))
    assert data["labels"] == ["a", "b", "none"]
    numbers = _numbers(data["blocks"][0])
    assert numbers["permille"][1] is None
    assert {len(chances) for chances in numbers["permille"][0]} == {3}
    assert numbers["read"][1][numbers["rows"].index(0)] == 2


# -- hostile text ----------------------------------------------------------------------------------


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    labels, name = HOSTILE, "</title><script>alert(3)</script>"
    found = Comparison({name: made_up(name, labels), HOSTILE[2]: made_up("b", labels, seed=1)})
    path = tmp_path / "report.html"
    text = written(found, path, drawn())
    tree = _Tree(text)
    assert [attrs for attrs, _ in tree.all("script")] == [
        {"type": "application/json", "id": "data"}, {},
    ]  # fmt: skip
    assert tree.all("img") == []
    assert sorted(_data(text)["labels"]) == sorted(HOSTILE)
    assert _data(text)["models"] == found.ranking()
    data = re.findall(r'id="data">(.*?)</script>', text, flags=re.DOTALL)[0]
    assert not re.search("[<>&\u2028\u2029]", data)


def test_half_a_surrogate_pair_stands_as_its_escape(tmp_path: Path) -> None:
    """No file takes it as it is, but a label may be anything that Python calls text."""
    name = "\udfff"
    found = Comparison({name: made_up(name, ("a\ud800", "b")), "b": made_up("b", ("a\ud800", "b"))})
    for text in (
        written(found, tmp_path / "report.html"),
        written(found[name], tmp_path / "report.html"),
        str(found),
        found.summary(),
        found.to_markdown().replace("\\\\", "\\"),  # Markdown escapes the escape
    ):
        assert r"\udfff" in text.encode().decode()
    data = _data(written(found, tmp_path / "report.html"))
    assert (data["labels"], sorted(data["models"])) == ([r"a\ud800", "b"], [r"\udfff", "b"])


def test_its_policy_lets_run_only_what_is_ours(page: str) -> None:
    (policy,) = [
        str(attrs["content"]) for attrs, _ in _Tree(page).all("meta")
        if attrs.get("http-equiv") == "Content-Security-Policy"
    ]  # fmt: skip
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        digest = hashlib.sha256(inlined(page, tag).encode()).digest()
        assert f"{directive} 'sha256-{base64.b64encode(digest).decode()}';" in policy
    for part in ("default-src 'none';", "img-src data:;", "base-uri 'none';", "form-action 'none'"):
        assert part in policy
    assert "unsafe" not in policy
    for _, attrs, _ in _Tree(page).elements:
        assert not [name for name in attrs if name == "style" or name.startswith("on")]


def test_it_names_no_other_place(page: str) -> None:
    assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)\S+", page) == []
    for _, attrs, _ in _Tree(page).elements:
        for name in ("src", "href"):
            assert str(attrs.get(name, "#")).startswith(("#", "data:"))


# -- the digits ------------------------------------------------------------------------------------


def test_every_digit_is_there_with_what_each_model_made_of_it(page: str) -> None:
    comparison = several()
    (block,) = _data(page)["blocks"]
    numbers = _numbers(block)
    rows = np.array(numbers["rows"])
    assert sorted(rows) == list(range(400))
    for place, name in enumerate(comparison.ranking()):
        found = comparison[name]
        np.testing.assert_array_equal(np.array(numbers["read"][place]), found.y_pred[rows])
        np.testing.assert_array_equal(np.array(numbers["true"]), found.y_true[rows])
        assert found.probabilities is not None
        difference = np.array(numbers["permille"][place]) / 1000 - found.probabilities[rows]
        assert np.abs(difference).max() <= 0.001
        errors = [rows[i] for i in np.argsort(numbers["rank"][place])][: len(found.errors())]
        assert errors == expected_rows(found)


def test_the_pictures_are_the_digits_in_sixteen_greys(page: str) -> None:
    (block,) = _data(page)["blocks"]
    with Image.open(io.BytesIO(base64.b64decode(block["sheet"]))) as sheet:
        pixels = 255 - np.asarray(sheet.convert("L")).astype(int)
    shape, columns = _data(page)["image"]["shape"], _data(page)["image"]["columns"]
    for place, row in enumerate(_numbers(block)["rows"][:70]):
        top, left = place // columns * shape[0], place % columns * shape[1]
        shown = pixels[top : top + shape[0], left : left + shape[1]]
        assert np.abs(shown - drawn()[row].reshape(shape).astype(int)).max() <= 9


def test_images_come_in_many_forms_and_look_the_same(tmp_path: Path) -> None:
    found, pixels = made_up(), drawn()
    forms = [
        pixels,
        pixels.reshape(-1, 8, 8),
        pixels.astype(np.float64),
        (pixels / 255).astype(np.float32),
        pd.DataFrame(pixels),
        pixels.tolist(),
    ]
    pages = {written(found, tmp_path / "report.html", form) for form in forms}
    assert len(pages) == 1


def test_images_need_not_be_square(tmp_path: Path) -> None:
    text = written(made_up(), tmp_path / "report.html", drawn(side=6).reshape(-1, 4, 9))
    assert _data(text)["image"]["shape"] == [4, 9]


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (drawn(399), r"the 400 rows that are reported on: pass X_test.*Got 399 rows"),
        (drawn()[:, :60], r"square.*Got 60 pixels.*Pass them with shape \(n, height, width\)"),
        (drawn()[0], r"shape \(n, height·width\).*Got uint8 of shape \(64,\)"),
        (np.full((400, 64), "a"), r"must be numbers"),
        (np.full((400, 64), np.nan), r"from 0 \(paper\) to 255 \(ink\).*Got values from nan"),
        (np.full((400, 64), -0.4), r"before they were scaled"),
        (np.full((400, 64), 256), r"Got values from 256 to 256"),
        (np.zeros((400, 0)), r"Got float64 of shape \(400, 0\)"),
    ],
    ids=["rows", "square", "flat", "text", "nan", "negative", "large", "empty"],
)
def test_images_that_are_none_are_refused(tmp_path: Path, images: Any, message: str) -> None:
    path = tmp_path / "report.html"
    with pytest.raises(ValueError, match=message):
        made_up().to_html(path, images)
    assert not path.exists()


def test_without_a_test_set_the_images_are_all_rows(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"pass X, the rows evaluated\. Got 3 rows"):
        made_up(tested=False).to_html(tmp_path / "report.html", drawn(3))


# -- the file --------------------------------------------------------------------------------------


def test_sixty_thousand_rows_stay_under_three_megabytes(tmp_path: Path) -> None:
    """Noise is the worst there is to pack; what is left out are digits that were read well."""
    found = made_up(n=60_000, right=0.99)
    path = tmp_path / "report.html"
    text = written(found, path, drawn(60_000, side=16))
    assert 2_500_000 < path.stat().st_size < 3_000_000
    data = _data(text)
    rows = {row for block in data["blocks"] for row in _numbers(block)["rows"]}
    assert len(rows) < 60_000
    assert f"holds {len(rows):,} of the 60,000 digits" in " ".join(text.split())
    assert set(found.errors().tolist()) <= rows
    for label in range(10):  # the head of each cell of the diagonal is whole
        assert set(expected_rows(found, label, label)[:60]) <= rows


def test_sixty_two_classes_stay_under_three_megabytes(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    written(crowded(), path, drawn(1500, side=28))
    assert path.stat().st_size < 3_000_000


def test_a_chance_that_only_rounds_to_none_or_all_is_neither(tmp_path: Path) -> None:
    chances = np.tile(np.array([0, 1e-5, 0.99999, 1], dtype=np.float32), (400, 1))
    found = made_up(labels=tuple("abcd"), probabilities=chances)
    (block,) = _data(written(found, tmp_path / "report.html"))["blocks"]
    assert {tuple(row) for row in _numbers(block)["permille"][0]} == {(0, 1, 999, 1000)}


def test_the_same_evaluation_gives_the_same_page(tmp_path: Path) -> None:
    pages = {written(several(), tmp_path / f"{i}.html", drawn()) for i in range(2)}
    assert len(pages) == 1


def test_it_arrives_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("before")
    with pytest.raises(ValueError, match="400 rows"):
        made_up().to_html(path, drawn(3))
    assert path.read_text() == "before"
    with pytest.raises(FileNotFoundError, match="a folder that exists"):
        made_up().to_html(tmp_path / "nowhere" / "report.html")
    assert [each.name for each in tmp_path.iterdir()] == ["report.html"]


def test_scores_that_differ_by_rounding_have_an_axis() -> None:
    ticks = make_scale([0.9333333333333333, 0.9333333333333332]).ticks
    assert len({name for _, name in ticks}) == len(ticks) > 1
