"""evaluate and compare: one fit a fold, every row predicted once, the same folds for all."""

import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.cluster import KMeans
from sklearn.datasets import make_classification
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LinearRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import (
    KFold,
    ShuffleSplit,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier

import mnist_models
from mnist_models import (
    Comparison,
    Evaluation,
    compare,
    evaluate,
    load_sample_digits,
    make_model,
    plot_evidence,
)

from .conftest import Split, quick_model


class CountingClassifier(ClassifierMixin, BaseEstimator):
    """Answers the most frequent label, and counts how often any of its kind was fitted."""

    fits = 0

    def fit(self, X: Any, y: Any) -> "CountingClassifier":
        type(self).fits += 1
        self.classes_, counts = np.unique(y, return_counts=True)
        self.answer_ = self.classes_[counts.argmax()]
        return self

    def predict(self, X: Any) -> Any:
        return np.full(len(X), self.answer_)


@pytest.fixture
def table() -> tuple[Any, Any]:
    return make_classification(n_samples=200, n_informative=4, n_classes=3, random_state=0)


def test_each_fold_is_fitted_once_and_the_model_itself_never(table: tuple[Any, Any]) -> None:
    CountingClassifier.fits = 0
    (X, y), model = table, CountingClassifier()
    with pytest.raises(ValueError, match="acuracy"):
        evaluate(model, X, y, scoring="acuracy")
    assert CountingClassifier.fits == 0
    evaluate(model, X, y, cv=4, test=(X, y), ignore=("duplicate-rows",))
    assert CountingClassifier.fits == 4 + 1
    assert not hasattr(model, "classes_")


def test_scores_and_predictions_are_scikit_learns(table: tuple[Any, Any]) -> None:
    X, y = table
    model, cv = KNeighborsClassifier(), StratifiedKFold(5, shuffle=True, random_state=0)
    evaluation = evaluate(model, X, y, cv=5, random_state=0, scoring="f1_macro")
    np.testing.assert_array_equal(
        evaluation.cv_scores, cross_val_score(model, X, y, cv=cv, scoring="f1_macro")
    )
    np.testing.assert_array_equal(evaluation.y_pred, cross_val_predict(model, X, y, cv=cv))
    assert evaluation.source == "out-of-fold"
    assert evaluation.confusion_matrix.sum() == len(y)


def test_a_test_set_is_what_the_report_is_about(digits: Split) -> None:
    X_train, X_test, y_train, y_test = digits
    model = quick_model("logistic")
    evaluation = evaluate(model, X_train, y_train, test=(X_test, y_test), cv=2)
    fitted = model.fit(X_train, y_train)
    np.testing.assert_array_equal(evaluation.y_pred, fitted.predict(X_test))
    assert evaluation.accuracy == fitted.score(X_test, y_test)
    assert evaluation.source == "test"
    assert len(evaluation.out_of_fold) == len(y_train)
    assert evaluation.test is not None
    assert evaluation.test.n_train == len(y_train)


def test_the_networks_history_is_kept(digits: Split) -> None:
    X_train, _, y_train, _ = digits
    evaluation = evaluate(quick_model("network", epochs=2), X_train[:200], y_train[:200], cv=2)
    assert all(fold.history and len(fold.history["loss"]) == 2 for fold in evaluation.folds)


def test_a_test_fit_keeps_what_the_model_looks_at(digits: Split) -> None:
    X, X_test, y, y_test = digits
    kinds = ("logistic", "forest")
    models = {name: quick_model(name) for name in kinds} | {"odd": DummyClassifier()}
    found = compare(models, X, y, test=(X_test, y_test), cv=2)
    for name in kinds:
        test = found[name].test
        assert test is not None
        assert test.evidence is not None
        drawn: Any = plot_evidence(models[name].fit(X, y), X_test, y_test).child_axes
        for panel, image in zip(drawn, test.evidence.values(), strict=False):
            np.testing.assert_allclose(
                panel.images[0].get_array(), np.array(image), rtol=1e-2, atol=1e-6
            )
        expected = ["by impurity"] if name == "forest" else [str(label) for label in range(10)]
        assert [*test.evidence] == expected
        assert found[name].folds[0].evidence is None
    odd = found["odd"].test
    assert odd is not None
    assert odd.evidence is None


def test_models_are_named_by_strings(table: tuple[Any, Any]) -> None:
    with pytest.raises(ValueError, match="at least one"):
        compare({}, *table)
    with pytest.raises(TypeError, match=r"named by strings\. Got 5 instead"):
        compare({5: DummyClassifier()}, *table)  # type: ignore[dict-item]


def test_compare_gives_every_model_the_same_folds(table: tuple[Any, Any]) -> None:
    X, y = table
    models = {"near": KNeighborsClassifier(1), "nearer": KNeighborsClassifier(1)}
    comparison = compare(models, X, y)
    assert isinstance(comparison, Comparison)
    assert list(comparison) == ["near", "nearer"]
    np.testing.assert_array_equal(comparison["near"].cv_scores, comparison["nearer"].cv_scores)


def test_a_callable_scores(table: tuple[Any, Any]) -> None:
    def share_right(model: Any, X: Any, y: Any) -> float:
        return float(accuracy_score(y, model.predict(X)))

    evaluation = evaluate(KNeighborsClassifier(), *table, scoring=share_right)
    assert evaluation.scoring == "share_right"
    np.testing.assert_allclose(evaluation.cv_scores.mean(), evaluation.accuracy)


def test_a_label_only_the_test_set_has_counts_as_missed(table: tuple[Any, Any]) -> None:
    X, y = table
    evaluation = evaluate(DummyClassifier(), X, y, test=(X[:3] + 1, np.array([7, 7, 7])))
    assert evaluation.classes.tolist() == [0, 1, 2, 7]
    assert evaluation.accuracy == 0
    assert evaluation.classification_report(output_dict=True)["7"]["support"] == 3


def test_splitters_that_test_every_row_once_will_do(table: tuple[Any, Any]) -> None:
    X, y = table
    folds = list(KFold(4).split(X))
    for cv in (KFold(4), folds, iter(folds)):
        assert len(evaluate(DummyClassifier(), X, y, cv=cv).folds) == 4


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"model": LinearRegression()}, TypeError, "must be a scikit-learn classifier"),
        ({"model": KMeans()}, TypeError, "must be a scikit-learn classifier"),
        ({"y": np.zeros(7)}, ValueError, "inconsistent numbers of samples"),
        ({"y": np.linspace(0, 1, 200)}, ValueError, "continuous"),
        ({"cv": ShuffleSplit(3, random_state=0)}, ValueError, "every row of X exactly once"),
        ({"cv": 1}, ValueError, "n_splits"),
        ({"cv": []}, ValueError, "every row of X exactly once"),
        ({"cv": [(np.arange(200), np.arange(200))]}, ValueError, "also train on 200 of the 200"),
        (
            {"cv": [(np.arange(100), np.arange(99, 200)), (np.arange(99, 200), np.arange(99))]},
            ValueError,
            "also train on 1 of the 200",
        ),
        ({"model": "logistic"}, TypeError, "must be a scikit-learn classifier.*Got 'logistic'"),
        ({"model": None}, TypeError, "must be a scikit-learn classifier"),
        ({"scoring": ["accuracy", "f1_macro"]}, ValueError, "one scorer"),
        ({"test": (np.zeros((3, 20)),)}, ValueError, "must be a tuple.*Got tuple of length 1"),
        ({"test": np.zeros((3, 20))}, ValueError, "must be a tuple.*Got ndarray instead"),
        ({"test": (np.zeros((3, 19)), [0, 1, 2])}, ValueError, "rows of shape"),
        ({"test": (np.zeros((3, 20)), [0, 1])}, ValueError, "inconsistent numbers of samples"),
        ({"test": (np.zeros((0, 20)), [])}, ValueError, "a row or more"),
        ({"X": np.zeros((0, 20)), "y": []}, ValueError, "a row or more"),
    ],
)
def test_what_cannot_be_evaluated(
    change: dict[str, Any], error: type[Exception], message: str, table: tuple[Any, Any]
) -> None:
    X, y = table
    arguments = {"model": DummyClassifier(), "X": X, "y": y} | change
    with pytest.raises(error, match=message):
        evaluate(**arguments)


