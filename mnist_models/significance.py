"""Which of several models differ by more than chance, and by how much."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, TypeAlias

import numpy as np

from mnist_models._plain import plain_for_json
from mnist_models._report.verdicts import listed, verdict
from mnist_models._results.findings import Findings, fold_sizes
from mnist_models._results.intervals import (
    ConfidenceInterval,
    check_level,
    corrected_error,
    t_interval,
)
from mnist_models._results.paired_tests import (
    corrected_t_test,
    holm,
    mcnemar_test,
    paired_shares_interval,
)
from mnist_models._results.scores import Bounds

_FindingsPair: TypeAlias = tuple[Findings, Findings]


@dataclass(frozen=True)
class FoldTest:
    """The corrected resampled t-test between two models on the same folds.

    Attributes
    ----------
    difference : float
        Mean score of the first minus that of the second; above 0 the first is better.
    interval : ConfidenceInterval
        Of the difference; for its level and method see :class:`Significance`.
    t : float
        The test's statistic; NaN if there is one fold, or if the difference is the same in all.
    p_value, holm_p_value : float
        Two-sided; the second is corrected for the number of pairs. 1 where ``t`` is NaN.
    effect_size : float
        Cohen's d_z: the mean of the folds' differences divided by their standard deviation, which
        is not corrected for the rows that folds share; NaN where ``t`` is. It grows with the rows
        in a fold: compare it between pairs of one comparison only.
    """

    difference: float
    interval: ConfidenceInterval
    t: float
    p_value: float
    holm_p_value: float
    effect_size: float


@dataclass(frozen=True)
class McNemarTest:
    """McNemar's test between two models on the same test set, always of their accuracy.

    Attributes
    ----------
    difference : float
        Accuracy of the first minus that of the second.
    interval : ConfidenceInterval
        Of the difference; for its level and method see :class:`Significance`.
    only_first, only_second : int
        Numbers of rows that only the first, and only the second, classifies correctly.
    odds_ratio : float
        ``only_first / only_second``, the effect size; infinite if the second is 0, NaN if both are.
    p_value, holm_p_value : float
        Two-sided, mid-p; the second is corrected for the number of pairs.
    """

    difference: float
    interval: ConfidenceInterval
    only_first: int
    only_second: int
    odds_ratio: float
    p_value: float
    holm_p_value: float


@dataclass(frozen=True)
class Pair:
    """Two models, and the results of the tests between them.

    Attributes
    ----------
    first, second : str
        Their names; the first has the better mean score over the folds.
    folds : FoldTest
        The test on the folds.
    test : McNemarTest or None
        The test on the test set, if there is one. Out-of-fold rows are no substitute: the models
        that predicted them were fitted on each other's test rows.
    """

    first: str
    second: str
    folds: FoldTest
    test: McNemarTest | None


@dataclass(frozen=True)
class Significance:
    """The tests between all pairs of models of a comparison. Iterating yields the pairs.

    Made by :meth:`mnist_models.Comparison.significance`. On the folds it is the t-test with Nadeau
    and Bengio's correction for overlapping training rows, and the interval that belongs to it.
    They ask which kind of model is better, fitted on other rows too. On the test set it is
    McNemar's test, with Bonett and Price's interval. They ask which of the two fitted models is
    better.

    The tests on the folds and those on the test set are two families, corrected separately. In
    each, Holm's procedure corrects the p-values of the m pairs, and each interval has level
    1 - (1 - level) / m, so that by Bonferroni's inequality all m of them hold at once with
    probability ``level``. Holm's procedure is a little more powerful than such intervals, and
    McNemar's test is not the inverse of Bonett and Price's interval. Where test and interval
    disagree, a verdict follows the test and says so.

    Attributes
    ----------
    pairs : tuple of Pair
        Best models first.
    scoring : str
        The name of the score.
    in_points : bool
        Whether it is a share, so that verdicts have differences in percentage points.
    level : float
        Of all intervals of a family at once. A difference is significant if its corrected p-value
        is below 1 - level.
    n_folds : int
        Number of folds.

    References
    ----------
    C. Nadeau and Y. Bengio, "Inference for the Generalization Error", Machine Learning 52, 2003,
    section 4. Q. McNemar, Psychometrika 12, 1947; M. W. Fagerland, S. Lydersen and P. Laake, BMC
    Medical Research Methodology 13, 2013. D. G. Bonett and R. M. Price, Journal of Educational and
    Behavioral Statistics 37, 2012. S. Holm, Scandinavian Journal of Statistics 6, 1979. O. J. Dunn,
    "Multiple comparisons among means", Journal of the American Statistical Association 56, 1961,
    on simultaneous intervals. J. Cohen, "Statistical Power Analysis for the Behavioral Sciences",
    1988, section 2.3.5, on d_z.

    Examples
    --------
    >>> from mnist_models import compare, load_sample_digits, make_model
    >>> digits = load_sample_digits().sample(300, random_state=0)
    >>> models = {
    ...     "logistic": make_model("logistic"),
    ...     "stump": make_model("forest", n_estimators=1, max_depth=1, random_state=0),
    ... }
    >>> significance = compare(models, digits.data, digits.target).significance()
    >>> print(significance)
    Which kind of model reads better, by the folds:
    - logistic is better than stump by ... points over the 5 folds, 95 % interval ...
    >>> for pair in significance:
    ...     print(pair.first, pair.second, pair.folds.holm_p_value < 0.001)
    logistic stump True
    """

    pairs: tuple[Pair, ...]
    scoring: str
    in_points: bool
    level: float
    n_folds: int

    def __iter__(self) -> Iterator[Pair]:
        return iter(self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def verdicts(self) -> dict[str, list[str]]:
        """A sentence for every test, under ``"folds"`` and, if there is a test set, ``"test"``.

        The former are on kinds of models, the latter on the models fitted on all of X.
        """
        return self.verdicts_of(self.pairs)

    def verdicts_of(self, pairs: Sequence[Pair]) -> dict[str, list[str]]:
        """The :attr:`verdicts` on some of the pairs.

        Parameters
        ----------
        pairs : sequence of Pair
            Some of ``pairs``.

        Returns
        -------
        dict of str to list of str
            Under ``"folds"`` and, if there is a test set, ``"test"``.
        """
        on_test_set = "on the test set"
        if self.scoring != "accuracy":
            on_test_set = f"in accuracy {on_test_set}"
        over_folds = f"over the {self.n_folds} folds"
        families = {
            "folds": [self._verdict(p, p.folds, over_folds, self.in_points) for p in pairs],
            "test": [self._verdict(p, p.test, on_test_set, True) for p in pairs if p.test],
        }
        return {name: sentences for name, sentences in families.items() if sentences}

    def _verdict(
        self, pair: Pair, test: FoldTest | McNemarTest, where: str, in_points: bool
    ) -> str:
        return verdict(
            (pair.first, pair.second),
            where,
            test.difference,
            test.interval[:2] if test.interval.is_known else None,
            self.level,
            test.holm_p_value,
            in_points=in_points,
            n_tests=len(self),
        )

    def __str__(self) -> str:
        return listed(self.verdicts)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain data, ready for JSON.

        Returns
        -------
        dict
            None stands for numbers that are not finite.
        """
        return {
            "scoring": self.scoring,
            "level": self.level,
            "verdicts": self.verdicts,
            "pairs": [plain_for_json(asdict(pair)) for pair in self],
        }


