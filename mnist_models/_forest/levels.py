"""The values of each column, numbered in ascending order: the levels that trees are grown from.

Importing this module imports numba.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import gen_batches

from mnist_models._compiled import kernel

MAX_LEVELS = 256

# Columns numbered together: sixteen float32 fill a cache line, and their hash tables fit in cache.
_COLUMNS = 16
_SLOTS = 1024  # of a hash table with at most 256 values: a power of two, mostly empty
_MINUS_ZERO = np.uint32(0x80000000)  # the bits of -0.0 in float32, which is the same level as 0
# scikit-learn does not split between values no further apart than this.
_MIN_GAP = np.float32(1e-7)


class Levels(NamedTuple):
    """A matrix of level numbers, in two memory orders, and the value of each level."""

    by_row: NDArray[np.uint8]
    by_column: NDArray[np.uint8]
    values: NDArray[np.float32]


def find_levels(X: NDArray[Any]) -> Levels | None:
    """Number the values of each column in ascending order, from 0.

    Parameters
    ----------
    X : ndarray of real numbers, shape (n, d)
        Taken as float32, as scikit-learn's trees take it.

    Returns
    -------
    Levels or None
        ``by_row``, uint8, shape (n, d): the number of each value; ``by_column``, shape (d, n): its
        transpose; both are C-contiguous. ``values``, float32, shape (d, up to 256): the value of
        each number. None if a column has more than 256 values, one that is not finite, or two that
        scikit-learn would not tell apart.
    """
    if X.dtype in (np.uint8, np.bool_):
        by_row = np.ascontiguousarray(X).view(np.uint8)
        levels = np.arange(MAX_LEVELS, dtype=np.float32)
        return Levels(by_row, _transposed(by_row), np.tile(levels, (X.shape[1], 1)))
    by_row = np.empty(X.shape, dtype=np.uint8)
    values = np.zeros((X.shape[1], min(len(X), MAX_LEVELS)), dtype=np.float32)
    for columns in gen_batches(X.shape[1], _COLUMNS):
        with np.errstate(over="ignore"):  # infinity is refused below
            block = X[:, columns].astype(np.float32)
        if not _number(block.view(np.uint32), by_row[:, columns], values[columns]):
            return None
    return Levels(by_row, _transposed(by_row), values)


def _transposed(by_row: NDArray[np.uint8]) -> NDArray[np.uint8]:
    by_column = np.empty(by_row.shape[::-1], dtype=np.uint8)
    for rows in gen_batches(len(by_row), 256):  # blocks that fit in the cache
        by_column[:, rows] = by_row[rows].T
    return by_column


@kernel
def _number(bits: Any, numbers: Any, values: Any) -> bool:
    """Number the values of a few columns, given as the bits of float32; False if that fails."""
    n, d = bits.shape
    keys, slots = np.empty((d, _SLOTS), np.uint32), np.full((d, _SLOTS), -1, np.int16)
    seen, n_seen = np.empty((d, MAX_LEVELS), np.uint32), np.zeros(d, np.int64)
    for i in range(n):
        for j in range(d):
            key = bits[i, j]
            if key == _MINUS_ZERO:
                key = np.uint32(0)
            if n_seen[j] and key == seen[j, 0]:  # a shortcut: in images most values are paper
                numbers[i, j] = 0
                continue
            slot = (np.int64(key) * 2654435769 >> 22) % _SLOTS  # multiplicative hashing (Knuth)
            while slots[j, slot] >= 0 and keys[j, slot] != key:
                slot = (slot + 1) % _SLOTS
            if slots[j, slot] < 0:
                if n_seen[j] == MAX_LEVELS:
                    return False
                keys[j, slot], slots[j, slot] = key, n_seen[j]
                seen[j, n_seen[j]] = key
                n_seen[j] += 1
            numbers[i, j] = slots[j, slot]
    return _renumber(seen, n_seen, numbers, values)


@kernel
def _renumber(seen: Any, n_seen: Any, numbers: Any, values: Any) -> bool:
    """Change numbers in order of appearance to numbers in ascending order of the values."""
    n, d = numbers.shape
    ascending = np.empty((d, MAX_LEVELS), np.uint8)
    for j in range(d):
        found = seen[j, : n_seen[j]].view(np.float32)
        order = np.argsort(found)
        for number in range(len(found)):
            values[j, number] = found[order[number]]
            ascending[j, order[number]] = number
        if not _distinct(values[j, : len(found)]):
            return False
    for i in range(n):
        for j in range(d):
            numbers[i, j] = ascending[j, numbers[i, j]]
    return True


@kernel
def _distinct(values: Any) -> bool:
    """Whether ascending values are all finite, and scikit-learn's trees tell them apart."""
    for number in range(len(values)):
        if not np.isfinite(values[number]):
            return False
        if number and values[number] <= values[number - 1] + _MIN_GAP:
            return False
    return True
