"""The pictures: what is drawn is what scikit-learn finds, and nothing else moves."""

import dataclasses
import io
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from mnist_models import Comparison, Evaluation, Fit

FOLDS = tuple(Fit(score, 1.0, 0.1, n_train=80, n_predicted=40) for score in (0.9, 0.8, 0.7))
IMAGES = np.arange(60 * 16, dtype=np.uint8).reshape(60, 4, 4)


def _evaluation(n: int = 60, labels: Any = ("a", "b", "c"), **changes: Any) -> Evaluation:
    """Answers that are right about half of the time, with probabilities."""
    rng, classes = np.random.default_rng(0), np.array(labels)
    codes = np.arange(n) % len(classes)
    shares = rng.dirichlet(np.ones(len(classes)), n) + 0.4 * np.eye(len(classes))[codes]
    shares = (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)
    found = Evaluation(
        model_name="model",
        scoring="accuracy",
        classes=classes,
        y=classes[codes],
        out_of_fold=classes[shares.argmax(axis=1)],
        folds=FOLDS,
        probabilities=shares,
    )
    return dataclasses.replace(found, **changes)


def _with_history(*histories: dict[str, list[float]], best_epoch: int | None = 1) -> Evaluation:
    made = [dataclasses.replace(FOLDS[0], history=h, best_epoch=best_epoch) for h in histories]
    return _evaluation(folds=tuple(made))


def _all_read_as_1(sure: Any, right: Any) -> Evaluation:
    """Rows read as 1 with these probabilities: those that are right are 1, the others 0."""
    sure, read = np.asarray(sure), np.ones(len(sure), dtype=int)
    shares = np.column_stack([1 - sure, sure])
    return _evaluation(
        classes=np.array([0, 1]), y=np.where(right, 1, 0), out_of_fold=read, probabilities=shares
    )


HISTORY = {"loss": [3.0, 2.0, 1.0], "val_loss": [3.5, 2.5, 2.75], "accuracy": [0.1, 0.2, 0.3]}
PICTURES: dict[str, Callable[..., Any]] = {
    "confusion_matrix": lambda ax=None: _evaluation().plot_confusion_matrix(ax=ax),
    "errors": lambda ax=None: _evaluation().plot_errors(IMAGES, ax=ax),
    "learning_curve": lambda ax=None: _with_history(HISTORY).plot_learning_curve(ax=ax),
    "calibration": lambda ax=None: _evaluation().plot_calibration(ax=ax),
    "roc": lambda ax=None: _evaluation().plot_roc(ax=ax),
    "precision_recall": lambda ax=None: _evaluation().plot_precision_recall(ax=ax),
    "cv_scores": lambda ax=None: Comparison({"m": _evaluation()}).plot_cv_scores(ax=ax),
}


def _texts(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.texts]


def _titles(axes: Any) -> list[str]:
    """Those of the panels."""
    return [panel.get_title() for panel in axes.child_axes]


def _points(line: Any) -> NDArray[np.float64]:
    """Where a line goes, shape (n, 2)."""
    return np.asarray(line.get_xydata(), dtype=np.float64)


def _shown(image: Any) -> NDArray[np.float64]:
    """The values that an image shows, without those masked."""
    values = image.get_array()
    return np.ma.compressed(values) if np.ma.is_masked(values) else np.asarray(values)