class Rejecting(CountingClassifier):
    """Answers a label of its own."""

    def predict(self, X: Any) -> Any:
        return np.where(np.arange(len(X)) % 2, super().predict(X), -1)


def test_an_answer_that_is_no_label_counts_as_one(table: tuple[Any, Any]) -> None:
    X, y = table
    evaluation = evaluate(Rejecting(), X, y)
    assert evaluation.classes.tolist() == [-1, 0, 1, 2]
    assert evaluation.confusion_matrix.sum() == len(y)
    again = Evaluation.from_dict(evaluation.to_dict())
    assert again.accuracy == evaluation.accuracy


class Reserved(ClassifierMixin, BaseEstimator):
    """Knows a class that nothing is of, and never answers it."""

    def fit(self, X: Any, y: Any) -> "Reserved":
        self.inner_ = GaussianNB().fit(X, y)
        self.classes_ = np.insert(self.inner_.classes_, 1, 0.5)
        return self

    def predict(self, X: Any) -> Any:
        return self.inner_.predict(X)

    def predict_proba(self, X: Any) -> Any:
        return np.insert(self.inner_.predict_proba(X), 1, 0.0, axis=1)


def test_a_class_that_only_the_model_knows_has_a_column_of_its_own(table: tuple[Any, Any]) -> None:
    X, y = table
    evaluation = evaluate(Reserved(), X, y.astype(float))
    assert evaluation.classes.tolist() == [0, 0.5, 1, 2]
    assert evaluation.probabilities is not None
    assert (evaluation.probabilities[:, 1] == 0).all()
    assert (evaluation.classes[evaluation.probabilities.argmax(axis=1)] == evaluation.y_pred).all()


