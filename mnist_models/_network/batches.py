"""The rows of an epoch in their order: gathered some dozens of batches at a time, and ahead."""

import operator
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

# The most that is gathered at a time: enough work for a call to cost nothing beside it, little
# enough to fit in memory many times, and to be interrupted soon.
_MOST_BATCHES = 32
_MOST_VALUES = 2**22

# Share of all steps in which the learning rate rises, where it does not stay the same.
_WARM_UP = 0.1

T = TypeVar("T")


class TrainingRows(NamedTuple):
    """What a network is trained on, row for row: values, classes, weights, and whether held out."""

    X: NDArray[Any]
    codes: NDArray[np.intp]
    weight: NDArray[np.float32]
    held_out: NDArray[np.bool_]


class Batches(NamedTuple):
    """Some batches one after the other, all of one size.

    What is missing from the last is filled up with rows that weigh nothing, and the batches that
    are missing with none at all: shapes stay the same, and nothing need be compiled twice.

    Parameters
    ----------
    X : ndarray of uint8 or float32, shape (most_batches·batch_size, n_features)
    codes : ndarray of int32, shape (most_batches·batch_size,)
    weight : ndarray of float32, shape (most_batches·batch_size,)
    sizes : ndarray of float32, shape (most_batches,)
        How many rows of each batch count.
    rates : ndarray of float32, shape (most_batches,)
        The learning rate at each batch.
    n_batches : int
    """

    X: NDArray[Any]
    codes: NDArray[np.int32]
    weight: NDArray[np.float32]
    sizes: NDArray[np.float32]
    rates: NDArray[np.float32]
    n_batches: int


def batches_at_once(n_rows: int, n_features: int, batch_size: int) -> int:
    """How many batches are gathered at a time: a power of 2, so that few sizes are compiled."""
    most = max(1, min(_MOST_BATCHES, _MOST_VALUES // (batch_size * n_features)))
    needed = -(-n_rows // batch_size)
    return int(min(2 ** (needed - 1).bit_length(), 2 ** (most.bit_length() - 1)))


def gathered(
    rows: TrainingRows,
    order: NDArray[np.intp],
    batch_size: int,
    rates: NDArray[np.float32],
    read: Callable[[NDArray[Any], NDArray[np.intp]], NDArray[Any]] = operator.getitem,
) -> Iterator[Batches]:
    """Batches of some rows in some order, each with its learning rate.

    ``read`` gives the values of the rows it is asked for.
    """
    at_once = batches_at_once(len(order), rows.X.shape[1], batch_size)
    size = at_once * batch_size
    for start in range(0, len(order), size):
        chosen = order[start : start + size]
        n_batches = -(-len(chosen) // batch_size)
        # real rows: a layer that normalizes its batch would see the filling
        filled = np.concatenate([chosen, np.resize(order, n_batches * batch_size - len(chosen))])
        starts = batch_size * np.arange(at_once)
        yield Batches(
            X=filled_up(read(rows.X, filled), size),
            codes=filled_up(rows.codes[filled].astype(np.int32), size),
            weight=filled_up(rows.weight[chosen], size),
            sizes=np.clip(len(chosen) - starts, 0, batch_size).astype(np.float32),
            rates=filled_up(rates[start // batch_size :][:n_batches], at_once),
            n_batches=n_batches,
        )


def filled_up(array: NDArray[Any], n_rows: int) -> NDArray[Any]:
    """The array with rows of zeros behind it, so many in all."""
    if len(array) == n_rows:
        return array
    filled = np.zeros((n_rows, *array.shape[1:]), dtype=array.dtype)
    filled[: len(array)] = array
    return filled


def ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items, each made in a thread of its own while the one before is used."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, items, None)
            yield item


def learning_rates(peak: float, schedule: str, n_steps: int) -> NDArray[np.float32]:
    """The learning rate of every step: constant, or up to the peak and down a cosine to 0.

    References
    ----------
    I. Loshchilov and F. Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017
    (without the restarts); P. Goyal et al., "Accurate, Large Minibatch SGD", 2017, on warming up.
    """
    if schedule == "constant":
        return np.full(n_steps, peak, dtype=np.float32)
    done = (np.arange(n_steps) + 0.5) / n_steps
    rising, falling = done / _WARM_UP, (1 + np.cos(np.pi * (done - _WARM_UP) / (1 - _WARM_UP))) / 2
    return np.asarray(peak * np.where(done < _WARM_UP, rising, falling), dtype=np.float32)
