"""Class scores: leave-one-out for the rows learned from, in 256 steps, and what they are worth."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
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
    Z, targets = _products(fitted, X), np.eye(n_classes)[y]
    targets = (
        (targets - targets.mean(axis=0))[:, -1:]
        if n_classes == 2
        else targets - targets.mean(axis=0)
    )
    ridge = np.diag(0.1 * (Z**2).sum(axis=0)[1:])  # not of the constant
    Z = Z[:, 1:] - Z[:, 1:].mean(axis=0)
    for i in range(40):
        others = np.arange(40) != i
        coef = np.linalg.solve(Z[others].T @ Z[others] + ridge, Z[others].T @ targets[others])
        np.testing.assert_allclose(appended[i, 5:], _steps(fitted, Z[i] @ coef), atol=0.51)
    coef = np.linalg.solve(Z.T @ Z + ridge, Z.T @ targets)
    np.testing.assert_allclose(fitted.coef_[:, 1:], coef.T, atol=1e-6)
    np.testing.assert_allclose(fitted.transform(X)[:, 5:], _steps(fitted, Z @ coef), atol=0.51)


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


@pytest.mark.parametrize("params", [{"explained": 1.0}, {"explained": 0}, {"penalty": 0.0}])
def test_parameters_are_checked(params: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(params))):
        ClassScores(**params).fit(np.eye(4), [0, 1, 0, 1])
