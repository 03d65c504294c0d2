"""The page as a file: what it says, what it refuses, how large it gets."""

import base64
import dataclasses
import hashlib
import html
import io
import json
import re
import xml.etree.ElementTree as ET
import zlib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mnist_models import Comparison, Fit
from tests.pages import HOSTILE, drawn, expected_rows, inlined, made_up, several, written

VOID = {"meta", "link", "input", "br", "img"}
SVG = "{http://www.w3.org/2000/svg}"


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
    ((_, content),) = [
        found for found in _Tree(text).all("script") if found[0].get("type") == "application/json"
    ]
    return json.loads(content)


def _cells(tree: _Tree) -> list[tuple[str, str]]:
    """Text and classes of every cell of a matrix."""
    cells = [found for found in tree.all("button") if {"data-true", "data-read"} <= set(found[0])]
    return [(text, str(attrs["class"])) for attrs, text in cells]


def _numbers(block: Any) -> Any:
    return json.loads(zlib.decompress(base64.b64decode(block["numbers"])))


def _charts(text: str) -> dict[str, ET.Element]:
    """The SVG of every chart, by its alternative text."""
    start = "data:image/svg+xml;base64,"
    return {
        str(attrs["alt"]): ET.fromstring(base64.b64decode(str(attrs["src"]).removeprefix(start)))
        for attrs, _ in _Tree(text).all("img")
    }


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "page.html"
    return written(several(), path, drawn())


# -- what it says ----------------------------------------------------------------------------------


