"""One fit, timed, and what the fitted model says of rows it has not seen."""

from collections.abc import Callable
from time import perf_counter
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.metrics import check_scoring
from sklearn.pipeline import Pipeline

from mnist_models._findings import Fit
from mnist_models._memory import peak_memory, pickled_bytes

Rows: TypeAlias = NDArray[np.intp]
Labels: TypeAlias = NDArray[Any]
Scoring: TypeAlias = str | Callable[[Any, Any, Any], float] | None


class Data(NamedTuple):
    """What all fits of a comparison read: the training rows, and a test set if there is one."""

    X: Any
    y: Labels
    test: tuple[Any, Labels] | None


class Task(NamedTuple):
    """One fit to do; without a fold it is the one on all of X, for the test set."""

    name: str
    model: Any
    number: int
    fold: tuple[Rows, Rows] | None
    scoring: Scoring
    reported: bool  # whether probabilities are wanted: the report will be on these predictions

    def __str__(self) -> str:
        return f"{self.name}, " + ("test" if self.fold is None else f"fold {self.number + 1}")


class Outcome(NamedTuple):
    """What came of a task. Columns of the probabilities are the classes that the model knows."""

    fit: Fit
    predictions: Labels
    probabilities: NDArray[np.float32] | None = None
    known: Labels | None = None


def fit_and_predict(task: Task, data: Data) -> Outcome:
    """Fit a clone on a fold's training rows, or on all, and ask it about the others.

    Parameters
    ----------
    task : Task
        What to fit, on which rows.
    data : Data
        All rows.

    Returns
    -------
    Outcome
    """
    X, y, X_test, y_test = _divide(data, task.fold)
    fitted = clone(task.model)
    with peak_memory() as memory:
        start = perf_counter()
        fitted.fit(X, y)
        fit_seconds = perf_counter() - start
        start = perf_counter()
        predictions = np.asarray(fitted.predict(X_test))
        predict_seconds = perf_counter() - start
    score = float(check_scoring(fitted, scoring=task.scoring)(fitted, X_test, y_test))
    fit = Fit(
        score,
        fit_seconds,
        predict_seconds,
        n_train=len(y),
        n_predicted=len(y_test),
        history=getattr(final_estimator(fitted), "history_", None),
        best_epoch=getattr(final_estimator(fitted), "best_epoch_", None),
        model_bytes=pickled_bytes(fitted),
        peak_bytes=memory.rise,
    )
    if not (task.reported and hasattr(fitted, "predict_proba")):
        return Outcome(fit, predictions)
    probabilities = np.asarray(fitted.predict_proba(X_test), dtype=np.float32)
    return Outcome(fit, predictions, probabilities, np.asarray(fitted.classes_))


def final_estimator(model: Any) -> Any:
    """The last step of a Pipeline, or the model itself."""
    return model[-1] if isinstance(model, Pipeline) else model


def _divide(data: Data, fold: tuple[Rows, Rows] | None) -> tuple[Any, Labels, Any, Labels]:
    if fold is None:
        assert data.test is not None  # a task without a fold is made only where there is a test set
        return data.X, data.y, *data.test
    train, held_out = fold
    return _take(data.X, train), data.y[train], _take(data.X, held_out), data.y[held_out]


def _take(X: Any, rows: Rows) -> Any:
    """Rows of an array, a sparse matrix or a DataFrame."""
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]