def _legend(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


def _png(axes: Any) -> bytes:
    file = io.BytesIO()
    axes.figure.savefig(file, format="png")
    return file.getvalue()


@pytest.fixture(autouse=True)
def _nothing_else_moves() -> Iterator[None]:
    """Around every test here: no figure in pyplot's hands, no setting changed."""
    import matplotlib as mpl
    import matplotlib.pyplot as plt

    mpl.get_backend()  # settles the one setting that is chosen late
    settings = mpl.rcParams.copy()
    yield
    assert plt.get_fignums() == []
    assert mpl.rcParams == settings


@pytest.mark.parametrize("picture", PICTURES)
def test_a_picture_is_drawn_where_it_is_told_or_on_a_figure_of_its_own(picture: str) -> None:
    from matplotlib.figure import Figure

    given = Figure().subplots()
    assert PICTURES[picture](ax=given) is given
    assert any(axes.has_data() for axes in [given, *given.child_axes])
    new = PICTURES[picture]()
    assert new.figure is not given.figure
    assert _png(new).startswith(b"\x89PNG")


@pytest.mark.slow
@pytest.mark.parametrize("n_classes", [2, 47])
def test_any_number_of_classes_and_any_label_can_be_drawn(n_classes: int) -> None:
    """A dollar would begin a formula; text that matplotlib cannot parse is an error on drawing."""
    hostile = "{0} $x_{0}$ a label that goes on and on, costs $5 <b> ${0}\n_\ud800"
    labels = sorted(hostile.format(number) for number in range(n_classes))
    evaluation = _evaluation(3 * n_classes, labels, model_name=labels[0])
    images = np.zeros((3 * n_classes, 9))
    for axes in (
        evaluation.plot_confusion_matrix(),
        evaluation.plot_errors(images, n=4),
        evaluation.plot_roc(),
        evaluation.plot_precision_recall(),
        Comparison({labels[0]: evaluation}).plot_cv_scores(),
        Comparison({labels[0]: evaluation}).plot_cost()[0],
    ):
        assert _png(axes)


# -- confusion matrices ----------------------------------------------------------------------------


def test_the_cells_of_a_confusion_matrix_hold_counts_and_percents() -> None:
    classes = np.array(["a", "b", "c"])
    y, predicted = classes[[0, 0, 0, 1, 1, 2]], classes[[0, 0, 1, 1, 0, 2]]
    evaluation = _evaluation(y=y, out_of_fold=predicted, probabilities=None)
    axes = evaluation.plot_confusion_matrix()
    cells = ["2\n66.7 %", "1\n33.3 %", "", "1\n50.0 %", "1\n50.0 %", "", "", "", "1\n100 %"]
    assert _texts(axes) == cells
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true")
    many = _evaluation(200, range(13))  # too many for percents
    shown = [int(text or 0) for text in _texts(many.plot_confusion_matrix())]
    assert shown == many.confusion_matrix.ravel().tolist()


def test_a_pair_of_matrices_has_one_scale() -> None:
    from matplotlib.figure import Figure

    classes = np.array(["a", "b"])
    y = classes[[0, 0, 0, 0, 1, 1]]
    one, two = (
        _evaluation(classes=classes, y=y, out_of_fold=classes[answers], probabilities=None)
        for answers in ([0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 0, 1])
    )
    comparison = Comparison({"one": one, "two": two})
    left, right = comparison.plot_confusion_matrices("one", "two")
    assert left.figure is right.figure
    assert left.child_axes == []  # the colour bars, of what is right and what is wrong,
    assert len(right.child_axes) == 2  # stand beside the other
    for axes, diagonal, beside in ((left, [75, 100], [25, 0]), (right, [100, 50], [0, 50])):
        assert [image.get_clim() for image in axes.images] == [(0, 100), (0, 50)]
        rights, wrongs = map(_shown, axes.images)
        np.testing.assert_array_equal(rights, diagonal)
        np.testing.assert_array_equal(wrongs, beside)
    given = Figure().subplots(ncols=2)
    assert comparison.plot_confusion_matrices("two", "one", given) == tuple(given)
    turned, _ = comparison.plot_confusion_matrices("one", "two", labels=["b", "a"])
    assert [label.get_text() for label in turned.get_yticklabels()] == ["b", "a"]
    with pytest.raises(ValueError, match="axes must be two"):
        comparison.plot_confusion_matrices("one", "two", given[:1])
    with pytest.raises(ValueError, match="Did you mean 'two'"):
        comparison.plot_confusion_matrices("one", "tow")


# -- errors ----------------------------------------------------------------------------------------


def test_the_most_confidently_wrong_digit_comes_first() -> None:
    evaluation = _evaluation()
    assert evaluation.probabilities is not None
    rows, surest = evaluation.errors(), evaluation.probabilities.max(axis=1)
    rows = rows[np.argsort(-surest[rows], kind="stable")]
    axes = evaluation.plot_errors(IMAGES, n=7)
    assert len(rows) > 7
    for row, image, caption in zip(rows, axes.images, _texts(axes), strict=False):
        np.testing.assert_allclose(_shown(image), IMAGES[row] / 255)
        true, predicted = evaluation.y_true[row], evaluation.y_pred[row]
        assert caption == f"{true} → {predicted}\n{100 * surest[row]:.1f} %"
    assert len(axes.images) == len(axes.texts) == 7
    assert f"7 of {len(rows)}" in axes.get_title()
    without = dataclasses.replace(evaluation, probabilities=None)
    axes = without.plot_errors(IMAGES.reshape(60, 16), true="a", predicted="b")
    rows = evaluation.errors(true="a", predicted="b")
    np.testing.assert_allclose([_shown(image) for image in axes.images], IMAGES[rows] / 255)
    assert set(_texts(axes)) == {"a → b"}


def test_a_model_without_errors_has_an_empty_gallery() -> None:
    evaluation = _evaluation()
    axes = dataclasses.replace(evaluation, out_of_fold=evaluation.y).plot_errors(IMAGES)
    assert axes.get_title().startswith("model: 0 of 0 misread")
    assert _png(axes)
    with pytest.raises(ValueError, match="n must be an int of at least 1"):
        evaluation.plot_errors(IMAGES, n=0)


def test_suspects_have_the_least_probable_labels_and_are_drawn_in_that_order() -> None:
    evaluation = _evaluation()
    assert evaluation.probabilities is not None
    rows = evaluation.suspects()
    assert sorted(rows) == evaluation.errors().tolist()
    own = evaluation.probabilities[rows, np.searchsorted(evaluation.classes, evaluation.y[rows])]
    assert (np.diff(own) >= 0).all()
    assert evaluation.suspects(n=3).tolist() == rows[:3].tolist()
    axes = evaluation.plot_errors(IMAGES, rows=rows)
    np.testing.assert_allclose([_shown(image) for image in axes.images], IMAGES[rows][:24] / 255)
    assert f"{min(24, len(rows))} of {len(rows)} rows given" in axes.get_title()
    right = np.flatnonzero(evaluation.y == evaluation.y_pred)[:2].tolist()
    assert len(evaluation.plot_errors(IMAGES, rows=right).images) == 2  # any rows can be drawn
    for wrong in ([60], [-1], [0.5], ["a"], [[1]], 3):
        with pytest.raises(ValueError, match="ints from 0 to 59"):
            evaluation.plot_errors(IMAGES, rows=wrong)
    with pytest.raises(ValueError, match="leave out one or the other"):
        evaluation.plot_errors(IMAGES, rows=[1], true="a")
    with pytest.raises(ValueError, match="n must be an int of at least 1"):
        evaluation.suspects(0)


# -- learning curves -------------------------------------------------------------------------------


def test_a_learning_curve_is_the_history_with_the_best_epoch_marked() -> None:
    axes = _with_history(HISTORY).plot_learning_curve()
    training, validation, best = axes.lines
    np.testing.assert_array_equal(_points(training), [[1, 3.0], [2, 2.0], [3, 1.0]])
    np.testing.assert_array_equal(validation.get_ydata(), HISTORY["val_loss"])
    assert _points(best).tolist() == [[2, 2.5]]
    assert _legend(axes) == ["training", "validation", "best epoch, 2, whose weights were kept"]
    for best_epoch in (-1, 3, None):  # no epoch that was
        found = _with_history(HISTORY, {"accuracy": [0.5]}, best_epoch=best_epoch)
        assert _legend(found.plot_learning_curve()) == ["training", "validation"]


def test_every_fold_has_a_curve_and_the_test_fit_goes_before_them() -> None:
    evaluation = _with_history(HISTORY, HISTORY, {"loss": [9.0]}, best_epoch=0)
    assert len(evaluation.plot_learning_curve().lines) == 3 + 3 + 2
    assert len(_legend(evaluation.plot_learning_curve())) == 3
    test = dataclasses.replace(FOLDS[0], history={"loss": [5.0, 4.0]})
    tested = dataclasses.replace(
        evaluation, test=test, y_test=evaluation.y, test_predictions=evaluation.y
    )
    (line,) = tested.plot_learning_curve().lines
    assert _points(line).tolist() == [[1, 5.0], [2, 4.0]]


def test_what_early_stopping_watches_is_drawn_first() -> None:
    """The penalty in the loss still falls after the best epoch."""
    watched = {"cross_entropy": [2.0, 1.0, 0.5], "val_cross_entropy": [2.0, 1.0, 1.5]}
    axes = _with_history(HISTORY | watched).plot_learning_curve()
    assert axes.get_ylabel() == "cross-entropy"
    assert _points(axes.lines[2]).tolist() == [[2, 1.0]]  # the least of all
    with_penalty = _with_history(HISTORY | watched).plot_learning_curve("loss")
    assert _points(with_penalty.lines[2]).tolist() == [[2, 2.5]]


def test_without_history_or_such_a_metric_there_is_no_learning_curve() -> None:
    with pytest.raises(ValueError, match=r"model keeps none.*SequentialClassifier"):
        _evaluation().plot_learning_curve()
    with pytest.raises(ValueError, match=r"'loss', 'accuracy'.*Did you mean 'accuracy'"):
        _with_history(HISTORY).plot_learning_curve("acuracy")


# -- calibration -----------------------------------------------------------------------------------


def _bins(axes: Any) -> NDArray[np.float64]:
    """Confidence and accuracy of each bin that has rows, shape (n, 2)."""
    points = np.concatenate([np.asarray(points.get_offsets()) for points in axes.collections])
    return np.asarray(points[np.argsort(points[:, 0])])


def test_calibration_is_accuracy_over_confidence_worked_by_hand() -> None:
    sure = [0.55, 0.58, 0.95, 0.97, 0.97, 0.99]
    axes = _all_read_as_1(sure, [True, False, True, True, True, False]).plot_calibration()
    np.testing.assert_allclose(_bins(axes), [[0.565, 0.5], [0.97, 0.75]], atol=1e-6)
    # (2·|0.5 - 0.565| + 4·|0.75 - 0.97|) / 6
    assert "expected calibration error 0.1683" in axes.get_title()
    heights = [bar.get_window_extent().height / axes.bbox.height for bar in axes.patches]
    np.testing.assert_allclose(heights[5::4], [2 / 6, 4 / 6])
    assert _texts(axes) == ["0"] * 5 + ["2"] + ["0"] * 3 + ["4"]


def test_no_line_of_calibration_goes_through_bins_of_few_rows() -> None:
    """Of 100, 30, 24 and 40 rows: the third is hollow, so the last is joined to nothing."""
    sure = np.repeat([0.65, 0.75, 0.85, 0.95], [100, 30, 24, 40])
    axes = _all_read_as_1(sure, np.arange(194) % 2).plot_calibration()
    full, hollow = (np.asarray(points.get_offsets()) for points in axes.collections)
    np.testing.assert_allclose(full[:, 0], [0.65, 0.75, 0.95])
    np.testing.assert_allclose(hollow[:, 0], [0.85])
    assert _legend(axes) == ["fewer than 25 rows: not reliable"]
    drawn = _points(axes.lines[-1])
    assert np.isfinite(drawn[:, 1]).tolist() == [False] * 6 + [True, True, False, True]
    large, small, _ = axes.collections[0].get_sizes()  # type: ignore[attr-defined]
    assert large / small == pytest.approx(100 / 30)


# -- ROC, precision and recall ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "score"), [("roc", roc_auc_score), ("precision_recall", average_precision_score)]
)
def test_every_class_has_a_panel_with_the_area_that_scikit_learn_finds(
    kind: str, score: Any
) -> None:
    evaluation = _evaluation()
    truth, shares = evaluation.y_true[:, None] == evaluation.classes, evaluation.probabilities
    areas = dict(zip("abc", score(truth, shares, average=None), strict=True))
    plot = getattr(evaluation, f"plot_{kind}")
    axes = plot()
    assert _titles(axes) == [f"{label}: {area:.4f}" for label, area in areas.items()]
    assert f"{np.mean([*areas.values()]):.4f} on average" in axes.get_title()
    for panel, area in zip(axes.child_axes, areas.values(), strict=True):
        *behind, own = panel.lines
        assert len(behind) == 3
        assert {line.get_color() for line in behind}.isdisjoint([own.get_color()])
        x, height = _points(own).T
        steps = np.diff(x) * (height[1:] if kind == "roc" else height[:-1])
        if kind == "precision_recall":  # average precision sums steps
            assert abs(steps.sum()) == pytest.approx(area)
        else:
            assert np.trapezoid(height, x) == pytest.approx(area)
    assert _titles(plot(labels=["c", "a"])) == [f"{label}: {areas[label]:.4f}" for label in "ca"]
    with pytest.raises(ValueError, match=r"each of labels must be one of 'a', 'b', 'c'"):
        plot(labels=["d"])


