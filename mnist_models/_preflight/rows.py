"""Checks of rows: copied or scaled. Each returns what it found and the remedy, or None."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from mnist_models._running.fitting import Data
from mnist_models._running.input import Folds

# A test row that was trained on changes the accuracy by at most 1/n. A smaller share of them than
# this is lost in the rounding of an accuracy to three digits.
_LEAKED = 0.001


def duplicate_rows(data: Data, folds: Folds) -> str | None:
    """Rows that are tested by a model that was trained on equal rows.

    Sparse rows are not checked, nor are rows with values that have no hash, such as lists.
    """
    parts = _parts(data)
    if any(issparse(part) for part in parts):
        return None
    rows = [_as_array(part) for part in parts]
    try:
        hashed = _hashes(parts, rows)
    except TypeError:
        return None
    hashes, codes = np.unique(np.concatenate(hashed), return_inverse=True)
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
        f"{' '.join(found)} A model can classify these from memory. Drop the copies "
        "(np.unique(X, axis=0, return_index=True)), or keep them in one fold by GroupKFold."
    )


def _parts(data: Data) -> list[Any]:
    """X, and the test set's if there is one."""
    return [data.X] if data.test is None else [data.X, data.test[0]]


def _count_known(seen: NDArray[np.intp], asked: NDArray[np.intp]) -> int:
    """How many of the codes asked for are among those seen."""
    n_codes = 1 + max(seen.max(initial=0), asked.max(initial=0))
    return int(np.count_nonzero(np.bincount(seen, minlength=n_codes)[asked]))


def _as_array(X: Any) -> NDArray[Any]:
    """Rows of a table, of images or of texts, each as one row."""
    rows = np.asarray(X)
    return rows.reshape(len(rows), -1)


def _hashes(parts: list[Any], rows: list[NDArray[Any]]) -> list[NDArray[Any]]:
    """64 bits for each row: of a million rows, two different ones agree once in 4·10⁷ runs."""
    dtype = np.result_type(*rows)
    if not dtype.hasobject:
        whole = (np.ascontiguousarray(part, dtype=dtype) for part in rows)
        return [_integers(hash(row.tobytes()) for row in part) for part in whole]
    if all(
        hasattr(part, "iloc") for part in parts
    ):  # ten times faster, and treats missing values as equal
        from pandas.util import hash_pandas_object

        return [hash_pandas_object(part, index=False).to_numpy() for part in parts]
    return [_integers(hash(tuple(row)) for row in part.tolist()) for part in rows]


def _integers(values: Iterator[int]) -> NDArray[np.int64]:
    return np.fromiter(values, dtype=np.int64)


def _repeats_by_chance(rows: NDArray[Any]) -> bool:
    """Whether rows have so few different values that equal rows tell nothing.

    The number of equal pairs is estimated as if columns were independent. They never are: hence
    repeats pass for chance from a millionth of a pair on, not from one pair on.
    """
    sample = rows[:: max(1, len(rows) // 1000)]
    sample = sample.astype(str) if sample.dtype.hasobject else sample
    pairs = len(rows) ** 2 / 2
    for column in sample.T:
        _, counts = np.unique(column, return_counts=True)
        pairs *= np.sum(counts * (counts - 1)) / max(1, len(sample) * (len(sample) - 1))
    return bool(pairs > 1e-6)


def scaled_outside(data: Data) -> str | None:
    """Rows that were standardized before the split, in most columns or in all."""
    parts = _parts(data)
    for name, scaled in (("X", parts[:1]), ("X and the test set together", parts)):
        n_scaled, n_varied = _standardized(scaled)
        if 0 < n_varied <= 2 * n_scaled:
            columns = "All" if n_scaled == n_varied else f"{n_scaled} of {n_varied}"
            return (
                f"{columns} columns of {name} have mean 0 and standard deviation 1, so they were "
                "scaled before the split, and training has used something of the rows held out. "
                "Give the raw rows, and put the scaler into the model: "
                "make_pipeline(StandardScaler(), model)."
            )
    return None


def _standardized(parts: list[Any]) -> tuple[int, int]:
    """How many columns have mean 0 and standard deviation 1, and how many vary at all.

    They must be a hundred times closer to 0 and 1 than a random sample would be.
    """
    rows = [_as_array(part) for part in parts if not issparse(part)]
    n_rows = sum(len(part) for part in rows)
    if len(rows) < len(parts) or any(part.dtype.kind != "f" for part in rows) or n_rows < 2:
        return 0, 0
    close = 0.01 / np.sqrt(n_rows)
    with np.errstate(invalid="ignore", over="ignore"):  # some models accept NaN and infinity
        means = sum(part.sum(axis=0, dtype=np.float64) for part in rows) / n_rows
        squares = sum(np.einsum("ij,ij->j", part, part, dtype=np.float64) for part in rows)
        # where the mean is 0, the root of the mean square is the standard deviation
        from_1 = np.abs(np.sqrt(squares / n_rows) - 1)
    # 1 / n more, for a variance that was divided by n - 1
    scaled = (np.abs(means) < close) & (from_1 < close + 1 / n_rows)
    if not scaled.any():
        return 0, 0
    varied = np.any([(part != rows[0][0]).any(axis=0) for part in rows], axis=0)
    return int(scaled.sum()), int(varied.sum())
