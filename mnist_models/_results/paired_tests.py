"""Tests whether two models differ by more than chance, computed from plain numbers."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from mnist_models._results.intervals import ConfidenceInterval, check_level, corrected_error


def corrected_t_test(
    differences: ArrayLike, n_train: ArrayLike, n_test: ArrayLike
) -> tuple[float, float]:
    """The corrected resampled t-test of differences between two models on the same folds.

    Parameters
    ----------
    differences, n_train, n_test : array-like, shape (k,)
        Each fold's difference of scores, and the numbers of rows it was fitted and tested on.

    Returns
    -------
    t, p_value : float
        Two-sided, with k - 1 degrees of freedom. NaN and 1 if there is one fold, or if the
        difference is the same in all folds.

    References
    ----------
    C. Nadeau and Y. Bengio, "Inference for the Generalization Error", Machine Learning 52, 2003,
    section 4.
    """
    differences = np.asarray(differences, dtype=np.float64)
    error = corrected_error(differences, n_train, n_test)
    if not np.isfinite(error):
        return np.nan, 1.0
    t = differences.mean() / error
    return float(t), float(2 * stats.t.sf(abs(t), df=len(differences) - 1))


def mcnemar_test(only_first: int, only_second: int) -> float:
    """McNemar's mid-p test: whether two models classify the same rows equally well.

    Parameters
    ----------
    only_first, only_second : int
        Numbers of rows that only the first model, and only the second, classifies correctly.

    Returns
    -------
    p_value : float
        Two-sided. Mid-p counts only half the probability of the observed outcome; the exact test
        counts all of it, and is too conservative.

    References
    ----------
    Q. McNemar, "Note on the sampling error of the difference between correlated proportions or
    percentages", Psychometrika 12, 1947. M. W. Fagerland, S. Lydersen and P. Laake, "The McNemar
    test for binary matched-pairs data: mid-p and asymptotic are better than exact conditional",
    BMC Medical Research Methodology 13, 2013, recommend mid-p for any number of rows.

    Examples
    --------
    >>> round(mcnemar_test(6, 16), 4)
    0.0347
    """
    discordant = stats.binom(only_first + only_second, 0.5)
    fewer = min(only_first, only_second)
    return min(1.0, float(2 * discordant.cdf(fewer) - discordant.pmf(fewer)))


def paired_shares_interval(
    only_first: int, only_second: int, n: int, level: float
) -> ConfidenceInterval:
    """The confidence interval of the difference between two accuracies on the same rows.

    Parameters
    ----------
    only_first, only_second : int
        Numbers of rows that only the first model, and only the second, classifies correctly.
    n : int
        Number of all rows.
    level : float
        Above 0 and below 1.

    References
    ----------
    D. G. Bonett and R. M. Price, "Adjusted Wald confidence interval for a difference of binomial
    proportions based on paired data", Journal of Educational and Behavioral Statistics 37, 2012;
    recommended by M. W. Fagerland, S. Lydersen and P. Laake, "Recommended tests and confidence
    intervals for paired binomial proportions", Statistics in Medicine 33, 2014.
    """
    check_level(level)
    first, second = (only_first + 1) / (n + 2), (only_second + 1) / (n + 2)
    error = np.sqrt((first + second - (first - second) ** 2) / (n + 2))
    reach = error * stats.norm.isf((1 - level) / 2)
    low, high = np.clip([first - second - reach, first - second + reach], -1, 1)
    return ConfidenceInterval(float(low), float(high), level, "Bonett-Price")


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Holm's correction of the p-values of a family of tests.

    It bounds the probability that any of them rejects a true hypothesis.

    Parameters
    ----------
    p_values : array-like, shape (m,)
        One for each test.

    Returns
    -------
    ndarray, shape (m,)
        In the order given.

    References
    ----------
    S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6, 1979.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03, 0.005])
    array([0.03, 0.06, 0.06, 0.02])
    """
    p_values = np.asarray(p_values, dtype=np.float64)
    order = p_values.argsort(kind="stable")
    raised: NDArray[np.float64] = p_values[order] * np.arange(len(p_values), 0, -1)
    corrected = np.empty_like(raised)
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(raised))
    return corrected