def test_a_confusion_matrix_has_the_classes_in_the_order_asked_for() -> None:
    evaluation = _evaluation()
    axes = evaluation.plot_confusion_matrix(labels=["c", "b", "a"])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["c", "b", "a"]
    counts = [int(text.partition("\n")[0] or 0) for text in _texts(axes)]
    assert counts == evaluation.confusion_matrix[::-1, ::-1].ravel().tolist()


def test_percents_of_some_classes_are_those_of_all_their_rows() -> None:
    evaluation = _evaluation()
    texts = [text for text in _texts(evaluation.plot_confusion_matrix(labels=["a", "b"])) if text]
    whole = [text for text in _texts(evaluation.plot_confusion_matrix()) if text]
    assert texts
    assert set(texts) <= set(whole)
    for wrong in ([], ["a", "a"], [1]):
        with pytest.raises(ValueError, match="labels must"):
            evaluation.plot_confusion_matrix(labels=wrong)


@pytest.mark.parametrize("kind", ["plot_roc", "plot_precision_recall"])
def test_a_class_without_rows_has_no_curve_and_its_panel_says_so(kind: str) -> None:
    evaluation = _evaluation()
    y = np.where(evaluation.y == "b", "c", evaluation.y)
    axes = getattr(dataclasses.replace(evaluation, y=y), kind)()
    assert _titles(axes)[1] == "b: no rows"
    assert [len(panel.lines) for panel in axes.child_axes] == [3, 2, 3]
    with pytest.raises(ValueError, match="60 rows, all or none of them"):
        getattr(dataclasses.replace(evaluation, y=np.full(60, "a")), kind)()