def test_its_tags_match_and_no_id_stands_twice(page: str) -> None:
    assert page.startswith("<!doctype html>")
    ids = [attrs["id"] for _, attrs, _ in _Tree(page).elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    for _, attrs, _ in _Tree(page).elements:
        for name in ("aria-labelledby", "aria-describedby"):
            assert attrs.get(name, ids[0]) in ids


def test_the_matrix_is_a_table_with_every_count(page: str) -> None:
    comparison = several()
    shown = [int(text.replace("·", "0")) for text, _ in _cells(_Tree(page))]
    wanted = [comparison[name].confusion_matrix.ravel() for name in comparison.ranking()]
    assert shown == np.concatenate(wanted).tolist()
    captions = [text for _, text in _Tree(page).all("span") if "true classes in rows" in text]
    assert [text.partition(":")[0] for text in captions] == comparison.ranking()


def test_errors_are_shaded_by_the_largest_of_all_models_and_the_legend_says_so(
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
    tree = _Tree(written(Comparison(found), tmp_path / "page.html"))
    assert _cells(tree) == [
        ("190", "right heat-19"), ("10", "wrong heat-20"),
        ("5", "wrong heat-10"), ("195", "right heat-20"),
        ("199", "right heat-20"), ("1", "wrong heat-2"),
        ("·", "wrong heat-0"), ("200", "right heat-20"),
    ]  # fmt: skip
    legend = [text for attrs, text in tree.all("span") if "wrong" in str(attrs.get("class"))]
    assert legend == ["1.2 %", "2.5 %", "3.8 %", "5.0 %"] * 2


def test_it_ranks_the_models_and_marks_the_best(page: str, tmp_path: Path) -> None:
    comparison, tree = several(), _Tree(page)
    best = comparison[comparison.best]
    ((_, headline),) = tree.all("h1")
    mean = f"{best.cv_scores.mean():.4f}"
    assert headline == f"{comparison.best} has the highest mean accuracy, {mean}"
    rows = [text.strip() for attrs, text in tree.all("th") if attrs.get("scope") == "row"]
    assert rows[:3] == comparison.ranking()
    assert page.count("highest mean</span>") == 1
    low, high, *_ = best.confidence_interval()
    assert f"{low:.4f} \N{EN DASH} {high:.4f}" in page
    told = html.unescape(page)
    for sentences in comparison.significance().verdicts.values():
        assert all(sentence in told for sentence in sentences)
    for part in ("d" * 64, "f" * 64, "<code>7</code>", "Parameters of forest", "45 kB"):
        assert part in page
    assert page.count("not measured") == 3  # peak memory

    ((_, headline),) = _Tree(written(made_up("mine"), tmp_path / "page.html")).all("h1")
    assert headline == "mine: mean accuracy 0.8500"


def test_none_is_marked_best_where_none_has_a_score(tmp_path: Path) -> None:
    unscored = tuple(Fit(score, 2.0, 0.01, 80, 40) for score in (float("nan"), 0.9, 0.85))
    found = {name: dataclasses.replace(each, folds=unscored) for name, each in several().items()}
    page = written(Comparison(found), tmp_path / "page.html")
    assert "highest mean" not in page.replace("highest mean score", "")
    assert "nan" not in page.partition("<main>")[0]
    assert "missing in 1 of 3 folds" in page
    assert "nothing can be said of" in page


@pytest.mark.parametrize("labels", [HOSTILE, (-1, 5, 99), ("macro avg", "accuracy", "x")], ids=str)
def test_the_report_is_scikit_learns_whatever_the_labels(tmp_path: Path, labels: Any) -> None:
    found = made_up(labels=labels)
    tree = _Tree(written(found, tmp_path / "page.html"))
    values = [
        float(str(attrs["data-value"])) for attrs, _ in tree.all("td") if "data-value" in attrs
    ]
    figures = [*found.class_figures, *found.average_figures]
    assert values == [value for _, *of_class in figures for value in of_class]


def test_models_that_know_other_classes_share_one_matrix(tmp_path: Path) -> None:
    found = made_up(labels=("a", "b"))
    read = found.y_pred.astype("<U5").copy()
    read[0] = "none"
    other = dataclasses.replace(
        found, model_name="other", classes=np.array(["a", "b", "none"]), test_predictions=read,
        probabilities=None,
    )  # fmt: skip
    data = _data(written(Comparison({"a": found, "other": other}), tmp_path / "page.html"))
    assert data["labels"] == ["a", "b", "none"]
    numbers = _numbers(data["blocks"][0])
    assert numbers["permille"][1] is None
    assert {len(row) for row in numbers["permille"][0]} == {3}
    assert numbers["read"][1][numbers["rows"].index(0)] == 2


# -- charts ----------------------------------------------------------------------------------------


def test_folds_and_learning_curves_are_pictures_that_say_what_they_show(
    page: str, tmp_path: Path
) -> None:
    comparison, charts = several(), _charts(page)
    scores = "; ".join(
        f"{name} {' '.join(f'{score:.4f}' for score in comparison[name].cv_scores)}"
        for name in comparison.ranking()
    )
    curves = [f"{name}: loss by epoch, best epoch 2" for name in comparison.ranking()]
    costs = "accuracy against fit time, prediction time and model size, as in the table"
    assert list(charts) == [f"accuracy of each fold: {scores}", costs, *curves]
    for chart in charts.values():
        assert chart.tag == f"{SVG}svg"
        assert not list(chart.iter(f"{SVG}text"))  # outlines, which look the same everywhere
    found = made_up(tested=False)
    history = {"diverged": [float("nan"), float("inf")], "accuracy": [0.5], "loss": [1.0, 0.5]}
    folds = tuple(dataclasses.replace(fold, history=history) for fold in found.folds)
    text = written(dataclasses.replace(found, folds=folds), tmp_path / "page.html")
    assert list(_charts(text))[1:] == ["model: loss by epoch", "model: accuracy by epoch"]


def test_what_the_models_look_at_is_shown_where_it_is_known(tmp_path: Path) -> None:
    image = [[0.0, 1.0], [-1.0, 0.5]]
    kept = {"network": dict.fromkeys("abc", image), "forest": {"by impurity": image}, "odd": None}
    found = {}
    for name, evidence in kept.items():
        one = made_up(name)
        assert one.test is not None
        found[name] = dataclasses.replace(
            one, test=dataclasses.replace(one.test, evidence=evidence)
        )
    text = written(Comparison(found), tmp_path / "page.html")
    charts = [words for words in _charts(text) if "evidence" in words or "importances" in words]
    assert sorted(charts) == [
        "forest: importances",
        "network: evidence for each class: blue speaks for the class, red against it",
    ]
    assert text.count("What it looks at") == 2


@pytest.mark.parametrize("score", [float("nan"), float("-inf"), -1e-100, 1e100])
def test_odd_scores_make_a_page_all_the_same(tmp_path: Path, score: float) -> None:
    found = dataclasses.replace(made_up(), scoring="odd")
    first = dataclasses.replace(found.folds[0], score=score)
    for folds in ((first, *found.folds[1:]), (first,) * 3):
        odd = dataclasses.replace(found, folds=folds)
        assert _charts(written(odd, tmp_path / "page.html"))


def test_the_same_evaluation_gives_the_same_page_whatever_the_callers_style(tmp_path: Path) -> None:
    import matplotlib as mpl

    first = written(several(), tmp_path / "page.html", drawn())
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "black", "svg.fonttype": "none"}):
        assert written(several(), tmp_path / "page.html", drawn()) == first


# -- hostile text ----------------------------------------------------------------------------------


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    labels, name = HOSTILE, "</title><script>alert(3)</script>"
    found = Comparison({name: made_up(name, labels), HOSTILE[1]: made_up("b", labels, seed=1)})
    text = written(found, tmp_path / "page.html", drawn())
    tree = _Tree(text)
    assert [attrs for attrs, _ in tree.all("script")] == [
        {"type": "application/json", "id": "data"}, {},
    ]  # fmt: skip
    assert all(str(attrs["src"]).startswith("data:image/svg") for attrs, _ in tree.all("img"))
    for chart in _charts(text).values():
        tags = {element.tag for element in chart.iter() if element.tag.startswith(SVG)}
        assert not {tag.removeprefix(SVG) for tag in tags} & {"script", "image", "text", "a"}
    assert sorted(_data(text)["labels"]) == sorted(HOSTILE)
    assert _data(text)["models"] == found.ranking()
    data = re.findall(r'id="data">(.*?)</script>', text, flags=re.DOTALL)[0]
    assert not re.search("[<>&\u2028\u2029]", data)


