"""What a result came from, told so that no two different things are told alike."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from mnist_models._provenance import described, parameters_of, sha256_of


def _times(factor: float) -> Callable[[Any], Any]:
    return lambda X: X * factor


def _add(X: Any, much: float = 1.0) -> Any:
    return X + much


def test_estimators_in_a_grid_are_told_apart() -> None:
    def grid(C: float) -> dict[str, str]:
        pipeline = Pipeline([("classify", LogisticRegression())])
        return parameters_of(GridSearchCV(pipeline, {"classify": [LogisticRegression(C=C)]}))

    assert grid(1.0) == grid(1.0)
    assert grid(1.0) != grid(2.0)


def test_functions_are_told_apart_by_what_they_hold() -> None:
    assert described(_times(2)) == described(_times(2))
    assert described(_times(2)) != described(_times(3))

    def countdown(n: int) -> int:
        return countdown(n - 1) if n else 0

    assert described(countdown) == described(countdown)  # which holds itself
    before = described(_add)
    _add.__defaults__ = (2.0,)
    assert described(_add) != before


def test_arrays_of_other_shapes_and_types_have_other_sums() -> None:
    rows = np.arange(6.0)
    things = [rows, rows.reshape(2, 3), rows.reshape(3, 2), rows.astype(np.float32)]
    things += [csr_array(np.eye(3)), csr_array(np.eye(3, 9)), rows.astype(object)]
    assert len({sha256_of([thing]) for thing in things}) == len(things)
