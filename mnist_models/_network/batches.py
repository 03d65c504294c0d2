"""The batches of an epoch: gathered some dozens at a time, and prefetched."""

import operator
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

# The most that is gathered at a time: enough to make the cost of a call negligible, little enough
# for the memory and for Ctrl-C to be obeyed soon.
_MOST_BATCHES = 32
_MOST_VALUES = 2**22

# With the cosine schedule, the share of all steps in which the learning rate rises.
_WARM_UP = 0.1

T = TypeVar("T")


class TrainingRows(NamedTuple):
    """The training rows: values, class codes, weights, and whether each is held out."""

    X: NDArray[Any]
    codes: NDArray[np.intp]
    weight: NDArray[np.float32]
    held_out: NDArray[np.bool_]


class Batches(NamedTuple):
    """Several batches of the same size, one after the other.

    A last batch that is too short is padded with rows of weight 0, and missing batches with zeros.
    So all shapes are the same, and nothing is compiled twice.

    Parameters
    ----------
    X : ndarray of uint8 or float32, shape (most_batches·batch_size, n_features)
    codes : ndarray of int32, shape (most_batches·batch_size,)
    weight : ndarray of float32, shape (most_batches·batch_size,)
    sizes : ndarray of float32, shape (most_batches,)
        Number of rows of each batch, without padding.
    rates : ndarray of float32, shape (most_batches,)
        The learning rate of each batch.
    n_batches : int
        Number of batches, without padding.
    """

    X: NDArray[Any]
    codes: NDArray[np.int32]
    weight: NDArray[np.float32]
    sizes: NDArray[np.float32]
    rates: NDArray[np.float32]
    n_batches: int


def batches_at_once(n_rows: int, n_features: int, batch_size: int) -> int:
    """How many batches to gather at a time: a power of 2, so that few sizes are compiled."""
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
    """Yield the batches of the rows in ``order``, each with its learning rate.

    ``read(X, rows)`` returns the values of the given rows of X.
    """
    at_once = batches_at_once(len(order), rows.X.shape[1], batch_size)
    size = at_once * batch_size
    for start in range(0, len(order), size):
        chosen = order[start : start + size]
        n_batches = -(-len(chosen) // batch_size)
        # padded with rows of the data, not zeros, for layers that normalize over the batch
        filled = np.concatenate([chosen, np.resize(order, n_batches * batch_size - len(chosen))])
        starts = batch_size * np.arange(at_once)
        yield Batches(
            X=zero_padded(read(rows.X, filled), size),
            codes=zero_padded(rows.codes[filled].astype(np.int32), size),
            weight=zero_padded(rows.weight[chosen], size),
            sizes=np.clip(len(chosen) - starts, 0, batch_size).astype(np.float32),
            rates=zero_padded(rates[start // batch_size :][:n_batches], at_once),
            n_batches=n_batches,
        )


def zero_padded(array: NDArray[Any], n_rows: int) -> NDArray[Any]:
    """Append rows of zeros to an array, up to ``n_rows`` in all."""
    if len(array) == n_rows:
        return array
    padded = np.zeros((n_rows, *array.shape[1:]), dtype=array.dtype)
    padded[: len(array)] = array
    return padded


def prefetched(items: Iterator[T]) -> Iterator[T]:
    """Yield the same items, each made in a thread while the one before is used."""
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, items, None)
            yield item


def learning_rates(peak: float, schedule: str, n_steps: int) -> NDArray[np.float32]:
    """The learning rate of every step: constant, or linearly up to the peak, then down a cosine.

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
