"""The loss of a linear classifier and its gradient, summed over all rows of X.

X is read in blocks of rows that fit in a core's cache; only a few sums are kept of each. Two
classes have one row of coefficients (binomial loss), more classes have one each (multinomial).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from mnist_models._linear.blas_threads import Map

Float = NDArray[np.floating[Any]]
Float64 = NDArray[np.float64]

# Bytes of X in a block: the forward pass reads it from memory, the backward pass from cache.
_BLOCK_BYTES = 3 << 19
# The most tasks X is divided into, and the least number of values in each. Their sums are added in
# order, so the result does not depend on the number of threads.
_MAX_TASKS = 16
_TASK_SIZE = 1 << 18


# Overflow gives values that are not finite; then scikit-learn's solver takes over. The setting is
# per thread, so every task is decorated with it.
quiet = np.errstate(over="ignore", invalid="ignore", divide="ignore")


@dataclass(frozen=True)
class LinearSoftmax:
    """The objective of logistic regression.

    It is ``sum(weight * loss(X @ coef.T + intercept, codes)) + l2 / 2 * sum(coef**2)``, which is
    scikit-learn's mean loss with ``l2 = 1 / (C * sum of sample weights)``. The intercept is not
    penalised.

    Attributes
    ----------
    X : ndarray of float32 or float64, shape (n, d)
        In any order; products are made in its dtype.
    codes : ndarray of int, shape (n,)
        Each row's class, from 0.
    weight : ndarray of X's dtype, shape (n,)
        Each row's share of the loss; nonnegative, with sum 1.
    n_outputs : int
        Rows of coefficients: 1 for two classes, else the number of classes.
    fit_intercept : bool
        Whether the coefficients have a last column, the intercepts.
    l2 : float
        Strength of the penalty, above 0.
    run : callable
        ``map``, or one that runs several tasks at a time.
    """

    X: Float
    codes: NDArray[np.intp]
    weight: Float
    n_outputs: int
    fit_intercept: bool
    l2: float
    run: Map = map

    @property
    def shape(self) -> tuple[int, int]:
        """The shape of the coefficients, including intercepts."""
        return self.n_outputs, self.X.shape[1] + self.fit_intercept

    def value_and_gradient(self, W: Float64) -> tuple[float, Float64]:
        """The objective at W and its gradient there, summed in float64.

        Parameters
        ----------
        W : ndarray of float64, shape (n_outputs, d + fit_intercept)

        Returns
        -------
        value : float
        gradient : ndarray of float64, of W's shape
        """
        d = self.X.shape[1]
        coef, intercept = self._split(W)
        value, gradient = 0.0, np.zeros(W.shape)
        for loss, slope in self.run(
            lambda rows: self._task(coef, intercept, rows), row_tasks(*self.X.shape)
        ):
            value += loss
            gradient += slope
        value += 0.5 * self.l2 * float(np.vdot(W[:, :d], W[:, :d]))
        gradient[:, :d] += self.l2 * W[:, :d]
        return value, gradient

    def probabilities(self, W: Float64) -> Float:
        """The probability of every output for every row at W: X's dtype, shape (n_outputs, n)."""
        coef, intercept = self._split(W)
        P = np.empty((self.n_outputs, len(self.X)), dtype=self.X.dtype)
        for rows in self._blocks(slice(0, len(self.X))):
            P[:, rows] = _probabilities(_logits(self.X[rows], coef, intercept))
        return P

    def _split(self, W: Float64) -> tuple[Float, Float]:
        d = self.X.shape[1]
        return W[:, :d].astype(self.X.dtype), W[:, d:].astype(self.X.dtype)

    def _blocks(self, rows: slice) -> Iterator[slice]:
        row_bytes = self.X.shape[1] * self.X.itemsize
        return slices(rows.start, rows.stop, max(64, _BLOCK_BYTES // row_bytes))

    @quiet
    def _task(self, coef: Float, intercept: Float, rows: slice) -> tuple[float, Float64]:
        value, gradient = 0.0, np.zeros(self.shape)
        for block in self._blocks(rows):
            X, weight = self.X[block], self.weight[block]
            losses, residual = _losses_and_residual(_logits(X, coef, intercept), self.codes[block])
            residual *= weight
            value += float(np.dot(losses.astype(np.float64), weight))
            gradient[:, : X.shape[1]] += (X.T @ residual.T).T
            if self.fit_intercept:
                gradient[:, -1] += residual.sum(axis=1, dtype=np.float64)
        return value, gradient


def slices(start: int, stop: int, size: int) -> Iterator[slice]:
    """Divide start..stop into slices of ``size``, the last one shorter."""
    return (slice(i, min(i + size, stop)) for i in range(start, stop, size))


def row_tasks(n: int, d: int) -> Iterator[slice]:
    """Divide n rows of d numbers into tasks, by their size alone."""
    return slices(0, n, max(-(-n // _MAX_TASKS), _TASK_SIZE // d + 1))


def _logits(X: Float, coef: Float, intercept: Float) -> Float:
    logits = np.ascontiguousarray((X @ coef.T).T)
    if intercept.size:
        logits += intercept
    return logits


def _probabilities(logits: Float) -> Float:
    if len(logits) == 1:
        return expit(logits)
    logits -= logits.max(axis=0)
    np.exp(logits, out=logits)
    return logits / logits.sum(axis=0)


def _losses_and_residual(logits: Float, codes: NDArray[np.intp]) -> tuple[Float, Float]:
    """Each row's loss, and its derivative by the logits; the logits are overwritten.

    Both are accurate even for rows classified almost with certainty, as most are: no number near 1
    is subtracted from 1.
    """
    if len(logits) == 1:
        sign = (1 - 2 * codes).astype(logits.dtype)
        against = sign * logits[0]
        return np.logaddexp(0, against), (sign * expit(against))[np.newaxis]
    columns = np.arange(len(codes))
    logits -= logits[codes, columns]  # relative to the row's own class; others may be above 0
    top = logits.max(axis=0)
    logits -= top
    np.exp(logits, out=logits)
    logits[codes, columns] = 0
    others = logits.sum(axis=0)
    rest = others + np.expm1(-top)
    logits[codes, columns] = -others
    logits /= 1 + rest
    return top + np.log1p(rest), logits
