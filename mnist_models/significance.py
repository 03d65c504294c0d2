"""Which of several models differ by more than chance, and by how much."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import Any, TypeVar

import numpy as np

from mnist_models import _text as text
from mnist_models._statistics import (
    ConfidenceInterval,
    check_level,
    corrected_error,
    holm,
    mcnemar_test,
    paired_shares_interval,
    t_interval,
    t_test,
)
from mnist_models.results import Evaluation

__all__ = ["FoldTest", "McNemarTest", "Pair", "Significance"]

# The questions that the two families of tests answer, and the headings of the tests themselves.
_QUESTIONS = {
    "folds": "Which kind of model reads better? By the folds",
    "test": "Which of the fitted models reads better? By the test set",
}
_TESTS = {
    "folds": "The tests behind this, on the folds",
    "test": "The tests behind this, on the test set",
}


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
        On the folds.
    test : McNemarTest or None
        On the test set, if there is one. Out-of-fold rows are no substitute: the models that
        predicted them were fitted on each other's test rows.
    """

    first: str
    second: str
    folds: FoldTest
    test: McNemarTest | None


_Say = Callable[[Pair, FoldTest | McNemarTest], str]
_Sentences = dict[str, list[str]]


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
    Medical Research Methodology 13, 2013, on mid-p. D. G. Bonett and R. M. Price, Journal of
    Educational and Behavioral Statistics 37, 2012. S. Holm, Scandinavian Journal of Statistics 6,
    1979. O. J. Dunn,
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
    Which kind of model reads better? By the folds:
    - logistic reads better than stump: ... more of 1,000 right, and chance ...
    <BLANKLINE>
    The tests behind this, on the folds:
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
    def findings(self) -> dict[str, list[str]]:
        """A plain sentence for every test, under ``"folds"`` and, with a test set, ``"test"``.

        The former are on kinds of models, the latter on the models fitted on all of X.
        """
        return self._said(self._finding, self.pairs)

    @property
    def verdicts(self) -> dict[str, list[str]]:
        """The same with difference, interval and p-value."""
        return self._said(self._verdict, self.pairs)

    def _said(self, say: _Say, pairs: Sequence[Pair]) -> _Sentences:
        families = {
            "folds": [say(pair, pair.folds) for pair in pairs],
            "test": [say(pair, pair.test) for pair in pairs if pair.test],
        }
        return {name: sentences for name, sentences in families.items() if sentences}

    @property
    def _limit(self) -> float:
        """Corrected p-values below it are significant."""
        return round(1 - self.level, 12)  # in floats, 1 - 0.95 is a little more than 0.05

    def _finding(self, pair: Pair, test: FoldTest | McNemarTest) -> str:
        """One sentence on a pair that a first-year student reads once."""
        better, worse = pair.first, pair.second
        if test.difference < 0:
            better, worse = worse, better
        if not math.isfinite(test.difference):
            return f"Nothing can be said of {better} and {worse}: a score is missing."
        ahead = abs(test.difference)
        if self.scoring == "accuracy" or isinstance(test, McNemarTest):
            amount = f"{text.in_thousand(ahead)} more of 1,000 right"
            of_what = "number right"
        else:
            known = test.interval.is_known
            decimals = _decimals(*test.interval[:2], False) if known else 4
            amount = f"{_number(ahead, decimals, False)} more in {self.scoring}"
            of_what = self.scoring
        if test.holm_p_value < self._limit:
            reads = f"{better} reads better than {worse}: {amount}"
            return f"{reads}, and chance alone would hardly do that."
        not_shown = f"No difference shown between {better} and {worse}"
        if ahead == 0:
            return f"{not_shown}: both have the same {of_what}."
        if not test.interval.is_known:
            return (
                f"{not_shown}: {better} has {amount}, and nothing tells how much of that is chance."
            )
        return f"{not_shown}: {better} has {amount}, which chance alone could do."

    def _verdict(self, pair: Pair, test: FoldTest | McNemarTest) -> str:
        """One exact sentence on a pair. None calls two models equal: a test cannot show that."""
        where, points = f"over the {self.n_folds} folds", self.in_points
        if isinstance(test, McNemarTest):
            in_accuracy = "" if self.scoring == "accuracy" else "in accuracy "
            where, points = f"{in_accuracy}on the test set", True
        difference, low, high = (test.difference, *test.interval[:2])
        better, worse = pair.first, pair.second
        if not math.isfinite(difference):
            return f"nothing can be said of {better} and {worse} {where}: a score is missing"
        if difference < 0:
            better, worse = worse, better
            difference, low, high = -difference, -high, -low
        known = test.interval.is_known
        decimals = _decimals(low, high, points) if known else 1 if points else 4
        amount = _number(difference, decimals, points) + (" points" if points else "")
        apart = f"they are {amount} apart" if difference == 0 else f"{better} is ahead by {amount}"
        not_shown = f"no difference shown between {better} and {worse} {where}: {apart}"
        if not known:
            return f"{not_shown}, and nothing there tells how much of that is chance"
        is_shown = test.holm_p_value < self._limit
        said = f"{better} is better than {worse} by {amount} {where}" if is_shown else not_shown
        together, corrected = ("simultaneous ", "Holm-corrected ") if len(self) > 1 else ("", "")
        ends = " to ".join(_number(end, decimals, points) for end in (low, high))
        p_value = _p_value(test.holm_p_value, self._limit)
        said += f", {together}{100 * self.level:g} % interval {ends} ({corrected}p {p_value})"
        if is_shown == (low > 0):
            return said
        # test and interval may disagree: they are two methods
        sure, unsure = ("test", "interval") if is_shown else ("interval", "test")
        return f"{said}; a borderline case: the {sure} tells them apart, the {unsure} does not"

    def __str__(self) -> str:
        return text.listed(self.answers() | self.tests())

    def answers(self, best_only: bool = False) -> dict[str, list[str]]:
        """The :attr:`findings` under the questions that they answer.

        Parameters
        ----------
        best_only : bool, default=False
            Only those on the best model and each of the others; p-values and intervals are
            corrected for all pairs still.

        Returns
        -------
        dict of str to list of str
            Sentences under their headings.
        """
        return self._headed(_QUESTIONS, self._finding, best_only)

    def tests(self, best_only: bool = False) -> dict[str, list[str]]:
        """The :attr:`verdicts` under headings, as :meth:`answers` has the findings.

        Parameters
        ----------
        best_only : bool, default=False
            Only those on the best model and each of the others.

        Returns
        -------
        dict of str to list of str
            Sentences under their headings.
        """
        return self._headed(_TESTS, self._verdict, best_only)

    def _headed(self, headings: Mapping[str, str], say: _Say, best_only: bool) -> _Sentences:
        best = self.pairs[0].first if self.pairs else ""
        pairs = [pair for pair in self.pairs if not best_only or pair.first == best]
        return {headings[family]: words for family, words in self._said(say, pairs).items()}

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
            "findings": self.findings,
            "verdicts": self.verdicts,
            "pairs": [text.plain_for_json(asdict(pair)) for pair in self],
        }


