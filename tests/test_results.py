"""Evaluation and Comparison: what they say, and that nothing is lost on the way to JSON."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import classification_report, confusion_matrix

from mnist_models import Comparison, Evaluation, Fit, Provenance


def _evaluation(
    name: str = "model", scores: Any = (0.9, 0.8), labels: Any = ("a", "b", "c")
) -> Any:
    classes = np.array(labels)
    y = classes[[0, 0, 0, 1, 1, 2]]
    predicted = classes[[0, 0, 1, 1, 0, 2]]
    folds = tuple(Fit(score, 2.0, 0.5, n_train=80, n_predicted=20) for score in scores)
    return Evaluation(name, "accuracy", classes, y, predicted, folds)


def _tested(**changes: Any) -> Any:
    test = Fit(0.5, 3.0, 0.25, 6, 2, {"loss": [1.0, 0.5]})
    values = {"y_test": np.array(["c", "a"]), "test_predictions": np.array(["c", "b"])}
    return dataclasses.replace(_evaluation(), test=test, **(values | changes))


def test_the_views_are_scikit_learns() -> None:
    evaluation = _evaluation()
    y, predicted = evaluation.y_true, evaluation.y_pred
    assert evaluation.accuracy == 4 / 6
    np.testing.assert_array_equal(evaluation.confusion_matrix, confusion_matrix(y, predicted))
    assert evaluation.classification_report() == classification_report(y, predicted)
    np.testing.assert_array_equal(evaluation.cv_scores, [0.9, 0.8])
    for name, *shares, support in (*evaluation.class_figures, *evaluation.average_figures):
        wanted = evaluation.classification_report(output_dict=True)[name]
        assert [*shares, support] == pytest.approx(list(wanted.values()))
    tested = _tested()
    assert (tested.source, tested.accuracy, tested.fit_seconds) == ("test", 0.5, 3.0)
    np.testing.assert_array_equal(tested.confusion_matrix, [[0, 1, 0], [0, 0, 0], [0, 0, 1]])


def test_errors_are_row_numbers() -> None:
    evaluation = _evaluation()
    assert evaluation.errors().tolist() == [2, 4]
    assert evaluation.errors(true="a").tolist() == [2]
    assert evaluation.errors(true="b", predicted="a").tolist() == [4]
    assert evaluation.errors(true="c").tolist() == []
    with pytest.raises(ValueError, match=r"predicted must be one of \['a', 'b', 'c'\]. Got 'd'"):
        evaluation.errors(predicted="d")


def test_what_was_found_stays_when_the_callers_arrays_change() -> None:
    evaluation = _evaluation()
    y = evaluation.y.copy()
    again = dataclasses.replace(evaluation, y=y)
    y[:] = "c"
    assert again.accuracy == evaluation.accuracy
    with pytest.raises(ValueError, match="read-only"):
        again.y[0] = "c"
    with pytest.raises(ValueError, match="read-only"):
        again.confusion_matrix[0, 0] = 9
    with pytest.raises(dataclasses.FrozenInstanceError):
        again.model_name = "other"


def test_what_is_not_finite_is_null_in_json_and_nan_again() -> None:
    history = {"loss": [1.0, np.nan, np.inf], "accuracy": [0.5, 0.6, 0.7]}
    test = Fit(np.nan, 3.0, 0.25, 6, 2, history)
    folds = _evaluation("", (0.9, np.nan)).folds
    unscored = dataclasses.replace(_tested(), test=test, folds=folds)
    comparison = Comparison({"scored": _tested(), "unscored": unscored})
    for found in (unscored, comparison):
        text = found.to_json()
        assert "NaN" not in text
        assert "Infinity" not in text
        assert type(found).from_dict(json.loads(text)).to_json() == text
    again = Evaluation.from_dict(json.loads(unscored.to_json()))
    assert repr(again.test) == repr(test).replace("inf", "nan")
    assert "accuracy missing in 1 of 2 folds)" in repr(unscored)
    assert "accuracy: missing in 1 of 2 folds\n" in str(unscored)


_COUNTS = st.integers(1, 6)
_FLOATS = st.floats(-1e6, 1e6) | st.just(np.nan)
_LABELS = st.one_of(
    st.lists(st.text(max_size=4).map(lambda text: text.rstrip("\0")), min_size=2, unique=True),
    st.lists(st.integers(-(2**62), 2**62), min_size=2, unique=True),
    st.lists(st.integers(-(2**53), 2**53).map(float), min_size=2, unique=True),
    st.just([False, True]),
)
_HISTORIES = st.none() | st.dictionaries(st.text(max_size=5), st.lists(_FLOATS, max_size=3))
_SECONDS = st.floats(0, 1e6)
_IMAGES = st.just({"0": [[0.5, -1.0]], "1": [[0.0, 2e-9]]})
_FITS = st.builds(
    Fit,
    _FLOATS,
    _SECONDS,
    _SECONDS,
    _COUNTS,
    _COUNTS,
    _HISTORIES,
    st.none() | _COUNTS,
    evidence=st.none() | _IMAGES,
)
_WORDS = st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3)
_ORIGINS = st.builds(Provenance, st.text(), st.text(), st.text(), _WORDS, _WORDS)


@st.composite
def evaluations(draw: st.DrawFn) -> Evaluation:
    """Of any labels, answers, figures and words."""
    classes = np.unique(np.array(draw(_LABELS)))
    n, n_test, tested = draw(_COUNTS), draw(_COUNTS), draw(st.booleans())

    def labels(n: int) -> Any:
        codes = st.integers(0, len(classes) - 1)
        return classes[draw(st.lists(codes, min_size=n, max_size=n))]

    n_reported = n_test if tested else n
    chances = np.random.default_rng(n).random((n_reported, len(classes)), dtype=np.float32)
    return Evaluation(
        model_name=draw(st.text(max_size=9)),
        scoring=draw(st.text(max_size=9)),
        classes=classes,
        y=labels(n),
        out_of_fold=labels(n),
        folds=tuple(draw(st.lists(_FITS, min_size=1, max_size=3))),
        y_test=labels(n_test) if tested else None,
        test_predictions=labels(n_test) if tested else None,
        test=draw(_FITS) if tested else None,
        probabilities=draw(st.sampled_from([None, chances.round(6)])),
        provenance=draw(st.none() | _ORIGINS),
    )


@settings(max_examples=40)
@given(found=evaluations())
def test_any_evaluation_goes_through_json_unchanged(found: Evaluation) -> None:
    text = found.to_json()
    again = Evaluation.from_dict(json.loads(text))
    assert again.to_json() == text
    for name in ("classes", "y", "out_of_fold", "y_test", "test_predictions", "probabilities"):
        ours, theirs = getattr(again, name), getattr(found, name)
        np.testing.assert_array_equal(ours, theirs)
        assert np.asarray(ours).dtype.kind == np.asarray(theirs).dtype.kind
    assert repr(again.folds) == repr(found.folds)  # NaN is not equal to itself
    assert repr(again.test) == repr(found.test)
    assert again.provenance == found.provenance


_JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=3), each),
    max_leaves=4,
)


@settings(max_examples=50)
@given(data=st.data())
def test_a_part_that_is_another_is_a_valueerror_or_tells_its_numbers(data: st.DataObject) -> None:
    chances = np.full((2, 3), 0.25)
    told = json.loads(_tested(probabilities=chances).to_json())
    told[data.draw(st.sampled_from(sorted(told)))] = data.draw(_JSON)
    try:
        found = Evaluation.from_dict(told)
    except ValueError as error:
        assert "data must be an Evaluation" in str(error)  # noqa: PT017
    else:
        assert found.confusion_matrix.sum() == len(found.y_true) == len(found.y_pred)
        assert str(found).startswith(found.model_name)


@pytest.mark.parametrize(
    "change",
    [
        {"y": [0, 0, 0, 1, 1, -1]},
        {"out_of_fold": [0]},
        {"probabilities": [[0.5, 0.5]]},
        {"probabilities": [[1e39, 0, 0], [0, 0, 1]]},
        {"y_test": None},
        {"folds": []},
        {"model_name": None},
        {"classes": []},
    ],
    ids=str,
)
def test_parts_that_do_not_fit_together_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="data must be an Evaluation as to_dict writes it"):
        Evaluation.from_dict(_tested().to_dict() | change)


def test_other_formats_are_refused() -> None:
    with pytest.raises(ValueError, match=r"format 2.*Got format 99"):
        Evaluation.from_dict(_evaluation().to_dict() | {"format": 99})
    with pytest.raises(ValueError, match="Evaluation of format 2"):
        Evaluation.from_dict(Comparison({"model": _evaluation()}).to_dict())
    with pytest.raises(ValueError, match="Comparison of format 2"):
        Comparison.from_dict(_evaluation().to_dict())
    with pytest.raises(ValueError, match="evaluations must map names"):
        Comparison.from_dict({"format": 2, "evaluations": [1]})
    with pytest.raises(ValueError, match="must be an Evaluation of format 2"):
        Comparison.from_dict({"format": 2, "evaluations": {"model": [1]}})
    with pytest.raises(ValueError, match="at least one Evaluation"):
        Comparison.from_dict({"format": 2, "evaluations": {}})


def test_str_tells_all_and_repr_is_one_line() -> None:
    evaluation = _evaluation()
    assert repr(evaluation) == "Evaluation('model', 2 folds, accuracy 0.8500 ± 0.0500)"
    for part in (
        "0.8500 ± 0.0500 over 2 folds, 95 % interval 0.0719 to 1.0000",
        "out-of-fold accuracy: 0.6667, 95 % interval 0.3000 to 0.9032",
        "Classification report of the out-of-fold predictions\n",
        "macro avg",
    ):
        assert part in str(evaluation)


_AVERAGES = ("accuracy", "macro avg", "weighted avg")


def test_classes_may_be_called_like_averages() -> None:
    plain, alike = _evaluation(labels=("a", "b", "c")), _evaluation(labels=_AVERAGES)
    assert [each.name for each in alike.class_figures] == list(_AVERAGES)
    assert [each[1:] for each in alike.class_figures] == [each[1:] for each in plain.class_figures]
    assert alike.average_figures == plain.average_figures
    assert alike.to_markdown().count("| accuracy | 0.67 | 0.67 | 0.67 | 3 |") == 1
    assert json.loads(alike.to_json())["class_figures"][0]["support"] == 3
    with pytest.raises(ValueError, match=r"called \['accuracy', .*Take class_figures"):
        alike.classification_report(output_dict=True)


def test_markdown_escapes_what_is_hostile_in_a_label() -> None:
    markdown = _evaluation(labels=("<b>", "a|b", "c")).to_markdown()
    assert "<b>" not in markdown.replace("\\<b\\>", "")
    assert "a\\|b" in markdown
    assert "| class | precision | recall | f1-score | support |" in markdown
    models = {"<b>": _evaluation("<b>", (0.9, 0.8)), "a*": _evaluation("a*", (0.5, 0.5))}
    markdown = Comparison(models).to_markdown()
    assert "<b>" not in markdown.replace("\\<b\\>", "")
    assert "a*" not in markdown


# -- comparisons -----------------------------------------------------------------------------------


@pytest.fixture
def comparison() -> Comparison:
    return Comparison(
        {
            "good": _evaluation("good", (0.80, 0.82, 0.81)),
            "best": _evaluation("best", (0.90, 0.91, 0.93)),
            "same": _evaluation("same", (0.80, 0.82, 0.81)),
        }
    )


def test_a_model_without_a_score_is_last() -> None:
    for order in (("a", "b", "c"), ("c", "a", "b"), ("b", "c", "a")):
        scores = {"a": (0.8, 0.9), "b": (float("nan"), 0.99), "c": (0.9, 0.9)}
        comparison = Comparison({name: _evaluation(name, scores[name]) for name in order})
        assert comparison.ranking() == ["c", "a", "b"]


def test_where_no_model_has_a_score_none_is_best() -> None:
    names = ("one", "other")
    comparison = Comparison({name: _evaluation(name, (0.9, float("nan"))) for name in names})
    with pytest.raises(ValueError, match=r"no model has a score in every fold\. Got .*'one'"):
        comparison.best  # noqa: B018
    shown = " ".join(str(comparison).split())
    assert "nothing can be said of one and other over the 2 folds: a score is missing" in shown
    assert "nan" not in shown
    assert "nothing can be said" in comparison.to_markdown()


def test_what_was_not_evaluated_alike_is_not_compared() -> None:
    one = _evaluation("one")
    for other, what in [
        (dataclasses.replace(one, scoring="f1_macro"), "score"),
        (dataclasses.replace(one, y=one.y[::-1]), "labels"),
        (_evaluation("two", (0.9, 0.8, 0.7)), "folds"),
        (_tested(), "test set"),
    ]:
        with pytest.raises(ValueError, match=rf"'one' and 'other' differ in {what}\.$"):
            Comparison({"one": one, "other": other})


def test_a_comparison_shows_table_verdicts_and_the_best_report(comparison: Comparison) -> None:
    assert comparison.ranking() == ["best", "good", "same"]
    assert comparison.best == "best"
    shown = str(comparison)
    assert shown.splitlines()[1].startswith("best")
    assert "- best is better than good by 10.3 points over the 3 folds, simultaneous 95 %" in shown
    assert "good and same" not in shown
    assert max(len(line) for line in shown.splitlines()) < 80
    assert shown.endswith(str(comparison["best"]))
    assert "Which kind of model reads better? By the folds:" in shown
    assert "| best | 0.9133" in comparison.to_markdown()
