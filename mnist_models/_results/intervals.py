"""How far a score may be from the truth: confidence intervals, from plain numbers."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from mnist_models._results.scores import ANY, SHARE, Bounds


class ConfidenceInterval(NamedTuple):
    """Where the true value lies, unless chance played a trick that it plays in 1 - level of cases.

    Attributes
    ----------
    low, high : float
        Its ends; as far out as a value can be where nothing is known.
    level : float
        How often such an interval holds the true value, from 0 to 1.
    method : str
        How it was made.
    """

    low: float
    high: float
    level: float
    method: str

    @property
    def is_known(self) -> bool:
        """Whether the data said anything."""
        return not self.method.startswith("unknown")


def check_level(level: float) -> None:
    """Raise ValueError unless it is a share between 0 and 1.

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
    """The score interval of a share: good near 0 and 1 too, where others leave the range.

    Parameters
    ----------
    n_right, n : int
        Rows read right, of how many.
    level : float
        From 0 to 1.

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
    # what rounding leaves of 0 and 1
    low, high = (0.0 if n_right == 0 else low), (1.0 if n_right == n else high)
    return ConfidenceInterval(float(low), float(high), level, "Wilson score")


def corrected_error(values: ArrayLike, n_train: ArrayLike, n_test: ArrayLike) -> float:
    """The standard error of the mean of values from folds, whose training parts overlap.

    They vary less than independent ones would; their variance is therefore multiplied by
    1/k + n_test/n_train in place of 1/k.

    Parameters
    ----------
    values, n_train, n_test : array-like, shape (k,)
        A value of each fold, and how many rows it was fitted and tested on.

    Returns
    -------
    float
        NaN where the values cannot tell: one of them, or all alike, or not all finite.

    References
    ----------
    C. Nadeau and Y. Bengio, "Inference for the Generalization Error", Machine Learning 52, 2003,
    section 4.
    """
    values = np.asarray(values, dtype=np.float64)
    if len(values) < 2 or not np.isfinite(values).all():
        return np.nan
    spread = values.std(ddof=1)
    if spread <= 1e-12 * max(1.0, np.abs(values).max()):  # rounding, no variance
        return np.nan
    overlap = np.mean(np.asarray(n_test) / np.asarray(n_train))
    return float(spread * np.sqrt(1 / len(values) + overlap))


def t_interval(
    mean: float, error: float, n_values: int, level: float, bounds: Bounds = ANY
) -> ConfidenceInterval:
    """Around a mean of ``n_values`` values, from its :func:`corrected_error`.

    Parameters
    ----------
    mean, error : float
        The middle, and its standard error; NaN if that is not known.
    n_values : int
        One more than the degrees of freedom.
    level : float
        From 0 to 1.
    bounds : tuple of float
        The least and the greatest value there can be.
    """
    check_level(level)
    if not np.isfinite(error):
        return ConfidenceInterval(*bounds, level, "unknown: the folds do not tell")
    reach = error * stats.t.isf((1 - level) / 2, df=n_values - 1)
    low, high = np.clip([mean - reach, mean + reach], *bounds)
    return ConfidenceInterval(float(low), float(high), level, "Nadeau-Bengio corrected t")
