"""Class scores: leave-one-out for the rows learned from, in 256 steps, and what they are worth."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures

from mnist_models import RandomForestClassifier, load_sample_digits
from mnist_models.class_scores import ClassScores


def _products(fitted: ClassScores, X: NDArray[Any]) -> NDArray[np.float64]:
    components = (X - fitted.mean_) @ fitted.components_.T
    products: NDArray[np.float64] = PolynomialFeatures(2).fit_transform(components)
    return products


def _steps(fitted: ClassScores, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    return ((scores - fitted.low_) / fitted.step_).clip(0, 255)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_each_row_is_scored_by_the_model_of_all_others(n_classes: int) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(40) % n_classes
    X = rng.normal(size=(40, 5)) + rng.normal(size=(n_classes, 5))[y]
    fitted = ClassScores(explained=0.7, penalty=0.1)
    appended = fitted.fit_transform(X, y)
    np.testing.assert_array_equal(appended[:, :5], X)
    Z, targets = _products(fitted, X)[:, 1:], np.eye(n_classes)[y][:, -appended[0, 5:].size :]
    ridge = np.diag(0.1 * (Z**2).sum(axis=0))
    for i in range(40):
        score = _score(Z, targets, ridge, np.arange(40) != i, Z[[i]])
        np.testing.assert_allclose(appended[[i], 5:], _steps(fitted, score), atol=0.51)
    scores = _score(Z, targets, ridge, np.arange(40) >= 0, Z)
    np.testing.assert_allclose(fitted.transform(X)[:, 5:], _steps(fitted, scores), atol=0.51)


def _score(Z: Any, targets: Any, ridge: Any, rows: Any, asked: Any) -> NDArray[np.float64]:
    """What ridge regression learns from some rows, of others, above the mean."""
    mean, known = Z[rows].mean(axis=0), targets[rows] - targets[rows].mean(axis=0)
    centred = Z[rows] - mean
    score: NDArray[np.float64] = (asked - mean) @ np.linalg.solve(
        centred.T @ centred + ridge, centred.T @ known
    )
    return score


@pytest.mark.parametrize("n", [20, 40, 100])
def test_scores_do_not_tell_the_label_they_were_learned_with(n: int) -> None:
    rng = np.random.default_rng(0)
    areas = []
    for _ in range(20):
        y = rng.permutation(np.arange(n) % 2)  # labels that nothing in X tells
        scores = ClassScores().fit_transform(rng.normal(size=(n, 12)), y)[:, -1]
        areas.append(roc_auc_score(y, scores))
    assert 0.4 < np.mean(areas) < 0.6


def test_the_unit_and_the_zero_of_the_features_do_not_matter() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 6)), np.arange(60) % 3
    expected = ClassScores().fit_transform(X, y)[:, 6:]
    for other in (X + 1e4, X * 1e60, X * 1e-60, (X * 1e30).astype(np.float32)):
        found = ClassScores().fit_transform(other, y)[:, 6:]
        np.testing.assert_allclose(found, expected, atol=1)


def test_values_too_large_are_refused() -> None:
    X, y = np.random.default_rng(0).normal(size=(20, 3)), np.arange(20) % 2
    with pytest.raises(ValueError, match="too large"):
        ClassScores().fit(1e80 * X, y)
    fitted = ClassScores().fit(X, y)
    with pytest.raises(ValueError, match="too large"):
        fitted.transform(1e160 * X)
    assert np.isin(fitted.transform(1e60 * X)[:, 3:], [0, 255]).all()


def test_a_forest_reads_better_with_them() -> None:
    X_train, X_test, y_train, y_test = load_sample_digits().split()
    plain, scored = (
        make_pipeline(*steps, RandomForestClassifier(random_state=0)).fit(X_train, y_train)
        for steps in ([], [ClassScores()])
    )
    proba = [model.predict_proba(X_test) for model in (plain, scored)]
    losses = [-np.log(np.maximum(p[np.arange(len(y_test)), y_test], 1e-3)).mean() for p in proba]
    assert losses[1] < 0.8 * losses[0]


@pytest.mark.parametrize(
    ("given", "expected"), [("u1", "u1"), ("i1", "i2"), ("?", "u1"), ("f4", "f4"), ("f8", "f8")]
)
def test_the_dtype_holds_255(given: str, expected: str) -> None:
    X = (np.arange(60).reshape(12, 5) % 7 > 3).astype(given)
    appended = ClassScores().fit_transform(X, np.arange(12) % 2)
    assert appended.dtype == np.dtype(expected)
    assert appended[:, 5].min() == 0
    assert appended[:, 5].max() == 255


def test_blank_rows_and_a_single_class_give_zeros() -> None:
    for X, y in ((np.zeros((6, 4)), [0, 1, 2, 0, 1, 2]), (np.eye(6)[:, :4], ["a"] * 6)):
        fitted = ClassScores()
        for appended in (fitted.fit_transform(X, y), fitted.transform(X)):
            assert not appended[:, 4:].any()


def test_frames_keep_their_names() -> None:
    frame = pd.DataFrame(np.random.default_rng(0).random((20, 3)), columns=["a", "b", "c"])
    appended = ClassScores().set_output(transform="pandas").fit_transform(frame, np.arange(20) % 3)
    assert appended.columns.tolist() == ["a", "b", "c", "score0", "score1", "score2"]


@pytest.mark.parametrize(
    "params",
    [{"explained": 1.0}, {"explained": np.nan}, {"penalty": 0.0}, {"penalty": np.inf}],
)
def test_parameters_are_checked(params: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(params))):
        ClassScores(**params).fit(np.eye(4), [0, 1, 0, 1])