def compare_pairs(evaluations: Mapping[str, Findings], level: float) -> Significance:
    """Test every pair of models that were evaluated on the same folds.

    Parameters
    ----------
    evaluations : mapping of str to Findings
        The best first.
    level : float
        Of all intervals of a family at once, above 0 and below 1.

    Returns
    -------
    Significance
        The pairs in the order of the names.

    Raises
    ------
    ValueError
        If the level is not above 0 and below 1.
    """
    check_level(level)
    names = list(combinations(evaluations, 2))
    pairs = [(evaluations[first], evaluations[second]) for first, second in names]
    first_one = next(iter(evaluations.values()))
    in_points = all(each.is_share for each in evaluations.values())
    pair_level = 1 - (1 - level) / max(1, len(pairs))
    on_folds = _fold_tests(pairs, pair_level)
    has_test_set = first_one.y_test is not None
    on_test_set = _mcnemar_tests(pairs, pair_level) if has_test_set else [None] * len(pairs)
    return Significance(
        tuple(
            Pair(*two, folds, test)
            for two, folds, test in zip(names, on_folds, on_test_set, strict=True)
        ),
        first_one.scoring,
        in_points,
        level,
        len(first_one.folds),
    )


def _fold_tests(pairs: Sequence[_FindingsPair], level: float) -> list[FoldTest]:
    sizes = [fold_sizes(first.folds) for first, _ in pairs]
    differences = [first.cv_scores - second.cv_scores for first, second in pairs]
    results = [corrected_t_test(each, *size) for each, size in zip(differences, sizes, strict=True)]
    found = []
    for two, each, size, (t, p_value), corrected in zip(
        pairs, differences, sizes, results, holm([p for _, p in results]), strict=True
    ):
        mean, bounds = float(each.mean()), _bounds_of_difference(*two)
        interval = t_interval(mean, corrected_error(each, *size), len(each), level, bounds)
        effect_size = mean / float(each.std(ddof=1)) if np.isfinite(t) else np.nan
        found.append(FoldTest(mean, interval, t, p_value, float(corrected), effect_size))
    return found


def _bounds_of_difference(first: Findings, second: Findings) -> Bounds:
    (low, high), (other_low, other_high) = first.score_bounds, second.score_bounds
    return low - other_high, high - other_low


def _mcnemar_tests(pairs: Sequence[_FindingsPair], level: float) -> list[McNemarTest]:
    counts = [_discordant(*two) for two in pairs]
    p_values = [mcnemar_test(*each) for each in counts]
    found = []
    for two, (only_first, only_second), p_value, corrected in zip(
        pairs, counts, p_values, holm(p_values), strict=True
    ):
        n = len(two[0].y_true)
        found.append(
            McNemarTest(
                (only_first - only_second) / n,
                paired_shares_interval(only_first, only_second, n, level),
                only_first,
                only_second,
                _odds_ratio(only_first, only_second),
                p_value,
                float(corrected),
            )
        )
    return found


def _discordant(first: Findings, second: Findings) -> tuple[int, int]:
    """Numbers of rows that only the first, and only the second, classifies correctly."""
    right, also_right = (each.y_true == each.y_pred for each in (first, second))
    return int(np.sum(right & ~also_right)), int(np.sum(also_right & ~right))


def _odds_ratio(first: int, second: int) -> float:
    if second:
        return first / second
    return np.inf if first else np.nan
