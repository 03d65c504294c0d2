"""One fit, timed, and its predictions of rows that it has not seen."""

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.metrics import check_scoring
from sklearn.pipeline import Pipeline

from mnist_models._linear.blas_threads import one_blas_thread
from mnist_models._results.findings import Fit
from mnist_models._running.memory import peak_memory, pickled_bytes
from mnist_models._running.threads import limit_n_jobs
from mnist_models._warn import warn_user

Rows: TypeAlias = NDArray[np.intp]
Labels: TypeAlias = NDArray[Any]
Training: TypeAlias = tuple[Any, Labels, Mapping[str, NDArray[Any]]]
Scoring: TypeAlias = str | Callable[[Any, Any, Any], float] | None


class Data(NamedTuple):
    """The data of all fits of a comparison: the training rows, and a test set if there is one."""

    X: Any
    y: Labels
    test: tuple[Any, Labels] | None
    params: Mapping[str, NDArray[Any]] = {}  # more arguments of fit, a value for each row of X


class Task(NamedTuple):
    """One fit to make: on a fold, or without one on all of X, for the test set."""

    name: str
    model: Any
    number: int
    fold: tuple[Rows, Rows] | None
    scoring: Scoring
    reported: bool  # whether the report is on its predictions, and so needs probabilities

    @property
    def part(self) -> str:
        """Which of the model's fits it is: ``"fold 3"`` or ``"test"``."""
        return "test" if self.fold is None else f"fold {self.number + 1}"

    def __str__(self) -> str:
        return f"{self.name}, {self.part}"


class Outcome(NamedTuple):
    """The result of a task. ``known``: the model's classes, for the columns of probabilities."""

    fit: Fit
    predictions: Labels
    probabilities: NDArray[np.float32] | None = None
    known: Labels | None = None


def fit_and_predict(task: Task, data: Data, n_threads: int | None = None) -> Outcome:
    """Fit a clone on a fold's training rows, or on all of X, and predict the test rows.

    BLAS is limited to one thread meanwhile, so that the result depends neither on the number of
    cores nor on how many fits share them.

    Parameters
    ----------
    task : Task
        What to fit, on which rows.
    data : Data
        All rows.
    n_threads : int, default=None
        The greatest ``n_jobs`` that the model may have. None leaves it as it is.

    Returns
    -------
    Outcome
    """
    fitted = clone(task.model)
    if n_threads is not None:
        limit_n_jobs(fitted, n_threads)
    with one_blas_thread():
        return _measure(fitted, task, *_split(data, task.fold))


def _measure(model: Any, task: Task, training: Training, X_test: Any, y_test: Labels) -> Outcome:
    X, y, params = training
    with peak_memory() as memory:
        start = perf_counter()
        model.fit(X, y, **params)
        fit_seconds = perf_counter() - start
        start = perf_counter()
        predictions = np.asarray(model.predict(X_test))
        predict_seconds = perf_counter() - start
    score = float(check_scoring(model, scoring=task.scoring)(model, X_test, y_test))
    history = _history(final_estimator(model))
    fit = Fit(
        score,
        fit_seconds,
        predict_seconds,
        n_train=len(y),
        n_predicted=len(y_test),
        history=history,
        best_epoch=_best_epoch(final_estimator(model)) if history else None,
        model_bytes=pickled_bytes(model),
        peak_bytes=memory.rise,
    )
    probabilities = _probabilities(model, task, X_test) if task.reported else None
    if probabilities is None:
        return Outcome(fit, predictions)
    return Outcome(fit, predictions, probabilities, np.asarray(model.classes_))


def _probabilities(model: Any, task: Task, X_test: Any) -> NDArray[np.float32] | None:
    """What ``predict_proba`` gives, if the model has it and all of it is finite."""
    if not hasattr(model, "predict_proba"):
        return None
    probabilities = np.asarray(model.predict_proba(X_test), dtype=np.float32)
    if not np.isfinite(probabilities).all():
        message = f"{task}: predict_proba gave values that are not finite, so none are reported."
        warn_user(RuntimeWarning(message))
        return None
    return probabilities


def final_estimator(model: Any) -> Any:
    """The last step of a Pipeline, or the model itself."""
    return model[-1] if isinstance(model, Pipeline) else model


def _history(model: Any) -> dict[str, list[float]] | None:
    """The history of a network, if it has the form of ours: a list of numbers for each metric."""
    history = getattr(model, "history_", None)
    if not isinstance(history, dict):
        return None
    is_ours = all(
        isinstance(values, list) and all(isinstance(value, int | float) for value in values)
        for values in history.values()
    )
    return history if is_ours else None


def _best_epoch(model: Any) -> int | None:
    """The index of its best epoch, if it has one."""
    best = getattr(model, "best_epoch_", None)
    return int(best) if isinstance(best, int | np.integer) else None


def _split(data: Data, fold: tuple[Rows, Rows] | None) -> tuple[Training, Any, Labels]:
    if fold is None:
        assert data.test is not None  # a task without a fold is made only where there is a test set
        return (data.X, data.y, data.params), *data.test
    train, held_out = fold
    params = {name: values[train] for name, values in data.params.items()}
    training = _take(data.X, train), data.y[train], params
    return training, _take(data.X, held_out), data.y[held_out]


def _take(X: Any, rows: Rows) -> Any:
    """Rows of an array, a sparse matrix or a DataFrame."""
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]