class Unsure(DummyClassifier):
    """Predicts, and has no finite probabilities."""

    def predict_proba(self, X: Any) -> Any:
        return np.full((len(X), len(self.classes_)), np.nan)


def test_probabilities_that_are_not_finite_are_left_out(
    table: tuple[Any, Any], tmp_path: Path
) -> None:
    with pytest.warns(RuntimeWarning, match="predict_proba of 'Unsure' gave values"):
        evaluation = evaluate(Unsure(), *table)
    assert evaluation.probabilities is None
    evaluation.to_html(tmp_path / "page.html")  # and the rest is there


class Hungry(DummyClassifier):
    """Holds 200 MB for a moment."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "Hungry":
        np.ones(25_000_000).sum()
        return super().fit(X, y)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read as Linux gives it")
def test_what_a_fit_costs_is_measured(table: tuple[Any, Any]) -> None:
    X, y = table
    fit = evaluate(Hungry(), X, y, cv=2, test=(X + 1, y)).test
    assert fit is not None
    assert fit.peak_bytes is not None
    assert fit.peak_bytes > 150e6
    assert fit.model_bytes == len(pickle.dumps(Hungry().fit(X, y), protocol=5))
    assert min(fit.fit_seconds, fit.predict_seconds) > 0
    with ThreadPoolExecutor(1) as pool:  # where other fits may share the process
        found = pool.submit(evaluate, Hungry(), X, y, cv=2).result()
    assert {fold.peak_bytes for fold in found.folds} == {None}


def test_provenance_says_what_a_result_depends_on(table: tuple[Any, Any]) -> None:
    X, y = table
    things = [X, X.astype(np.float32), X[:, :-1], X.astype(object), csr_array(X), pd.DataFrame(X)]
    origins = [evaluate(DummyClassifier(), rows, y, cv=2).provenance for rows in things]
    assert len({origin.data_sha256 for origin in origins if origin}) == len(things)
    assert len({origin.folds_sha256 for origin in origins if origin}) == 1
    model = make_model("forest", class_weight={0: 1.0}, n_estimators=1, random_state=0)
    found = evaluate(model, X, y, cv=2, random_state=3).provenance
    assert found is not None
    assert found.random_state == "3"
    assert found.parameters["classify__class_weight"] == "{0: 1.0}"
    assert found.parameters["classify"] == "mnist_models.forest.RandomForestClassifier"
    assert found.versions["numpy"] == np.__version__


def test_an_evaluation_runs_through_few_files(table: tuple[Any, Any]) -> None:
    """So that a reader finds the way: eight of the package's at most."""
    files, package = set[str](), str(Path(mnist_models.__file__).parent)

    def note(frame: Any, event: str, argument: Any) -> None:
        files.add(frame.f_code.co_filename)

    evaluate(DummyClassifier(), *table)  # imports
    sys.setprofile(note)
    try:
        evaluate(DummyClassifier(), *table)
    finally:
        sys.setprofile(None)
    assert len([name for name in files if name.startswith(package)]) <= 8


@pytest.mark.parametrize("n_wrong", [6, 30])
def test_labels_made_wrong_are_found_among_the_first_suspects(n_wrong: int) -> None:
    digits = load_sample_digits().sample(600, random_state=0)
    rng = np.random.default_rng(0)
    wrong = rng.choice(600, n_wrong, replace=False)
    labels = digits.target.copy()
    labels[wrong] = (labels[wrong] + rng.integers(1, 10, n_wrong)) % 10
    rows = evaluate(quick_model("forest"), digits.data, labels, cv=3).suspects()
    assert len(rows) < 150
    assert np.isin(wrong, rows).mean() > 0.95
    assert np.isin(wrong, rows[: 2 * n_wrong]).mean() > 0.8
