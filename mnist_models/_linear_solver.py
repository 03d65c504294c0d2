"""Minimises the objective of logistic regression: its loss, its curvature, and L-BFGS.

Plain L-BFGS starts from a multiple of the identity and spends many iterations on learning how the
columns of X correlate. Here it starts from the inverse of the data's Gram matrix.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError
from scipy.linalg.lapack import get_lapack_funcs
from scipy.special import expit

from mnist_models._blas import one_blas_thread, set_one_here

Float = NDArray[np.floating[Any]]
Float64 = NDArray[np.float64]
Map = Callable[..., Iterable[Any]]

# -- the loss and its gradient ---------------------------------------------------------------------

# Bytes of X in a block: the forward pass reads it from memory, the backward pass from cache.
_BLOCK_BYTES = 3 << 20
# The most tasks X is divided into, and the least number of values in each. Their sums are added in
# order, so the result does not depend on the number of threads.
_MAX_TASKS = 16
_TASK_SIZE = 1 << 20


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
    """

    X: Float  # in any memory order; products are made in its dtype
    codes: NDArray[np.intp]  # the class of each row, from 0
    weight: Float  # the share of each row in the loss; of X's dtype
    n_outputs: int  # rows of coefficients: 1 for two classes, else the number of classes
    fit_intercept: bool  # whether the coefficients have a last column, the intercepts
    l2: float  # strength of the penalty, above 0
    run: Map = map  # or one that runs several tasks at a time
    basis: Float | None = None  # where X holds coordinates: the axes, as columns

    @property
    def shape(self) -> tuple[int, int]:
        """The shape of the coefficients, including intercepts."""
        return self.n_outputs, self.X.shape[1] + self.fit_intercept

    def value_and_gradient(self, W: Float64) -> tuple[float, Float64]:
        """The objective at W and its gradient there, summed in float64."""
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
            P[:, rows] = _probabilities(self._logits(rows, coef, intercept)[: self.n_outputs])
        return P

    def steepest(self, gradient: Float64) -> float:
        """The largest component of a gradient, by the coefficients of the original columns."""
        coef, intercept = np.split(gradient, [self.X.shape[1]], axis=1)
        if self.basis is not None:
            coef = coef @ self.basis.T
        return float(max(np.abs(coef).max(), np.abs(intercept).max(initial=0)))

    def _split(self, W: Float64) -> tuple[Float, Float]:
        """Coefficients and intercepts in X's dtype, with rows of zeros up to a multiple of 4."""
        n_padding = -len(W) % 4 if len(W) > 1 else 0  # BLAS multiplies four rows at a time
        padded = np.pad(W.astype(self.X.dtype), ((0, n_padding), (0, 0)))
        coef, intercept = np.split(padded, [self.X.shape[1]], axis=1)
        return np.ascontiguousarray(coef), intercept

    def _logits(self, rows: slice, coef: Float, intercept: Float) -> Float:
        logits: Float = coef @ self.X[rows].T
        if intercept.size:
            logits += intercept
        return logits

    def _blocks(self, rows: slice) -> Iterator[slice]:
        row_bytes = self.X.shape[1] * self.X.itemsize
        return slices(rows.start, rows.stop, max(64, _BLOCK_BYTES // row_bytes))

    @quiet
    def _task(self, coef: Float, intercept: Float, rows: slice) -> tuple[float, Float64]:
        value, gradient = 0.0, np.zeros(self.shape)
        for block in self._blocks(rows):
            weight = self.weight[block]
            padded = self._logits(block, coef, intercept)
            residual = padded[: self.n_outputs]
            losses = _losses_and_residual(residual, self.codes[block])
            residual *= weight
            value += float(np.dot(losses.astype(np.float64), weight))
            gradient[:, : self.X.shape[1]] += (padded @ self.X[block])[: self.n_outputs]
            if self.fit_intercept:
                gradient[:, -1] += residual.sum(axis=1, dtype=np.float64)
        return value, gradient


def slices(start: int, stop: int, size: int) -> Iterator[slice]:
    """Divide start..stop into slices of ``size``, the last one shorter."""
    return (slice(i, min(i + size, stop)) for i in range(start, stop, size))


def row_tasks(n: int, d: int) -> Iterator[slice]:
    """Divide n rows of d numbers into tasks, by their size alone."""
    return slices(0, n, max(-(-n // _MAX_TASKS), _TASK_SIZE // d + 1))


def _probabilities(logits: Float) -> Float:
    if len(logits) == 1:
        return expit(logits)
    logits -= logits.max(axis=0)
    np.exp(logits, out=logits)
    return logits / logits.sum(axis=0)


def _losses_and_residual(logits: Float, codes: NDArray[np.intp]) -> Float:
    """Each row's loss; the logits are overwritten with its derivatives by them.

    Both are accurate even for rows classified almost with certainty, as most are: no number near 1
    is subtracted from 1.
    """
    if len(logits) == 1:
        sign = (1 - 2 * codes).astype(logits.dtype)
        against = sign * logits[0]
        logits[0] = sign * expit(against)
        return np.logaddexp(0, against)
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
    losses: Float = top + np.log1p(rest)
    return losses


# -- the curvature, and its inverse as a preconditioner --------------------------------------------

Preconditioner = Callable[[Float64], Float64]

# How many rows are copied, weighted and multiplied at a time.
_BLOCK_ROWS = 1024
# Few, since every task has a matrix of its own.
_GRAM_TASKS = 4
# Up to so many columns, and below this cost, a weighted Gram matrix for every class pays off.
_FEW_COLUMNS, _MAX_COST = 100, 1000
# How much of the classes' mean coupling the preconditioner assumes. All of it would be singular,
# since the probabilities sum to 1; this much saves a fifth of the passes over standardized MNIST.
_COUPLING = 2 / 3
# Replaces the curvature of a class that has none, as when the weights of all its rows are 0.
_LEAST_CURVATURE = float(np.finfo(np.float32).tiny)


class Curvature:
    """Preconditioners for one problem, from its Gram matrix.

    If there is an intercept, columns are centred first, so that a large mean costs no precision.
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
        return self._inverse([p * (1 - p) * self._gram], np.eye(self._problem.n_outputs))

    def at(self, W: Float64, caution: float) -> Preconditioner:
        """An approximate inverse of the Hessian at W, from its diagonal blocks, one per output.

        The mean curvature times ``caution`` is added to every row's. A row that is classified with
        certainty at W has no curvature there, but may have some after the step; without the
        addition, steps along columns that are nonzero in few rows would be far too long.
        """
        P = self._problem.probabilities(W)
        n, d = self._problem.X.shape
        curvature = P * (1 - P)
        curvature *= self._problem.weight
        mean = np.maximum(curvature.sum(axis=1, dtype=np.float64), _LEAST_CURVATURE)
        coupling = np.eye(len(P))
        if len(P) > 1:
            coupling -= _COUPLING * (P * self._problem.weight @ P.T) / np.sqrt(np.outer(mean, mean))
            np.fill_diagonal(coupling, 1)
        if not blocks_pay(n, d, self._problem.n_outputs):
            return self._inverse([float((1 + caution) * mean.mean()) * self._gram], coupling)
        blocks = (
            self._sampled_gram(of_rows, caution) + float(caution * of_all) * self._gram
            for of_rows, of_all in zip(curvature, mean, strict=True)
        )
        return self._inverse(blocks, coupling)

    def _sampled_gram(self, curvature: Float, caution: float) -> Float:
        """The weighted Gram matrix, estimated from the rows that contribute most to it.

        The more caution is added to it, the fewer rows are enough.
        """
        n, d = self._problem.X.shape
        size = max(n // (2 * self._problem.n_outputs), 4 * d, _TASK_SIZE // d)
        if n <= size:
            return self._weighted_gram(np.arange(n), curvature)
        size = int(size / (1 + 3 * caution))
        share = curvature * self._length
        total = float(share.sum(dtype=np.float64))  # a NumPy scalar would make float64 of float32
        if total == 0:
            return np.zeros_like(self._gram)
        probability = np.minimum(1, share * (size / total))
        # Systematic sampling: a row is drawn where the running sum passes k + 1/2. Ordered by what
        # they hold, the same rows are drawn wherever they stand in X.
        order = np.argsort(share, kind="stable")
        count = np.floor(np.cumsum(probability[order], dtype=np.float64) + 0.5)
        rows = np.sort(order[np.diff(count, prepend=0) > 0])
        return self._weighted_gram(rows, curvature[rows] / probability[rows])

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

    def _inverse(self, blocks: Iterable[Float], coupling: Float64) -> Preconditioner:
        """The inverse of ``L (coupling x identity) L'``, with the blocks' Cholesky factors in L."""
        problem, mean = self._problem, self._mean.astype(np.float64)
        d = problem.X.shape[1]
        factors = [_Factor(block, problem.l2, d) for block in blocks]
        size = len(coupling) // len(factors)
        outputs = list(slices(0, len(coupling), size))
        decoupled = np.linalg.inv(coupling)

        def each(solve: Callable[[_Factor, Float64], Float64], V: Float64) -> Float64:
            # one after the other, since a thread takes longer to wake than one factor to solve
            return np.concatenate([solve(f, V[of]) for f, of in zip(factors, outputs, strict=True)])

        def solve(V: Float64) -> Float64:
            V = V.copy()
            if problem.fit_intercept:  # to the coordinates of centred columns, and back
                V[:, :d] -= np.outer(V[:, d], mean)
            V = each(_Factor.solve_transposed, decoupled @ each(_Factor.solve, V))
            if problem.fit_intercept:
                V[:, d] -= V[:, :d] @ mean
            return V

        return solve


def blocks_pay(n: int, d: int, n_outputs: int) -> bool:
    """Whether a Gram matrix for every class costs less than the iterations it saves.

    They save up to half of the iterations. But each of the others reads all their factors, which
    takes longer than reading X if there are few rows. And making them takes about n·d² operations,
    and their factors n_outputs·d³/3, where an iteration takes a multiple of n·d, at which BLAS is
    slow: so the sum of both, over n·d, has a limit.
    """
    return d <= max(n / 4, _FEW_COLUMNS) and d + n_outputs * d**2 / (3 * n) <= _MAX_COST


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
        potrf, self._trtrs = get_lapack_funcs(("potrf", "trtrs"), dtype=gram.dtype)
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
        """Each row of V, divided by the factor."""
        return self._divided(V * self._scale, trans=0)

    def solve_transposed(self, V: Float64) -> Float64:
        """Each row of V, divided by the factor's transpose."""
        return self._divided(V, trans=1) * self._scale

    def _divided(self, V: Float64, trans: int) -> Float64:
        V = V.astype(self._factor.dtype)
        divided, _ = self._trtrs(self._factor, V.T, lower=True, trans=trans)
        result: Float64 = divided.T.astype(np.float64)
        return result


# -- L-BFGS ----------------------------------------------------------------------------------------

# How many pairs of a step and a gradient difference are kept.
_MEMORY = 20
# The preconditioner is renewed after this many iterations, and again after intervals that double,
# since the curvature settles. The caution is divided by four each time, down to the least.
_RENEW = 8
_CAUTION, _LEAST_CAUTION = 1.0, 1 / 16
_MAX_TRIALS = 30
# Once the objective's decrease is below its rounding, this many iterations may pass without a
# smaller estimate of what is left.
_PATIENCE = 5
# The constants c1 and c2 of the Wolfe conditions, as Nocedal & Wright choose them.
_DECREASE, _SLOPE = 1e-4, 0.9


# Steps, each with the change of the gradient along it and the product of both.
Memory = deque[tuple[Float64, Float64, float]]


class BreakdownError(ArithmeticError):
    """Rounding stops the solver far from the optimum."""


@dataclass(frozen=True)
class Solution:
    """Where the solver stopped."""

    W: Float64  # shape (n_outputs, d + fit_intercept)
    value: float  # the objective there
    n_iter: int
    converged: bool  # False if ``max_iter`` ended it


@dataclass(frozen=True)
class _Point:
    W: Float64
    value: float
    gradient: Float64


@quiet
def minimize(problem: LinearSoftmax, W: Float64, *, tol: float, max_iter: int) -> Solution:
    """Minimise the objective by preconditioned L-BFGS (Liu & Nocedal 1989).

    It stops where the gradient's largest component is at most ``tol``, as scikit-learn's does,
    *and* the objective is about ``tol`` of itself above its minimum, or less. Half the squared
    Newton decrement estimates this; it knows little of the curvature between classes, and is
    usually 10 times too small, but has been seen to be 50 times: it must be ``tol / 100``. It also
    stops where rounding hides what is left: first from the objective, then from the gradient.

    Raises
    ------
    BreakdownError
        If no step lowers the objective though it is not at its minimum.
    scipy.linalg.LinAlgError
        If the Gram matrix overflows X's dtype, or is not positive definite in it.
    """
    eps = float(np.finfo(problem.X.dtype).eps)
    if len(W) > 1:
        W = _centred(W)
    curvature = Curvature(problem)
    precondition = curvature.at(W, _CAUTION) if W.any() else curvature.initial()
    memory: Memory = deque(maxlen=_MEMORY)
    here = _Point(W, *problem.value_and_gradient(W))
    renew_at, wait, caution = _RENEW, _RENEW, _CAUTION
    least, least_at = np.inf, 0
    for n_iter in range(max_iter + 1):
        if n_iter == renew_at:
            precondition = curvature.at(here.W, caution)
            wait, caution = 2 * wait, max(caution / 4, _LEAST_CAUTION)
            renew_at += wait
        step = _direction(here.gradient, memory, precondition)
        decrease = -float(np.vdot(here.gradient, step)) / 2
        if 0 <= decrease < least:
            least, least_at = decrease, n_iter
        near = 0 <= decrease <= tol / 100 * here.value and problem.steepest(here.gradient) <= tol
        if near or (0 <= decrease <= eps * here.value and n_iter - least_at >= _PATIENCE):
            return Solution(here.W, here.value, n_iter, True)
        if n_iter == max_iter:
            break
        there = _line_search(problem, here, step, eps)
        if there is not None:
            s, y = there.W - here.W, there.gradient - here.gradient
            memory.append((s, y, float(np.vdot(s, y))))
            here = there
        elif memory:  # perhaps the direction is bad because of what is remembered
            memory.clear()
            precondition = curvature.at(here.W, _CAUTION)
        elif 0 <= decrease <= max(tol / 100, 1e-5) * here.value:  # small, and lost in rounding
            return Solution(here.W, here.value, n_iter, True)
        else:
            raise BreakdownError("no step along the direction lowers the objective")
    return Solution(here.W, here.value, max_iter, False)


def _direction(
    gradient: Float64,
    memory: Memory,
    precondition: Preconditioner,
) -> Float64:
    """The two-loop recursion: minus the approximate inverse Hessian times the gradient.

    Where the last step met more curvature than the preconditioner expects, it is scaled to agree.
    """
    r = gradient.copy()
    shares = []
    for s, y, sy in reversed(memory):
        share = float(np.vdot(s, r)) / sy
        r -= share * y
        shares.append(share)
    r = precondition(r)
    if memory:
        _, y, sy = memory[-1]
        expected = float(np.vdot(y, precondition(y)))
        if expected > sy:
            r *= sy / expected
    for (s, y, sy), share in zip(memory, reversed(shares), strict=True):
        r += s * (share - float(np.vdot(y, r)) / sy)
    return -_centred(r) if len(r) > 1 else -r


def _centred(W: Float64) -> Float64:
    """Subtract the mean over the classes, which changes no probability but is penalised."""
    centred: Float64 = W - W.mean(axis=0)
    return centred


def _line_search(problem: LinearSoftmax, here: _Point, step: Float64, eps: float) -> _Point | None:
    """A point along the step that satisfies the strong Wolfe conditions; None if none is found.

    The objective is convex, so its slope along the step only grows, and the minimum is bracketed by
    a point of negative and one of positive slope. New trial points come from the secant of the
    slope. The objective may rise by ``eps`` of itself, which rounding can cause.
    """
    slope = slope_low = float(np.vdot(here.gradient, step))
    low, high, t = 0.0, np.inf, 1.0
    for _ in range(_MAX_TRIALS):
        W = here.W + t * step
        there = _Point(W, *problem.value_and_gradient(W))
        slope_t = float(np.vdot(there.gradient, step))
        decreased = there.value <= here.value + _DECREASE * t * slope + eps * here.value
        if decreased and abs(slope_t) <= -_SLOPE * slope:
            return there
        rise = slope_t - slope_low
        secant = low - slope_low * (t - low) / rise if rise > 0 else np.nan
        if decreased and slope_t < 0:
            low, slope_low = t, slope_t
        else:
            high = t
        t = _between(secant, low, high)
    return None


def _between(secant: float, low: float, high: float) -> float:
    """The secant's step if it is well inside the bracket, otherwise the middle or a limit."""
    if high == np.inf:
        return min(max(secant, 2 * low), 10 * low) if np.isfinite(secant) else 10 * low
    middle = (low + high) / 2
    return secant if abs(secant - middle) <= 0.4 * (high - low) else middle


# -- threads ---------------------------------------------------------------------------------------


@contextmanager
def row_threads(n_tasks: int) -> Iterator[Map]:
    """Yield a ``map`` that runs as many tasks at a time as BLAS would have used threads.

    A product with a block of rows is too small for BLAS to divide well, so each of several Python
    threads has blocks of its own, and BLAS one thread in each.

    For a single task, no thread is started.
    """
    with one_blas_thread() as n_before:
        n_threads = min(n_tasks, n_before)
        if n_threads <= 1:
            yield map
        else:
            # a BLAS that uses OpenMP has a setting per thread instead of one for the process
            with ThreadPoolExecutor(n_threads, initializer=set_one_here) as pool:
                yield pool.map
