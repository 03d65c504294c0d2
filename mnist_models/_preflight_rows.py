"""Rows that would mislead, copied or scaled: what was found and the remedy, or None."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from mnist_models._evaluation_input import Folds
from mnist_models._fitting import Data

# A row of the held-out part that was trained on may move the accuracy by 1/n, not more. Fewer of
# them than this share are lost in the rounding of an accuracy of three digits.
_LEAKED = 0.001


def duplicate_rows(data: Data, folds: Folds) -> str | None:
    """Rows that are tested by a model that was trained on the very same."""
    arrays = [_as_array(part) for part in _parts(data)]
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
    within = sum(_count_known(in_X[train], in_X[held]) for train, held in folds)
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


def scaled_outside(data: Data) -> str | None:
    """Rows that a scaler has seen all of."""
    parts = _parts(data)
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
