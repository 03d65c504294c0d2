"""What the network makes of weights, of rows and of classes."""

from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils import compute_sample_weight

from mnist_models import SequentialClassifier
from mnist_models._network.input import stratified_holdout

from .conftest import SMALL_NETWORK as SMALL


def test_sample_weights_count(rng: np.random.Generator) -> None:
    """The same rows under two labels: the label with the weight wins."""
    X = np.tile(rng.normal(size=(60, 5)), (2, 1))
    y = np.repeat(["light", "heavy"], 60)
    weight = np.repeat([0.01, 1.0], 60)
    network = SequentialClassifier((16,), learning_rate=0.02, batch_size=16, random_state=0)
    network.fit(X, y, sample_weight=weight)
    assert (network.predict(X) == "heavy").all()


@pytest.mark.parametrize("class_weight", [{0: 0.01, 1: 1.0}, {0: 0.01}, "balanced"])
def test_class_weights_are_weights_of_rows(class_weight: Any, rng: np.random.Generator) -> None:
    X = rng.normal(size=(90, 4))
    y = np.repeat([0, 1], [60, 30])
    by_class = SequentialClassifier(**SMALL, random_state=0, class_weight=class_weight).fit(X, y)
    weight = compute_sample_weight(class_weight, y)
    by_row = SequentialClassifier(**SMALL, random_state=0).fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(by_class.predict_proba(X), by_row.predict_proba(X))
    by_both = clone(by_class).fit(X, y, sample_weight=weight)
    squared = clone(by_row).fit(X, y, sample_weight=weight**2)
    np.testing.assert_allclose(by_both.predict_proba(X), squared.predict_proba(X), atol=1e-5)


@pytest.mark.parametrize(
    ("class_weight", "error"),
    [
        ("fair", TypeError),
        (2.0, TypeError),
        ({0: -1.0}, ValueError),
        ({0: np.nan}, ValueError),
        ({0: 1e300}, ValueError),
        ({0: 0, 1: 0}, ValueError),
        ({"no such": 1.0}, ValueError),
    ],
)
def test_class_weights_that_cannot_be(class_weight: Any, error: type[Exception]) -> None:
    network = SequentialClassifier(**SMALL, class_weight=class_weight)
    with pytest.raises(error, match="class_weight"):
        network.fit(np.eye(4), [0, 1, 0, 1])


def test_rows_that_weigh_nothing_count_for_nothing(rng: np.random.Generator) -> None:
    """Not even where a whole class weighs nothing: it stays a class, and is never the answer."""
    X = rng.normal(size=(90, 5))
    y = np.repeat([10, 20, 30], 30)
    X[y == 30] += 4
    weight = (y != 20).astype(float)
    network = SequentialClassifier((16,), learning_rate=0.02, batch_size=16, random_state=0)
    network.fit(X, y, sample_weight=weight)
    assert network.classes_.tolist() == [10, 20, 30]
    assert network.score(X[y != 20], y[y != 20]) > 0.9
    codes = np.repeat([0, 1, 2], 30)
    held_out = stratified_holdout(codes, weight.astype(np.float32), 0.2, np.random.RandomState(0))
    np.testing.assert_array_equal(np.bincount(codes[held_out], minlength=3), [6, 0, 6])


@pytest.mark.parametrize(
    "weight", [[1.0], [[1.0]] * 4, [1, 1, -1, 1], [0, 0, 0, 0], [1, 1, 1, np.nan], [1, 1, 1, 1e300]]
)
def test_sample_weights_that_cannot_be(weight: Any) -> None:
    with pytest.raises(ValueError, match="sample_weight"):
        SequentialClassifier(**SMALL).fit(np.eye(4), [0, 1, 0, 1], sample_weight=weight)
