"""Before a long run: warn of what would mislead without a sign.

A check looks at models, data and folds and returns what it found, with the remedy, or None. A
warning that cries wolf will be switched off, so each has a threshold below which what it looks for
can move no conclusion, or may as well be chance.
"""

import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from mnist_models._evaluation_input import Folds
from mnist_models._fitting import Data
from mnist_models._names import check_name
from mnist_models.exceptions import PreflightWarning

_PACKAGE = Path(__file__).parent

# A row of the held-out part that was trained on may move the accuracy by 1/n, not more. Fewer of
# them than this share are lost in the rounding of an accuracy of three digits.
_LEAKED = 0.001
_MOST_CLASSES = 20  # that are many only if they are a fifth of the rows


class Flight(NamedTuple):
    """What is about to be run."""

    models: Mapping[str, Any]
    data: Data
    folds: Folds


_Check: TypeAlias = Callable[[Flight], str | None]


def check(models: Mapping[str, Any], data: Data, folds: Folds, ignore: Iterable[str]) -> None:
    """Warn of each finding once, at the line that called the library.

    Parameters
    ----------
    models : dict of str to classifier
        What will be fitted.
    data : Data
        All rows.
    folds : list of tuple (train, held_out)
        Row numbers.
    ignore : iterable of str
        Names of checks to leave out.

    Raises
    ------
    ValueError
        If there is no check of such a name.

    Warns
    -----
    PreflightWarning
        The message begins with the name in brackets.
    """
    ignored = [ignore] if isinstance(ignore, str) else list(ignore)
    for name in ignored:
        check_name(name, CHECKS, "each of ignore")
    flight = Flight(models, data, folds)
    for name, look in CHECKS.items():
        finding = None if name in ignored else look(flight)
        if finding is not None:
            message = f"[{name}] {finding} To silence this: ignore=({name!r},)."
            warnings.warn(PreflightWarning(message), stacklevel=_levels_to_the_caller())


def _levels_to_the_caller() -> int:
    """How far above :func:`check` the first line outside the package is."""
    frame, levels = sys._getframe(1), 1
    while frame.f_back is not None and Path(frame.f_code.co_filename).is_relative_to(_PACKAGE):
        frame, levels = frame.f_back, levels + 1
    return levels


# -- labels and folds ------------------------------------------------------------------------------


def _many_classes(flight: Flight) -> str | None:
    n_classes, n_rows = len(np.unique(flight.data.y)), len(flight.data.y)
    if n_classes <= max(_MOST_CLASSES, n_rows / 5):
        return None
    return (
        f"y has {n_classes} classes in {n_rows} rows, as numbers on a scale or identifiers have. "
        "If they are on a scale, use a regressor, or bin them; if not, get more rows of each class."
    )


def _few_rows(flight: Flight) -> str | None:
    classes, counts = np.unique(flight.data.y, return_counts=True)
    n_folds = len(flight.folds)
    few = classes[counts < n_folds].tolist()
    smallest_part = min(len(held_out) for _, held_out in flight.folds)
    if not few or smallest_part < len(classes):  # as with LeaveOneOut, which cannot have them all
        return None
    most = int(counts.min())
    remedy = f"Use at most {most} folds" if most > 1 else "Leave these out"
    return (
        f"{_some(few)} in y: fewer rows than the {n_folds} folds, so some folds test none, and "
        f"their scores are of another task. {remedy}, or get more rows."
    )


def _class_missing(flight: Flight) -> str | None:
    """Of classes with two rows or more: a single one is always missing where it is tested."""
    _, codes, counts = np.unique(flight.data.y, return_inverse=True, return_counts=True)
    hopeless = 0
    for train, held_out in flight.folds:
        known = np.bincount(codes[train], minlength=len(counts)) > 0
        hopeless += int(np.sum(~known[codes[held_out]] & (counts[codes[held_out]] > 1)))
    if not hopeless:
        return None
    return (
        f"{hopeless} of {len(codes)} rows are tested in a fold that trains on none of their class, "
        "and can only be read wrong; sorted labels do that. Use an int for cv, or "
        "StratifiedKFold(shuffle=True)."
    )