def compare_pairs(evaluations: Mapping[str, Evaluation], level: float) -> Significance:
    """Test every pair of models that were evaluated on the same folds; the best comes first."""
    check_level(level)
    names, models = list(combinations(evaluations, 2)), list(combinations(evaluations.values(), 2))
    pair_level = 1 - (1 - level) / max(1, len(models))
    first = next(iter(evaluations.values()))
    on_folds = _corrected([_test_folds(*pair, pair_level) for pair in models])
    on_test_set: Sequence[McNemarTest | None] = [None] * len(models)
    if first.y_test is not None:
        on_test_set = _corrected([_test_rows(*pair, pair_level) for pair in models])
    tests = zip(names, on_folds, on_test_set, strict=True)
    return Significance(
        pairs=tuple(Pair(*pair, of_folds, of_test) for pair, of_folds, of_test in tests),
        scoring=first.scoring,
        in_points=all(evaluation.is_share for evaluation in evaluations.values()),
        level=level,
        n_folds=len(first.folds),
    )


_Test = TypeVar("_Test", FoldTest, McNemarTest)


def _corrected(tests: Sequence[_Test]) -> list[_Test]:
    """The tests of one family with their p-values corrected for each other."""
    p_values = holm([test.p_value for test in tests]).tolist()
    return [replace(test, holm_p_value=p) for test, p in zip(tests, p_values, strict=True)]


def _test_folds(first: Evaluation, second: Evaluation, level: float) -> FoldTest:
    """The p-value is not corrected yet."""
    differences = first.cv_scores - second.cv_scores
    mean, n_folds = float(differences.mean()), len(differences)
    error = corrected_error(differences, *first._fold_sizes)
    (low, high), (other_low, other_high) = first.score_bounds, second.score_bounds
    bounds = (low - other_high, high - other_low)
    t, p_value = t_test(mean, error, n_folds)
    return FoldTest(
        difference=mean,
        interval=t_interval(mean, error, n_folds, level, bounds),
        t=t,
        p_value=p_value,
        holm_p_value=p_value,
        effect_size=mean / float(differences.std(ddof=1)) if np.isfinite(t) else np.nan,
    )


def _test_rows(first: Evaluation, second: Evaluation, level: float) -> McNemarTest:
    """The p-value is not corrected yet."""
    right, also_right = (model._right for model in (first, second))
    only_first, only_second = int(np.sum(right & ~also_right)), int(np.sum(also_right & ~right))
    p_value = mcnemar_test(only_first, only_second)
    without_second = np.inf if only_first else np.nan
    return McNemarTest(
        difference=(only_first - only_second) / len(right),
        interval=paired_shares_interval(only_first, only_second, len(right), level),
        only_first=only_first,
        only_second=only_second,
        odds_ratio=only_first / only_second if only_second else without_second,
        p_value=p_value,
        holm_p_value=p_value,
    )


# -- verdicts in words -----------------------------------------------------------------------------


def _decimals(low: float, high: float, in_points: bool) -> int:
    """Enough decimals for two digits of the interval's width and the sign of its lower end."""
    scale = 100 if in_points else 1
    of_width = 1 - math.floor(math.log10(scale * (high - low)))
    of_low = -math.floor(math.log10(abs(scale * low))) if low else 0
    return max(1, of_width, of_low)


def _number(value: float, decimals: int, in_points: bool) -> str:
    # adding 0.0 turns -0.0 into 0.0
    return f"{round(value * (100 if in_points else 1), decimals) + 0.0:.{decimals}f}"


def _p_value(value: float, limit: float) -> str:
    """A p-value with two digits, or as many more as show on which side of the limit it is."""
    if value < 0.0001:
        return "< 0.0001"
    written = (f"{value:.{digits}g}" for digits in range(2, 18))
    return f"= {next(text for text in written if (float(text) < limit) == (value < limit))}"
