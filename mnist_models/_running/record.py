"""One finished fit as bytes, and back: read only if it can be the outcome of its task."""

from dataclasses import asdict
from math import inf
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from mnist_models._container import pack, unpack
from mnist_models._results.findings import Fit
from mnist_models._running.fitting import Data, Labels, Outcome, Task

# How far rounding may put a probability below 0 or above 1.
_ROUNDING = 1e-4
_LAST_CHARACTER = 0x10FFFF


def encode(outcome: Outcome, task: Task, run: str) -> bytes:
    """The record of one task's outcome; ``run`` is the hash of the run's identity."""
    arrays: dict[str, NDArray[Any]] = {}
    words: dict[str, list[Any]] = {}
    for name in ("predictions", "known"):
        labels = getattr(outcome, name)
        if labels is None:
            continue
        if labels.dtype == object:
            values, arrays[name] = np.unique(labels, return_inverse=True)
            words[name] = values.tolist()
        else:
            arrays[name] = _as_characters(labels) if labels.dtype.kind == "U" else labels
    if outcome.probabilities is not None:
        arrays["probabilities"] = outcome.probabilities
    return pack({"run": run, "task": str(task), "fit": asdict(outcome.fit), "words": words}, arrays)


def decode(file: BinaryIO, task: Task, data: Data, run: str) -> Outcome:
    """The outcome of a task, from its record.

    Raises
    ------
    ValueError
        If the record is damaged, of another run or task, or cannot be an outcome of this one.
    """
    description, arrays = unpack(file)
    try:
        found = description["run"], description["task"]
        _require(found == (run, str(task)), f"a record of this run's {task}")
        outcome = _outcome(description, arrays)
        _check(outcome, task, data)
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"expected a record of {task}, found {error!r}") from error
    return outcome


def _outcome(description: Any, arrays: dict[str, NDArray[Any]]) -> Outcome:
    fit, words = Fit(**description["fit"]), description["words"]
    predictions = _labels(arrays["predictions"], words.get("predictions"))
    if "known" not in arrays:
        return Outcome(fit, predictions)
    return Outcome(
        fit, predictions, arrays["probabilities"], _labels(arrays["known"], words.get("known"))
    )


# -- labels ----------------------------------------------------------------------------------------


def _as_characters(labels: Labels) -> NDArray[np.uint32]:
    """A row of code points for each label: a file cannot claim more memory than its own size."""
    native = np.ascontiguousarray(labels, dtype=labels.dtype.newbyteorder("="))
    return native.view(np.uint32).reshape(len(labels), -1)


def _labels(array: NDArray[Any], words: Any) -> Labels:
    if words is not None:
        _require(all(isinstance(word, str | int | float) for word in words), "labels")
        return np.array(words, dtype=object)[array]
    if array.ndim < 2:
        return array
    characters = array.dtype == np.uint32 and array.max(initial=0) <= _LAST_CHARACTER
    _require(characters and array.shape[1] > 0, "characters")
    return array.view(f"U{array.shape[1]}")[:, 0]


# -- what can be the outcome of a task -------------------------------------------------------------


def _check(outcome: Outcome, task: Task, data: Data) -> None:
    fit, predictions, chances, known = outcome
    n_train, n_predicted = _n_rows(task, data)
    _check_fit(fit)
    _require((fit.n_train, fit.n_predicted) == (n_train, n_predicted), "a fit of as many rows")
    _require(predictions.shape == (n_predicted,), f"{n_predicted} predictions")
    _check_kind(predictions, data.y)
    if chances is None or known is None:
        return
    _check_kind(known, data.y)
    _require(task.reported and known.shape == np.unique(known).shape, "different classes")
    _require(
        chances.dtype == np.float32
        and chances.shape == (n_predicted, len(known))
        and bool(np.all((chances >= -_ROUNDING) & (chances <= 1 + _ROUNDING))),
        f"probabilities of {n_predicted} rows and {len(known)} classes, as float32",
    )


def _n_rows(task: Task, data: Data) -> tuple[int, int]:
    if task.fold is None:
        assert data.test is not None  # a task without a fold is made only where there is a test set
        return len(data.y), len(data.test[1])
    train, held_out = (data.y[rows] for rows in task.fold)  # train may be a mask
    return len(train), len(held_out)


def _check_kind(labels: Labels, y: Labels) -> None:
    """Raise unless the labels can be sorted among those of the data."""
    numbers = [each.dtype.kind in "biuf" for each in (labels, y)]
    _require(numbers[0] == numbers[1] or object in (labels.dtype, y.dtype), f"labels as {y.dtype}")
    np.unique(np.concatenate([labels, y]))  # TypeError where some cannot be compared


def _check_fit(fit: Fit) -> None:
    seconds = fit.fit_seconds, fit.predict_seconds
    n_bytes = [each for each in (fit.model_bytes, fit.peak_bytes) if each is not None]
    history = {} if fit.history is None else fit.history
    epochs = [epoch for values in history.values() for epoch in values]
    best = 0 if fit.best_epoch is None else fit.best_epoch
    _require(
        type(fit.score) is float
        and all(type(each) is float and 0 <= each < inf for each in seconds)
        and all(type(each) is int for each in (fit.n_train, fit.n_predicted))
        and all(type(each) is int and each >= 0 for each in n_bytes)
        and all(type(values) is list for values in history.values())
        and all(type(each) in (int, float) for each in epochs)
        # a network that is not ours may count its epochs from 1
        and type(best) is int
        and 0 <= best <= max(map(len, history.values()), default=0),
        "the numbers of a fit",
    )


def _require(sound: bool, expected: str) -> None:
    if not sound:
        raise ValueError(f"expected {expected}, found something else")