def _unstratified(flight: Flight) -> str | None:
    """A fold whose classes' shares are far from the whole's, and further than chance would have."""
    if _class_missing(flight):
        return None  # the same, and worse, has been said
    _, codes = np.unique(flight.data.y, return_inverse=True)
    whole = np.bincount(codes) / len(codes)
    for number, (_, held_out) in enumerate(flight.folds):
        n_held_out = max(1, len(held_out))
        shares = np.bincount(codes[held_out], minlength=len(whole)) / n_held_out
        apart = np.abs(shares - whole).sum() / 2
        # the mean deviation of a normal variable is √(2/π) of its standard deviation
        by_chance = np.sqrt(2 / np.pi * whole * (1 - whole) / n_held_out).sum() / 2
        if apart > 0.1 + 2 * by_chance:
            return (
                f"The classes' shares in fold {number + 1} are not those of y: {100 * apart:.0f}% "
                "of its rows would have to be of other classes, so its score is of another task. "
                "Use an int for cv, or StratifiedKFold(shuffle=True)."
            )
    return None


# -- rows ------------------------------------------------------------------------------------------


def _duplicate_rows(flight: Flight) -> str | None:
    """Rows that are tested by a model that was trained on the very same."""
    arrays = [_as_array(part) for part in _parts(flight.data)]
    rows = [array for array in arrays if array is not None]
    if len(rows) < len(arrays):
        return None
    dtype = np.result_type(*rows)
    hashes, codes = np.unique(
        np.concatenate([_hash_rows(array, dtype) for array in rows]), return_inverse=True
    )
    if len(hashes) == len(codes):
        return None
    n_rows = len(rows[0])
    in_X, in_test = codes[:n_rows], codes[n_rows:]
    within = sum(_count_known(in_X[train], in_X[held]) for train, held in flight.folds)
    across = _count_known(in_X, in_test)
    found = []
    if across > _LEAKED * len(in_test):
        found.append(f"{across} of {len(in_test)} rows of the test set are also in X.")
    if within > _LEAKED * n_rows:
        found.append(f"{within} of {n_rows} rows of X are in their fold's training part too.")
    if not found or _repeats_by_chance(rows[0]):
        return None
    return (
        f"{' '.join(found)} Reading these right is memory. Drop the copies (np.unique(X, axis=0, "
        "return_index=True)), or keep them in one fold by GroupKFold."
    )


def _parts(data: Data) -> list[Any]:
    """X, and the test set's if there is one."""
    return [data.X] if data.test is None else [data.X, data.test[0]]


def _count_known(seen: NDArray[np.intp], asked: NDArray[np.intp]) -> int:
    """How many of the second codes are among the first."""
    n_codes = 1 + max(seen.max(initial=0), asked.max(initial=0))
    return int(np.count_nonzero(np.bincount(seen, minlength=n_codes)[asked]))


def _as_array(X: Any) -> NDArray[Any] | None:
    """Rows of numbers or text in one array; None for sparse rows and for objects."""
    if issparse(X):
        return None
    rows = np.asarray(X)
    return None if rows.dtype.hasobject else rows.reshape(len(rows), -1)


def _hash_rows(rows: NDArray[Any], dtype: Any) -> NDArray[np.int64]:
    """64 bits for each row: of a million rows, two different ones agree once in 4·10⁷ runs."""
    whole = np.ascontiguousarray(rows, dtype=dtype)
    return np.fromiter((hash(row.tobytes()) for row in whole), dtype=np.int64, count=len(whole))