def test_half_a_surrogate_pair_stands_as_its_escape(tmp_path: Path) -> None:
    """No file takes it as it is, but a label may be anything that Python calls text."""
    name = "\udfff"
    found = Comparison({name: made_up(name, ("a\ud800", "b")), "b": made_up("b", ("a\ud800", "b"))})
    for text in (
        written(found, tmp_path / "page.html"),
        str(found),
        found.summary(),
        found.to_markdown().replace("\\\\", "\\"),  # Markdown escapes the escape
    ):
        assert r"\udfff" in text.encode().decode()
    data = _data(written(found, tmp_path / "page.html"))
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
    assert re.findall(r"https?://\S+", page) == []
    for _, attrs, _ in _Tree(page).elements:
        assert not [name for name in attrs if name == "style" or name.startswith("on")]
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


def test_the_pictures_are_the_digits_in_sixteen_greys(page: str, tmp_path: Path) -> None:
    (block,) = _data(page)["blocks"]
    with Image.open(io.BytesIO(base64.b64decode(block["sheet"]))) as sheet:
        pixels = 255 - np.asarray(sheet.convert("L")).astype(int)
    (height, width), columns = _data(page)["image"], _data(page)["columns"]
    for place, row in enumerate(_numbers(block)["rows"][:70]):
        top, left = place // columns * height, place % columns * width
        shown = pixels[top : top + height, left : left + width]
        assert np.abs(shown - drawn()[row].reshape(height, width).astype(int)).max() <= 9
    # large ones a few at a time
    data = _data(written(made_up(n=6), tmp_path / "page.html", drawn(6, side=600)))
    assert [block["count"] for block in data["blocks"]] == [2, 2, 2]


def test_images_come_in_many_forms_and_look_the_same(tmp_path: Path) -> None:
    found, pixels = made_up(tested=False), drawn()
    forms = [
        pixels,
        pixels.reshape(-1, 8, 8),
        pixels.reshape(-1, 8, 8, 1),
        pixels.astype(np.float64),
        (pixels / 255).astype(np.float32),
        pd.DataFrame(pixels),
        pixels.tolist(),
    ]
    assert len({written(found, tmp_path / "page.html", form) for form in forms}) == 1
    text = written(found, tmp_path / "page.html", drawn(side=6).reshape(-1, 4, 9))
    assert _data(text)["image"] == [4, 9]


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (drawn(399), r"the 400 rows that are reported on: pass X_test.*Got 399 rows"),
        (drawn()[:, :60], r"square.*Got 60 pixels.*Pass them with shape \(n, height, width\)"),
        (np.full((400, 64), "a"), r"must be numbers"),
        (np.full((400, 64), np.nan), r"from 0 \(paper\) to 255 \(ink\).*Got values from nan"),
        (np.full((400, 64), -0.4), r"before they were scaled"),
        (np.zeros((400, 0)), r"Got float64 of shape \(400, 0\)"),
    ],
    ids=["rows", "square", "text", "nan", "negative", "empty"],
)
def test_images_that_are_none_are_refused(tmp_path: Path, images: Any, message: str) -> None:
    path = tmp_path / "page.html"
    path.write_text("before")
    with pytest.raises(ValueError, match=message):
        made_up().to_html(path, images)
    assert path.read_text() == "before"


def test_a_probability_that_only_rounds_to_0_or_1_is_neither(tmp_path: Path) -> None:
    rows = np.tile(np.array([0, 1e-5, 0.99999, 1], dtype=np.float32), (400, 1))
    found = made_up(labels=tuple("abcd"), probabilities=rows)
    (block,) = _data(written(found, tmp_path / "page.html"))["blocks"]
    assert {tuple(row) for row in _numbers(block)["permille"][0]} == {(0, 1, 999, 1000)}


def test_sixty_thousand_rows_stay_under_three_megabytes(tmp_path: Path) -> None:
    """Noise is the worst there is to pack; what is left out are digits that were read well."""
    found = made_up(n=60_000, right=0.99)
    path = tmp_path / "page.html"
    text = written(found, path, drawn(60_000, side=16))
    assert 2_500_000 < path.stat().st_size < 3_000_000
    rows = {row for block in _data(text)["blocks"] for row in _numbers(block)["rows"]}
    assert f"holds {len(rows):,} of the 60,000 images" in " ".join(text.split())
    assert set(found.errors().tolist()) <= rows
    for label in range(10):  # the head of each cell of the diagonal is whole
        assert set(expected_rows(found, label, label)[:60]) <= rows
