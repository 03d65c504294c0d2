"""L-BFGS, preconditioned by the curvature of the data.

Plain L-BFGS starts its two-loop recursion from a multiple of the identity and spends many
iterations on learning how the columns of X correlate. The Gram matrix tells that beforehand.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

from mnist_models._linear.gram import Curvature, Preconditioner
from mnist_models._linear.loss import Float64, LinearSoftmax, quiet

# How many pairs of a step and a gradient difference are kept.
_MEMORY = 50
# The preconditioner is renewed after this many iterations, and again after intervals that double,
# since the curvature settles. The caution is divided by four each time, down to the least.
_RENEW = 8
_CAUTION, _LEAST_CAUTION = 1.0, 1 / 16
_MAX_TRIALS = 30
# The constants c1 and c2 of the Wolfe conditions, as Nocedal & Wright choose them.
_DECREASE, _SLOPE = 1e-4, 0.9


# Steps, each with the change of the gradient along it and the product of both.
Memory = deque[tuple[Float64, Float64, float]]


class BreakdownError(ArithmeticError):
    """Rounding stops the solver far from the optimum."""


@dataclass(frozen=True)
class Solution:
    """Where the solver stopped.

    Attributes
    ----------
    W : ndarray of float64, shape (n_outputs, d + fit_intercept)
    value : float
        The objective there.
    n_iter : int
    converged : bool
        False if ``max_iter`` ended it.
    """

    W: Float64
    value: float
    n_iter: int
    converged: bool


@dataclass(frozen=True)
class _Point:
    W: Float64
    value: float
    gradient: Float64


@quiet
def minimize(problem: LinearSoftmax, W: Float64, *, tol: float, max_iter: int) -> Solution:
    """Minimise the objective by preconditioned L-BFGS (Liu & Nocedal 1989).

    It stops where the gradient's largest component is at most ``tol``, as scikit-learn's does,
    *and* the objective is estimated to be at most ``tol / 100`` of itself above its minimum. The
    estimate is half the squared Newton decrement; it ignores the curvature between classes, and has
    been seen to be 50 times too small. It also stops where further progress is lost in rounding.

    Parameters
    ----------
    problem : LinearSoftmax
    W : ndarray of float64, shape (n_outputs, d + fit_intercept)
        Where to start.
    tol : float
    max_iter : int

    Returns
    -------
    Solution

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
    for n_iter in range(max_iter + 1):
        if n_iter == renew_at:
            precondition = curvature.at(here.W, caution)
            wait, caution = 2 * wait, max(caution / 4, _LEAST_CAUTION)
            renew_at += wait
        step = _direction(here.gradient, memory, precondition)
        decrease = -float(np.vdot(here.gradient, step)) / 2
        if _is_optimal(here, decrease, tol, eps):
            return Solution(here.W, here.value, n_iter, True)
        if n_iter == max_iter:
            break
        there = _line_search(problem, here, step, eps)
        if there is not None:
            s, y = there.W - here.W, there.gradient - here.gradient
            memory.append((s, y, float(np.vdot(s, y))))
            here = there
        elif 0 <= decrease <= max(tol / 100, 1e-5) * here.value:  # small, and lost in rounding
            return Solution(here.W, here.value, n_iter, True)
        elif memory:  # perhaps the direction is bad because of what is remembered
            memory.clear()
            precondition = curvature.at(here.W, _CAUTION)
        else:
            raise BreakdownError("no step along the direction lowers the objective")
    return Solution(here.W, here.value, max_iter, False)


def _is_optimal(here: _Point, decrease: float, tol: float, eps: float) -> bool:
    if 0 <= decrease <= eps * here.value:
        return True
    return bool(0 <= decrease <= tol / 100 * here.value and np.abs(here.gradient).max() <= tol)


def _direction(
    gradient: Float64,
    memory: Memory,
    precondition: Preconditioner,
) -> Float64:
    """The two-loop recursion: minus the approximate inverse Hessian times the gradient."""
    r = gradient.copy()
    shares = []
    for s, y, sy in reversed(memory):
        share = float(np.vdot(s, r)) / sy
        r -= share * y
        shares.append(share)
    r = precondition(r)
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