def _repeats_by_chance(rows: NDArray[Any]) -> bool:
    """Whether rows this poor in values repeat of themselves, so that repeats tell nothing.

    Estimated as if columns were independent. They never are, hence a millionth, not 1, as the
    number of pairs from which on repeats are taken for chance.
    """
    some = rows[:: max(1, len(rows) // 1000)]
    pairs = np.log(len(rows) ** 2 / 2)
    for column in some.T:
        _, counts = np.unique(column, return_counts=True)
        pairs += np.log(np.sum((counts / len(some)) ** 2))
    return bool(pairs > np.log(1e-6))


def _scaled_outside(flight: Flight) -> str | None:
    parts = _parts(flight.data)
    if _is_standardized(parts[:1]):
        scaled = "X"
    elif len(parts) > 1 and _is_standardized(parts):
        scaled = "X and the test set together"
    else:
        return None
    return (
        f"Every column of {scaled} has mean 0 and standard deviation 1, so it was scaled before it "
        "was divided, and training has seen something of the rows held out. Give the raw rows, and "
        "put the scaler into the model: make_pipeline(StandardScaler(), model)."
    )


def _is_standardized(parts: list[Any]) -> bool:
    """Means of 0 and deviations of 1, a hundred times closer than a sample has them by chance."""
    arrays = [_as_array(part) for part in parts]
    rows = [array for array in arrays if array is not None and array.dtype.kind == "f"]
    n_rows = sum(len(array) for array in rows)
    if len(rows) < len(parts) or n_rows < 2:
        return False
    with np.errstate(invalid="ignore", over="ignore"):  # a model may take NaN and infinity
        sums = sum(array.sum(axis=0, dtype=np.float64) for array in rows)
        close = 0.01 / np.sqrt(n_rows)
        if not (np.abs(sums / n_rows) < close).all():
            return False
        squares = sum(np.einsum("ij,ij->j", each, each, dtype=np.float64) for each in rows)
    deviations = np.sqrt(squares / n_rows)  # as means are 0
    varied = deviations[deviations > 0]
    # whether the sum was divided by n or by n - 1
    return bool(len(varied) and (np.abs(varied - 1) < close + 1 / n_rows).all())


# -- models ----------------------------------------------------------------------------------------


def _unseeded(flight: Flight) -> str | None:
    found = [
        f"{name!r} ({type(part).__name__})"
        for name, model in flight.models.items()
        for part in _unseeded_parts(model)
    ]
    if not found:
        return None
    return (
        f"{_some(found)}: random_state is None, so every fit is another model, and no run can be "
        "repeated. Pass random_state=0, or any int."
    )


def _unseeded_parts(model: Any) -> list[Any]:
    """The estimators in a model that draw random numbers, whatever their other parameters."""
    from sklearn.ensemble import (
        BaggingClassifier,
        BaseEnsemble,
        ExtraTreesClassifier,
        RandomForestClassifier,
    )
    from sklearn.linear_model import SGDClassifier
    from sklearn.model_selection import RandomizedSearchCV
    from sklearn.neural_network import MLPClassifier

    from mnist_models.network import SequentialClassifier

    # many others take a random_state and seldom use it: LogisticRegression, SVC, PCA, and so on
    random: Any = (
        *(SequentialClassifier, MLPClassifier, SGDClassifier, RandomizedSearchCV),
        *(RandomForestClassifier, ExtraTreesClassifier, BaggingClassifier),
    )
    if not hasattr(model, "get_params"):
        return []
    params = {"": model} | {f"__{key}": part for key, part in model.get_params(deep=True).items()}
    # an ensemble seeds what it is made of
    seeded = [
        f"{key}__"
        for key, part in params.items()
        if isinstance(part, BaseEnsemble) and getattr(part, "random_state", None) is not None
    ]
    unseeded = {
        id(part): part
        for key, part in params.items()
        if isinstance(part, random)
        and part.random_state is None
        and not key.startswith(tuple(seeded))
    }
    return list(unseeded.values())


def _some(things: list[Any]) -> str:
    """The first few, and how many more."""
    shown = ", ".join(str(thing) for thing in things[:5])
    return shown if len(things) <= 5 else f"{shown} and {len(things) - 5} more"


CHECKS: dict[str, _Check] = {
    "many-classes": _many_classes,
    "few-rows": _few_rows,
    "class-missing": _class_missing,
    "unstratified-folds": _unstratified,
    "duplicate-rows": _duplicate_rows,
    "scaled-outside": _scaled_outside,
    "unseeded": _unseeded,
}
