"""Confidence intervals of scores, computed from plain numbers."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from mnist_models._results.scores import ANY, SHARE, Bounds


class ConfidenceInterval(NamedTuple):
    """A confidence interval of a score, or of a difference between scores.

    Attributes
    ----------
    low, high : float
        Its ends; the bounds of the value, or infinite, if ``is_known`` is False.
    level : float
        How often such an interval holds the true value, above 0 and below 1.
    method : str
        How it was computed.
    """

    low: float
    high: float
    level: float
    method: str

    @property
    def is_known(self) -> bool:
        """Whether the data could tell anything: False for a single fold, or for equal scores."""
        return not self.method.startswith("unknown")


def check_level(level: float) -> None:
    """Raise ValueError unless the level is above 0 and below 1.

    Examples
    --------
    >>> check_level(95)
    Traceback (most recent call last):
    ...
    ValueError: level must be above 0 and below 1: 0.95 is 95 %. Got 95 instead.
    """
    if not 0 < level < 1:
        raise ValueError(f"level must be above 0 and below 1: 0.95 is 95 %. Got {level!r} instead.")


def wilson_interval(n_right: int, n: int, level: float) -> ConfidenceInterval:
    """Wilson's score interval of a share; unlike others it is good near 0 and 1, too.

    Parameters
    ----------
    n_right, n : int
        Number of rows classified correctly, and of all rows.
    level : float
        Above 0 and below 1.

    References
    ----------
    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal
    of the American Statistical Association 22, 1927.

    Examples
    --------
    >>> low, high, *_ = wilson_interval(81, 263, 0.95)
    >>> round(low, 4), round(high, 4)
    (0.2553, 0.3662)
    """
    check_level(level)
    z = stats.norm.isf((1 - level) / 2)
    share = n_right / n
    centre = share + z**2 / (2 * n)
    reach = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    low, high = np.clip([centre - reach, centre + reach] / (1 + z**2 / n), *SHARE)
    # exactly 0 and 1, which rounding may miss
    low, high = (0.0 if n_right == 0 else low), (1.0 if n_right == n else high)
    return ConfidenceInterval(float(low), float(high), level, "Wilson score")


def corrected_error(values: ArrayLike, n_train: ArrayLike, n_test: ArrayLike) -> float:
    """The standard error of a mean over folds, corrected for their overlapping training rows.

    Because of the overlap, values of folds vary less than independent ones would. So the variance
    is multiplied by 1/k + n_test/n_train in place of 1/k.

    Parameters
    ----------
    values, n_train, n_test : array-like, shape (k,)
        Each fold's value, and the numbers of rows it was fitted and tested on.

    Returns
    -------
    float
        NaN if there is one value, if all are equal, or if some are not finite.

    References
    ----------
    C. Nadeau and Y. Bengio, "Inference for the Generalization Error", Machine Learning 52, 2003,
    section 4.
    """
    values = np.asarray(values, dtype=np.float64)
    if len(values) < 2 or not np.isfinite(values).all():
        return np.nan
    spread = values.std(ddof=1)
    if spread <= 1e-12 * max(1.0, np.abs(values).max()):  # rounding errors only
        return np.nan
    overlap = np.mean(np.asarray(n_test) / np.asarray(n_train))
    return float(spread * np.sqrt(1 / len(values) + overlap))


def t_interval(
    mean: float, error: float, n_values: int, level: float, bounds: Bounds = ANY
) -> ConfidenceInterval:
    """The t interval around a mean of ``n_values`` values with a :func:`corrected_error`.

    Parameters
    ----------
    mean, error : float
        The middle of the interval, and its standard error; NaN if that is unknown.
    n_values : int
        One more than the degrees of freedom.
    level : float
        Above 0 and below 1.
    bounds : tuple (low, high) of float, default=(-inf, inf)
        The least and the greatest possible value.
    """
    check_level(level)
    if not np.isfinite(error):
        return ConfidenceInterval(*bounds, level, "unknown: the folds do not tell")
    reach = error * stats.t.isf((1 - level) / 2, df=n_values - 1)
    low, high = np.clip([mean - reach, mean + reach], *bounds)
    return ConfidenceInterval(float(low), float(high), level, "Nadeau-Bengio corrected t")
