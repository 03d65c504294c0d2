"""Accuracy by training rows: as many rows as asked for, the same ones for all, each fit kept."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB

from mnist_models import evaluate, learning_curve

from .conftest import Split, quick_model
from .misbehaving import Misbehaving, fits_made, numbered_rows


class _Seen(GaussianNB):
    """Naive Bayes that writes the row numbers it is fitted on, which are the first column."""

    def __init__(self, folder: Any = None) -> None:
        super().__init__()
        self.folder = folder

    def fit(self, X: Any, y: Any) -> "_Seen":
        folder = Path(self.folder)
        number = len(list(folder.glob("*.npy")))
        np.save(folder / f"{number:03}.npy", np.c_[X[:, 0], y])
        super().fit(X[:, 1:], y)
        return self

    def predict(self, X: Any) -> Any:
        return super().predict(X[:, 1:])


def _seen(folder: Path) -> list[Any]:
    return [np.load(path) for path in sorted(folder.glob("*.npy"))]


def test_digits_are_read_better_the_more_there_are(digits: Split) -> None:
    X_train, X_test, y_train, y_test = digits
    models = {name: quick_model(name) for name in ("logistic", "forest")}
    curve = learning_curve(models, X_train, y_train, sizes=[300, 30], test=(X_test, y_test))
    assert (curve.source, list(curve.points)) == ("test", list(models))
    for few, many in curve.points.values():
        assert (few.n_rows, many.n_rows) == (few.fits[0].n_train, many.fits[0].n_train) == (30, 300)
        assert few.accuracy + 0.05 < many.accuracy
        for point in (few, many):
            assert point.interval.method == "Wilson score"
            assert point.interval.low < point.accuracy < point.interval.high
    assert str(curve).splitlines()[1].split() == ["rows", *models]
    assert f"{curve.points['forest'][1].accuracy:.4f}" in str(curve)


def test_of_all_rows_it_is_what_evaluate_finds(digits: Split) -> None:
    X_train, X_test, y_train, y_test = digits
    models, test = {"m": quick_model("forest")}, (X_test, y_test)
    found = evaluate(models["m"], X_train, y_train, test=test)
    tested = learning_curve(models, X_train, y_train, sizes=[len(y_train)], test=test)
    (whole,) = tested.points["m"]
    assert (whole.accuracy, whole.interval) == (found.accuracy, found.confidence_interval())
    folds = learning_curve(models, X_train, y_train)
    n = len(y_train) * 4 // 5
    sizes = [point.n_rows for point in folds.points["m"]]
    assert sizes == [n // 16, n // 8, n // 4, n // 2, n]
    last, wanted = folds.points["m"][-1], found.cv_confidence_interval()
    assert last.accuracy == pytest.approx(found.cv_scores.mean())
    assert last.interval.method == wanted.method
    np.testing.assert_allclose(last.interval[:2], wanted[:2])


def test_rows_are_stratified_nested_and_never_those_tested(tmp_path: Path) -> None:
    X, y = numbered_rows()
    learning_curve({"seen": _Seen(tmp_path)}, X, y, sizes=[9, 30, 60], cv=2)
    fits = _seen(tmp_path)
    assert [len(fit) for fit in fits] == [9, 30, 60] * 2
    for few, more, whole in (fits[:3], fits[3:]):
        assert np.bincount(few[:, 1].astype(int)).tolist() == [3, 3, 3]
        assert set(few[:, 0]) < set(more[:, 0]) < set(whole[:, 0])
    assert not set(fits[2][:, 0]) & set(fits[5][:, 0])


def test_what_is_kept_is_not_fitted_again_and_more_sizes_cost_only_themselves(
    tmp_path: Path,
) -> None:
    X, y = numbered_rows()
    models = {"a": Misbehaving("nothing", tmp_path), "b": Misbehaving("nothing", tmp_path, times=9)}
    arguments: dict[str, Any] = {"cv": 3, "memory": tmp_path / "kept"}
    first = learning_curve(models, X, y, sizes=[12, 40], **arguments)
    assert fits_made(tmp_path) == 2 * 2 * 3
    steps: list[Any] = []
    again = learning_curve(models, X, y, sizes=[40, 12], progress=steps.append, **arguments)
    assert fits_made(tmp_path) == 12
    assert [step.what for step in steps] == ["kept"] * 12
    assert {step.part for step in steps} == {
        f"{n} rows, fold {k}" for n in (12, 40) for k in (1, 2, 3)
    }
    assert again.to_dict() == first.to_dict()
    learning_curve(models, X, y, sizes=[12, 20, 40], n_jobs=2, **arguments)
    assert fits_made(tmp_path) == 18


def test_an_interrupted_one_goes_on_where_it_stopped(tmp_path: Path) -> None:
    X, y = numbered_rows()
    models = {"m": Misbehaving("nothing", tmp_path)}
    arguments: dict[str, Any] = {"cv": 3, "sizes": [12, 40], "memory": tmp_path / "kept"}

    def stop(step: Any) -> None:
        if step.what == "finished" and step.done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        learning_curve(models, X, y, progress=stop, **arguments)
    assert fits_made(tmp_path) == 4
    learning_curve(models, X, y, **arguments)
    assert fits_made(tmp_path) == 6


def test_it_is_drawn_with_a_band_for_every_model_and_goes_into_json() -> None:
    X, y = numbered_rows()
    models = {"a $": GaussianNB(), "b": GaussianNB(var_smoothing=1.0)}
    curve = learning_curve(models, X, y, sizes=[12, 40])
    axes = curve.plot()
    for name, line in zip(models, axes.lines, strict=True):
        points = [[point.n_rows, point.accuracy] for point in curve.points[name]]
        np.testing.assert_allclose(np.asarray(line.get_xydata()), points)
    assert len(axes.collections) == 2
    assert curve.plot(axes) is axes
    assert axes.get_legend() is not None
    read = json.loads(json.dumps(curve.to_dict(), allow_nan=False))
    assert read["source"] == "out-of-fold"
    first, point = read["points"]["b"][0], curve.points["b"][0]
    assert (first["n_rows"], first["accuracy"]) == (12, point.accuracy)
    assert [fit["score"] for fit in first["fits"]] == [fit.score for fit in point.fits]
    assert first["interval"]["low"] == point.interval.low


@pytest.mark.parametrize("sizes", [[], [2], [3.5], [97], [12, 0]], ids=str)
def test_sizes_that_cannot_be_are_refused(sizes: Any) -> None:
    X, y = numbered_rows()
    with pytest.raises(ValueError, match=r"ints from 3, the number of classes, to 96.*Got \["):
        learning_curve({"m": GaussianNB()}, X, y, sizes=sizes)


def test_what_misleads_an_evaluation_is_said_here_too() -> None:
    X, y = numbered_rows()
    with pytest.raises(ValueError, match="models must map names to classifiers"):
        learning_curve({}, X, y)
    with pytest.warns(UserWarning, match="duplicate-rows"):
        learning_curve({"m": GaussianNB()}, X, y, sizes=[12], test=(X, y))