def test_of_many_classes_the_worst_are_shown() -> None:
    evaluation = _evaluation(470, range(47))
    shares, truth = evaluation.probabilities, evaluation.y[:, None] == evaluation.classes
    assert shares is not None
    areas = roc_auc_score(truth, shares, average=None)
    axes = evaluation.plot_roc()
    worst = np.sort(evaluation.classes[np.argsort(areas)[:12]])
    assert [int(title.partition(":")[0]) for title in _titles(axes)] == worst.tolist()
    assert axes.get_title().endswith("the 12 worst of 47")


@pytest.mark.parametrize(
    "kind", ["plot_roc", "plot_precision_recall", "plot_calibration", "suspects"]
)
def test_without_probabilities_the_error_says_what_to_do(kind: str) -> None:
    with pytest.raises(ValueError, match=r"model gives none\. Evaluate a model with predict_proba"):
        getattr(_evaluation(probabilities=None), kind)()


# -- scores of the folds ---------------------------------------------------------------------------


def test_every_fold_of_every_model_is_a_point_and_means_are_marked() -> None:
    better = tuple(dataclasses.replace(fold, score=fold.score + 0.05) for fold in FOLDS)
    comparison = Comparison({"low": _evaluation(), "high": _evaluation(folds=better)})
    axes = comparison.plot_cv_scores()
    assert [label.get_text() for label in axes.get_yticklabels()] == ["high", "low"]
    assert axes.yaxis_inverted()  # so the best is on top
    ends = [comparison[name].cv_confidence_interval()[:2] for name in ("high", "low")]
    *folds, high_ends, high, high_mean, low_ends, low, low_mean = (
        _points(line)[:, 0] for line in axes.lines
    )
    np.testing.assert_allclose(folds, [[0.95, 0.9], [0.85, 0.8], [0.75, 0.7]])
    np.testing.assert_allclose([high_ends, low_ends], ends)
    np.testing.assert_allclose([high, low], [[0.95, 0.85, 0.75], [0.9, 0.8, 0.7]])
    np.testing.assert_allclose([high_mean, low_mean], [[0.85], [0.8]])
    assert _texts(axes) == ["0.8500", "0.8000"]


# -- costs -----------------------------------------------------------------------------------------


def test_every_model_is_a_point_of_each_cost_unless_it_was_not_measured() -> None:
    from matplotlib.figure import Figure

    sized = tuple(dataclasses.replace(fold, fit_seconds=8.0, model_bytes=5000) for fold in FOLDS)
    comparison = Comparison({"light": _evaluation(), "heavy": _evaluation(folds=sized)})
    axes = comparison.plot_cost()
    found = [[_points(line)[0].tolist() for line in ax.lines] for ax in axes]
    y = comparison["light"].accuracy
    assert sorted(found[0]) == [[1.0, y], [8.0, y]]
    assert found[1] == [[0.1, y]] * 2
    assert [point for point in found[2] if np.isfinite(point).all()] == [[5000.0, y]]
    assert [ax.get_xlabel() for ax in axes] == ["fit", "prediction of 40 rows", "model size"]
    assert _legend(axes[2]) == comparison.ranking()
    assert _png(axes[0])
    given = Figure().subplots(ncols=3)
    assert Comparison({"m": _evaluation()}).plot_cost(given) == tuple(given)
    assert _png(given[0])
    with pytest.raises(ValueError, match="axes must be three"):
        comparison.plot_cost(given[:2])
