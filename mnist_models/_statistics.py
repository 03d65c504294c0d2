"""Confidence intervals of scores, and tests of the difference between two models.

:class:`mnist_models.Significance` names the papers.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Bounds = tuple[float, float]
SHARE: Bounds = (0.0, 1.0)
ANY: Bounds = (-np.inf, np.inf)

# How the names of scikit-learn's scores begin. These are shares, or means of shares.
_SHARES = (
    *("accuracy", "balanced_accuracy", "top_k_accuracy"),
    *("precision", "recall", "f1", "jaccard"),
)
_BOUNDS: dict[tuple[str, ...], Bounds] = {
    (*_SHARES, "roc_auc", "average_precision"): SHARE,
    ("matthews_corrcoef",): (-1.0, 1.0),
    ("neg_",): (-np.inf, 0.0),
}


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


def score_bounds(name: str, scores: NDArray[np.float64]) -> Bounds:
    """The least and the greatest possible value of a score; infinite where unknown.

    A scorer of the caller's may have any name: one score out of bounds shows that it is not
    scikit-learn's. NaN is ignored.
    """
    finite = scores[np.isfinite(scores)]
    for beginnings, (low, high) in _BOUNDS.items():
        if name.startswith(beginnings) and np.all((finite >= low) & (finite <= high)):
            return low, high
    return ANY


def is_share(name: str, scores: NDArray[np.float64]) -> bool:
    """Whether a score is a share, such as recall: differences are then percentage points."""
    return name.startswith(_SHARES) and score_bounds(name, scores) == SHARE


def check_level(level: float) -> None:
    """Raise ValueError unless the level is above 0 and below 1."""
    if not 0 < level < 1:
        raise ValueError(f"level must be above 0 and below 1: 0.95 is 95 %. Got {level!r} instead.")


# -- intervals -------------------------------------------------------------------------------------


def wilson_interval(n_right: int, n: int, level: float) -> ConfidenceInterval:
    """Wilson's score interval of a share; unlike others it is good near 0 and 1, too."""
    check_level(level)
    low, high = stats.binomtest(n_right, n).proportion_ci(level, method="wilson")
    return ConfidenceInterval(float(low), float(high), level, "Wilson score")


def corrected_error(values: ArrayLike, n_train: ArrayLike, n_test: ArrayLike) -> float:
    """The standard error of a mean over folds, corrected for their overlapping training rows.

    Because of the overlap, values of folds vary less than independent ones would. So the variance
    is multiplied by 1/k + n_test/n_train in place of 1/k. NaN if there is one value, if all are
    equal, or if some are not finite.
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
    """The t interval around a mean with a :func:`corrected_error`; unknown if that is NaN."""
    check_level(level)
    if not np.isfinite(error):
        return ConfidenceInterval(*bounds, level, "unknown: the folds do not tell")
    reach = error * stats.t.isf((1 - level) / 2, df=n_values - 1)
    low, high = np.clip([mean - reach, mean + reach], *bounds)
    return ConfidenceInterval(float(low), float(high), level, "Nadeau-Bengio corrected t")


def paired_shares_interval(
    only_first: int, only_second: int, n: int, level: float
) -> ConfidenceInterval:
    """The confidence interval of the difference between two accuracies on the same ``n`` rows.

    ``only_first`` and ``only_second`` are the numbers of rows that one model alone reads right.
    Recommended by M. W. Fagerland, S. Lydersen and P. Laake, "Recommended tests and confidence
    intervals for paired binomial proportions", Statistics in Medicine 33, 2014.
    """
    check_level(level)
    first, second = (only_first + 1) / (n + 2), (only_second + 1) / (n + 2)
    error = np.sqrt((first + second - (first - second) ** 2) / (n + 2))
    reach = error * stats.norm.isf((1 - level) / 2)
    low, high = np.clip([first - second - reach, first - second + reach], -1, 1)
    return ConfidenceInterval(float(low), float(high), level, "Bonett-Price")


# -- tests -----------------------------------------------------------------------------------------


def t_test(mean: float, error: float, n_values: int) -> tuple[float, float]:
    """The t-test of a mean with a :func:`corrected_error`: is it 0?

    Returns t and the two-sided p-value; NaN and 1 if the error is NaN.
    """
    if not np.isfinite(error):
        return np.nan, 1.0
    t = mean / error
    return t, float(2 * stats.t.sf(abs(t), df=n_values - 1))


def mcnemar_test(only_first: int, only_second: int) -> float:
    """The two-sided p-value of McNemar's mid-p test: do two models read the same rows equally well?

    Mid-p counts only half the probability of the observed outcome; the exact test counts all of
    it, and is too conservative.
    """
    discordant = stats.binom(only_first + only_second, 0.5)
    fewer = min(only_first, only_second)
    return min(1.0, float(2 * discordant.cdf(fewer) - discordant.pmf(fewer)))


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Holm's correction of the p-values of a family of tests, in the order given.

    It bounds the probability that any of them rejects a true hypothesis.
    """
    p_values = np.asarray(p_values, dtype=np.float64)
    order = p_values.argsort(kind="stable")
    raised: NDArray[np.float64] = p_values[order] * np.arange(len(p_values), 0, -1)
    corrected = np.empty_like(raised)
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(raised))
    return corrected
