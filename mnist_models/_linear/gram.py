"""The curvature of a linear model's loss as Gram matrices, and its inverse as a preconditioner.

The Hessian's block of class k is ``X' diag(weight * p_k * (1 - p_k)) X + l2 * I``. Where all
coefficients are 0, each of the K probabilities p_k is 1/K, and every block is the same multiple of
the weighted Gram matrix of X, plus the penalty.
"""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError
from scipy.linalg.lapack import get_lapack_funcs

from mnist_models._linear.loss import Float, Float64, LinearSoftmax, quiet, row_tasks, slices

Preconditioner = Callable[[Float64], Float64]

# How many rows are copied, weighted and multiplied at a time.
_BLOCK_ROWS = 1024
# Few, since every task has a matrix of its own.
_GRAM_TASKS = 4
# Below this cost, a weighted Gram matrix for every class pays off: see blocks_pay.
_MAX_COST = 1600
# Replaces the curvature of a class that has none, as when the weights of all its rows are 0.
_LEAST_CURVATURE = float(np.finfo(np.float32).tiny)


class Curvature:
    """Preconditioners for one problem, from its Gram matrix.

    If there is an intercept, columns are centred first, so that a large mean costs no precision.

    Parameters
    ----------
    problem : LinearSoftmax
    """

    def __init__(self, problem: LinearSoftmax) -> None:
        self._problem = problem
        self._mean = _column_means(problem) if problem.fit_intercept else _no_means(problem)
        all_rows = np.arange(len(problem.X))
        self._gram = self._weighted_gram(all_rows, problem.weight)
        self._length = self._row_lengths()

    def initial(self) -> Preconditioner:
        """The inverse of the Hessian's diagonal block where all coefficients are 0."""
        p = 1 / max(2, self._problem.n_outputs)
        return self._inverse([p * (1 - p) * self._gram])

    def at(self, W: Float64, caution: float) -> Preconditioner:
        """The inverse of the Hessian's diagonal blocks at W, one for each output.

        Parameters
        ----------
        W : ndarray of float64, shape (n_outputs, d + fit_intercept)
        caution : float
            How many times the mean curvature is added to every row's. A row that is classified with
            certainty at W has no curvature there, but may have some after the step; without the
            addition, steps along columns that are nonzero in few rows would be far too long.
        """
        curvature = self._problem.probabilities(W)
        curvature *= 1 - curvature
        curvature *= self._problem.weight
        mean = np.maximum(curvature.sum(axis=1, dtype=np.float64), _LEAST_CURVATURE)
        n, d = self._problem.X.shape
        if not blocks_pay(n, d, self._problem.n_outputs):
            return self._inverse([float((1 + caution) * mean.mean()) * self._gram])
        return self._inverse(
            self._sampled_gram(each) + float(caution * m) * self._gram
            for each, m in zip(curvature, mean, strict=True)
        )

    def _sampled_gram(self, curvature: Float) -> Float:
        """The weighted Gram matrix, estimated from the rows that contribute most to it."""
        n, d = self._problem.X.shape
        size = max(n // (2 * self._problem.n_outputs), 4 * d)
        share = curvature * self._length
        total = float(share.sum(dtype=np.float64))  # a NumPy scalar would make float64 of float32
        if total == 0:
            return np.zeros_like(self._gram)
        chance = np.minimum(1, share * (size / total))
        # Systematic sampling: a row is drawn where the running sum passes k + 1/2.
        count = np.floor(np.cumsum(chance, dtype=np.float64) + 0.5)
        rows = np.flatnonzero(np.diff(count, prepend=0))
        return self._weighted_gram(rows, curvature[rows] / chance[rows])

    def _row_lengths(self) -> Float:
        """Each row's squared length, in standard deviations of the columns."""
        d = self._problem.X.shape[1]
        with np.errstate(divide="ignore"):
            scale = 1 / np.sqrt(np.diag(self._gram)[:d])
        scale = np.where(np.isfinite(scale), scale, 0).astype(self._problem.X.dtype)
        parts = self._problem.run(
            lambda rows: self._task_lengths(rows, scale), row_tasks(*self._problem.X.shape)
        )
        return np.concatenate(list(parts))

    @quiet
    def _task_lengths(self, rows: slice, scale: Float) -> Float:
        length = np.empty(rows.stop - rows.start, dtype=scale.dtype)
        Z = np.empty((_BLOCK_ROWS, len(scale)), dtype=scale.dtype)
        for block in slices(0, len(length), _BLOCK_ROWS):
            X = self._problem.X[rows][block]
            centred = np.subtract(X, self._mean, out=Z[: len(X)])
            centred *= scale
            length[block] = np.einsum("ij,ij->i", centred, centred)
        return length

    def _weighted_gram(self, rows: NDArray[np.intp], weight: Float) -> Float:
        """X' diag(weight) X of these rows, with the column of ones where there is an intercept."""
        root = np.sqrt(weight)
        p = self._problem.shape[1]
        total = np.zeros((p, p), dtype=self._problem.X.dtype)
        for part in self._problem.run(
            lambda task: self._gram_task(rows[task], root[task]),
            slices(0, len(rows), max(1, -(-len(rows) // _GRAM_TASKS))),
        ):
            total += part
        return total

    @quiet
    def _gram_task(self, rows: NDArray[np.intp], root: Float) -> Float:
        d, p = self._problem.X.shape[1], self._problem.shape[1]
        total = np.zeros((p, p), dtype=root.dtype)
        Z = np.empty((min(_BLOCK_ROWS, len(rows)), p), dtype=root.dtype)
        for block in slices(0, len(rows), _BLOCK_ROWS):
            X, weight = self._problem.X[rows[block]], root[block, np.newaxis]
            part = Z[: len(X)]
            np.subtract(X, self._mean, out=part[:, :d])
            part[:, :d] *= weight
            part[:, d:] = weight
            total += part.T @ part
        return total

    def _inverse(self, blocks: Iterable[Float]) -> Preconditioner:
        problem, mean = self._problem, self._mean.astype(np.float64)
        d = problem.X.shape[1]
        factors = [_Factor(block, problem.l2, d) for block in blocks]

        def solve(V: Float64) -> Float64:
            V = V.copy()
            if problem.fit_intercept:  # to the coordinates of centred columns, and back
                V[:, :d] -= np.outer(V[:, d], mean)
            if len(factors) == 1:
                V = factors[0].solve(V)
            else:
                solved = problem.run(lambda k: factors[k].solve(V[k : k + 1]), range(len(V)))
                V = np.concatenate(list(solved))
            if problem.fit_intercept:
                V[:, d] -= V[:, :d] @ mean
            return V

        return solve


def blocks_pay(n: int, d: int, n_outputs: int) -> bool:
    """Whether a Gram matrix for every class costs less than the iterations it saves.

    The matrices cost about n·d² operations and their Cholesky factors n_outputs·d³/3. About ten
    iterations are saved; the cost of one is a multiple of n·d, since it is a matrix product with
    few columns, at which BLAS is slow. So the sum of both costs, over n·d, has a limit.
    """
    return d + n_outputs * d**2 / (3 * n) <= _MAX_COST


def _column_means(problem: LinearSoftmax) -> Float:
    mean = np.zeros(problem.X.shape[1])
    for part in problem.run(
        quiet(lambda rows: problem.weight[rows] @ problem.X[rows]), row_tasks(*problem.X.shape)
    ):
        mean += part
    return mean.astype(problem.X.dtype)


def _no_means(problem: LinearSoftmax) -> Float:
    return np.zeros(problem.X.shape[1], dtype=problem.X.dtype)


class _Factor:
    """The Cholesky factor of a Gram matrix plus penalty, scaled to a diagonal of ones."""

    def __init__(self, gram: Float, l2: float, d: int) -> None:
        diagonal = np.diag(gram).copy()
        diagonal[:d] += l2
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # checked below
            self._scale = 1 / np.sqrt(diagonal)
            A = gram * self._scale
            A *= self._scale[:, np.newaxis]
        if not (np.isfinite(self._scale).all() and np.isfinite(A).all()):
            raise LinAlgError("the Gram matrix is not finite")
        potrf, potrs = get_lapack_funcs(("potrf", "potrs"), dtype=gram.dtype)
        self._potrs = potrs
        ridge = 10 * float(np.finfo(gram.dtype).eps)
        while ridge < 1:  # makes up for rounding, which can make small eigenvalues negative
            np.fill_diagonal(A, 1 + ridge)
            # A is symmetric; its transpose is in Fortran order, which LAPACK reads without a copy.
            self._factor, failed = potrf(A.T, lower=True, clean=False)
            if not failed:
                return
            ridge *= 10
        raise LinAlgError("the Gram matrix is not positive definite")

    def solve(self, V: Float64) -> Float64:
        scaled = (V * self._scale).astype(self._factor.dtype)
        solved, _ = self._potrs(self._factor, scaled.T, lower=True)
        result: Float64 = solved.T * self._scale
        return result
