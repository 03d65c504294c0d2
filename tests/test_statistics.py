"""Intervals and tests: against published and reference numbers, and what verdicts make of them."""

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import make_classification, make_moons
from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from mnist_models import Comparison, Evaluation, Fit, Significance, evaluate


def _evaluation(
    scores: Any,
    scoring: str = "accuracy",
    right: str | None = None,
    sizes: tuple[int, int] = (80, 20),
) -> Evaluation:
    """With a test set whose rows were read right (+) or wrong (-), if there is one."""
    folds = tuple(Fit(score, 1.0, 1.0, *sizes) for score in scores)
    classes, y = np.array([0, 1]), np.zeros(100, dtype=int)
    evaluation = Evaluation("model", scoring, classes, y, y, folds)
    if right is None:
        return evaluation
    return dataclasses.replace(
        evaluation,
        y_test=np.zeros(len(right), dtype=int),
        test_predictions=np.array([0 if mark == "+" else 1 for mark in right]),
        test=Fit(0.5, 1.0, 1.0, 100, len(right)),
    )


def _out_of_fold(right: str, scores: Any, scoring: str = "accuracy") -> Evaluation:
    """Of rows that were read right (+) or wrong (-), in folds of equal size."""
    y, n_test = np.zeros(len(right), dtype=int), len(right) // len(scores)
    read = np.array([0 if mark == "+" else 1 for mark in right])
    folds = tuple(Fit(score, 1.0, 1.0, len(right) - n_test, n_test) for score in scores)
    return Evaluation("model", scoring, np.array([0, 1]), y, read, folds)


def _significance(first: Any, second: Any, level: float = 0.95, **how: Any) -> Significance:
    """Of two models with these scores, named a and b."""
    models = {"a": _evaluation(first, **how), "b": _evaluation(second, **how)}
    return Comparison(models).significance(level)


def _on_rows(only_first: int, only_second: int, n: int) -> Significance:
    """Of models a and b, of which each alone read so many of n rows right."""
    both = n - only_first - only_second
    one = "+" * both + "+" * only_first + "-" * only_second
    other = "+" * both + "-" * only_first + "+" * only_second
    scores = ((0.9, 0.85), (0.8, 0.7))  # so a is named first
    models = {
        name: _evaluation(of_model, right=right)
        for name, of_model, right in zip("ab", scores, (one, other), strict=True)
    }
    return Comparison(models).significance()


# -- intervals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_right", "n", "level", "low", "high"),
    [
        # R. G. Newcombe, Statistics in Medicine 17, 1998, pages 857-872, table I, method 3
        (81, 263, 0.95, 0.2553, 0.3662),
        (0, 20, 0.95, 0.0000, 0.1611),
        (1, 29, 0.95, 0.0061, 0.1718),
        # statsmodels 0.14: proportion_confint(348, 360, 0.1, method="wilson")
        (348, 360, 0.90, 0.9473, 0.9791),
    ],
)
def test_on_a_test_set_the_interval_is_wilsons(
    n_right: int, n: int, level: float, low: float, high: float
) -> None:
    found = _evaluation((0.9,), right="+" * n_right + "-" * (n - n_right))
    interval = found.confidence_interval(level)
    assert interval[:2] == pytest.approx((low, high), abs=5e-5)
    assert (interval.level, interval.method) == (level, "Wilson score")


def test_over_folds_it_is_corrected_for_the_rows_that_they_share() -> None:
    evaluation = _out_of_fold("++++-++++++-+-++++++", (0.8, 0.8, 0.8, 1.0))
    low, high, _, method = evaluation.confidence_interval()
    assert (low, high) == pytest.approx(evaluation.cv_confidence_interval()[:2])
    assert method == "Nadeau-Bengio corrected t"
    # variance 0.01; 1/4 + 5/15 = 7/12; 3.182 from a table of t with 3 degrees of freedom
    assert low == pytest.approx(0.85 - 3.182 * np.sqrt(0.01 * 7 / 12), abs=1e-4)
    assert high == 1  # cut off there


@pytest.mark.parametrize("scores", [(0.9,), (0.9, 0.9), (0.9, math.nan)], ids=str)
def test_folds_that_do_not_vary_do_not_pass_for_certainty(scores: Any) -> None:
    interval = _evaluation(scores).cv_confidence_interval()
    assert (interval.low, interval.high, interval.is_known) == (0.0, 1.0, False)
    # accuracy is then Wilson's, which knows nothing of how fits vary, and says so
    low, high, _, method = _out_of_fold("++++++++", (1.0, 1.0)).confidence_interval()
    assert (low, high) == pytest.approx((0.6756, 1), abs=5e-5)
    assert method == "Wilson score, over rows that several fits predicted"


def test_real_folds_give_accuracies_whatever_the_scorers_name() -> None:
    X, y = make_classification(n_samples=203, n_informative=4, n_classes=3, random_state=0)
    named = evaluate(KNeighborsClassifier(), X, y)
    unnamed = evaluate(KNeighborsClassifier(), X, y, scoring=None)
    assert named.confidence_interval() == unnamed.confidence_interval()
    low, high, _, method = named.confidence_interval()
    assert method == "Nadeau-Bengio corrected t"
    assert (low + high) / 2 == pytest.approx(named.accuracy)
    losses = evaluate(KNeighborsClassifier(), X, y, scoring="neg_log_loss")
    assert losses.confidence_interval().method.startswith("Wilson score, over rows that several")


@pytest.mark.parametrize(
    ("scoring", "scores", "bounds", "is_share"),
    [
        ("accuracy", (0.0, 1.0), (0, 1), True),
        ("f1_macro", (0.5, math.nan), (0, 1), True),
        ("roc_auc_ovr_weighted", (0.9, 0.99), (0, 1), False),
        ("matthews_corrcoef", (-0.9, 0.9), (-1, 1), False),
        ("neg_log_loss", (-0.1, -0.9), (-math.inf, 0), False),
        ("r2", (0.1, 0.99), (-math.inf, math.inf), False),
        ("recall_per_minute", (0.1, 1.5), (-math.inf, math.inf), False),  # no share, by its values
    ],
)
def test_intervals_end_where_a_score_does_if_that_is_known(
    scoring: str, scores: Any, bounds: Any, is_share: bool
) -> None:
    evaluation = _evaluation(scores, scoring)
    assert (evaluation.score_bounds, evaluation.is_share) == (bounds, is_share)
    low, high, *_ = evaluation.cv_confidence_interval()
    assert bounds[0] <= low <= high <= bounds[1]
    (pair,) = _significance((0.5,), (0.5,), scoring="roc_auc")
    assert pair.folds.interval[:2] == (-1, 1)


@pytest.mark.parametrize("level", [0, 1, 95, np.nan])
def test_a_level_is_a_share(level: float) -> None:
    evaluation = _out_of_fold("+-", (0.0, 1.0))
    for ask in (
        evaluation.confidence_interval,
        evaluation.cv_confidence_interval,
        Comparison({"m": evaluation}).significance,
    ):
        with pytest.raises(ValueError, match=r"level must be above 0 and below 1.*Got "):
            ask(level)


# -- tests -----------------------------------------------------------------------------------------


def test_the_corrected_t_test_by_hand() -> None:
    # differences 0.1, 0, 0.1, 0.2: mean 0.1, variance 0.02/3; 1/4 + 20/80 = 1/2
    (pair,) = _significance((0.6, 0.5, 0.6, 0.7), (0.5, 0.5, 0.5, 0.5))
    assert pair.folds.t == pytest.approx(0.1 / np.sqrt(0.02 / 3 / 2))
    assert pair.folds.p_value == pytest.approx(0.1817, abs=1e-4)  # t = 1.7321, 3 d.f.
    assert pair.folds.effect_size == pytest.approx(0.1 / np.sqrt(0.02 / 3))


def test_the_corrected_t_test_gives_what_scikit_learns_guide_prints() -> None:
    """Its example "Statistical comparison of models using grid search": rbf against linear.

    It prints t = 0.750 and, one-sided, p = 0.227.
    """
    X, y = make_moons(noise=0.352, random_state=1, n_samples=100)
    cv = RepeatedStratifiedKFold(n_splits=10, n_repeats=10, random_state=0)
    rbf, linear = (
        cross_val_score(SVC(kernel=kernel), X, y, cv=cv, scoring="roc_auc")
        for kernel in ("rbf", "linear")
    )
    (pair,) = _significance(rbf, linear, scoring="roc_auc", sizes=(90, 10))
    assert pair.folds.t == pytest.approx(0.750, abs=5e-4)
    assert pair.folds.p_value / 2 == pytest.approx(0.227, abs=5e-4)


@pytest.mark.parametrize(
    ("only_first", "only_second", "p_value"),
    [
        # Cavo et al. 2012, worked in Fagerland, Lydersen and Laake's book, chapter 8
        (6, 16, 0.034690),
        # statsmodels 0.14: mcnemar(..., exact=True), less the chance of just that table
        (3, 10, 0.09228515625 - math.comb(13, 3) / 2**13),
        (40, 20, 0.01348929373 - math.comb(60, 20) / 2**60),
        (0, 0, 1),
        (7, 7, 1),
    ],
)
def test_mcnemars_p_values(only_first: int, only_second: int, p_value: float) -> None:
    (pair,) = _on_rows(only_first, only_second, 161)
    test = pair.test
    assert test is not None
    assert (test.only_first, test.only_second) == (only_first, only_second)
    assert test.p_value == pytest.approx(p_value, abs=1e-6)
    assert test.difference == pytest.approx((only_first - only_second) / 161)
    if only_first == 6:  # what their package prints
        assert test.interval[:2] == pytest.approx((-0.1195, -0.0032), abs=5e-5)


@pytest.fixture
def three() -> Comparison:
    """A good model, a bad one that is surely behind, and one between that is not."""
    return Comparison(
        {
            "bad": _evaluation((0.70, 0.72, 0.71, 0.70, 0.71), right="-" * 40 + "+" * 60),
            "good": _evaluation((0.90, 0.91, 0.93, 0.92, 0.91), right="+" * 100),
            "between": _evaluation((0.70, 0.99, 0.93, 0.92, 0.91), right="-" * 4 + "+" * 96),
        }
    )


def test_every_pair_is_tested_the_best_first(three: Comparison) -> None:
    significance = three.significance()
    named = [(pair.first, pair.second) for pair in significance]
    assert named == [("good", "between"), ("good", "bad"), ("between", "bad")]
    for pair in significance:
        alone = Comparison({name: three[name] for name in (pair.first, pair.second)}).significance()
        (only,) = alone
        assert (pair.folds.t, pair.folds.p_value) == (only.folds.t, only.folds.p_value)
        # the interval is the test turned round: 0 is outside where p is below a third of 1 - level
        assert (pair.folds.interval.low > 0) == (pair.folds.p_value < 0.05 / 3)
        assert pair.folds.interval.level == pytest.approx(1 - 0.05 / 3)
    test = significance.pairs[1].test
    assert test is not None
    assert (test.only_first, test.only_second, test.odds_ratio) == (40, 0, np.inf)


def test_each_family_is_corrected_for_itself_by_holms_procedure(three: Comparison) -> None:
    for family in ("folds", "test"):
        tests = [getattr(pair, family) for pair in three.significance()]
        first, second, third = sorted(tests, key=lambda test: test.p_value)
        wanted = [3 * first.p_value, 2 * second.p_value, third.p_value]
        corrected = [test.holm_p_value for test in (first, second, third)]
        assert corrected == pytest.approx(np.minimum(1, np.maximum.accumulate(wanted)))


def test_one_model_has_nothing_to_be_tested_against_and_no_test_set_means_no_mcnemar() -> None:
    alone = Comparison({"alone": _evaluation((0.9, 0.8))}).significance()
    assert (list(alone), alone.verdicts) == ([], {})
    assert [pair.test for pair in _significance((0.9, 0.8), (0.7, 0.5))] == [None]


# -- verdicts --------------------------------------------------------------------------------------


def test_verdicts(three: Comparison) -> None:
    significance = three.significance()
    on_folds, on_test_set = significance.verdicts["folds"], significance.verdicts["test"]
    low, high = (100 * end for end in significance.pairs[1].folds.interval[:2])
    assert on_folds[1] == (
        f"good is better than bad by 20.6 points over the 5 folds, simultaneous 95 % interval "
        f"{low:.1f} to {high:.1f} (Holm-corrected p < 0.0001)"
    )
    assert on_folds[0].startswith(
        "no difference shown between good and between over the 5 folds: good is ahead by 2.4 points"
    )
    assert on_test_set[1].startswith("good is better than bad by 40.0 points on the test")
    assert "equal" not in str(significance)
    lines = str(significance).splitlines()
    assert max(len(line) for line in lines) < 80
    assert not [line for line in lines if line.endswith((" p", "(p", "=", "95", "<"))]


@pytest.mark.parametrize(
    ("only_first", "only_second", "is_borderline"),
    [(1, 7, True), (0, 5, True), (6, 16, False), (5, 9, False)],
)
def test_a_verdict_says_so_where_test_and_interval_disagree(
    only_first: int, only_second: int, is_borderline: bool
) -> None:
    significance = _on_rows(only_first, only_second, 1000)
    (pair,), (said,) = significance.pairs, significance.verdicts["test"]
    assert pair.test is not None
    is_shown = pair.test.p_value < 0.05
    assert ("b is better than a" in said) == is_shown
    assert ("borderline case: the test tells them apart" in said) == is_borderline
    assert (pair.test.interval.high < 0) == (is_shown != is_borderline)


def test_rounding_moves_no_p_value_over_the_limit() -> None:
    scores = (0.9, 0.8, 0.85, 0.84), (0.8, 0.7, 0.8, 0.82)
    (pair,) = _significance(*scores)
    for above in (1e-5, -1e-5):
        level = 1 - (pair.folds.p_value + above)
        (said,) = _significance(*scores, level).verdicts["folds"]
        written = float(said.partition("(p = ")[2].partition(")")[0])
        assert (written < 1 - level) == (pair.folds.p_value < 1 - level) == ("better" in said)


def test_the_level_decides_what_is_shown() -> None:
    scores = (0.9, 0.8, 0.85, 0.84), (0.8, 0.7, 0.8, 0.82)
    assert "no difference shown" in _significance(*scores).verdicts["folds"][0]
    (said,) = _significance(*scores, level=0.8).verdicts["folds"]
    assert "a is better than b" in said
    assert ", 80 % interval" in said
    assert "Holm" not in said  # one test: nothing to correct


def test_other_scores_are_plain_numbers_and_higher_is_better() -> None:
    models = {
        "worse": _evaluation((-0.52, -0.50, -0.51), "neg_log_loss", "+" * 30),
        "better": _evaluation((-0.22, -0.21, -0.19), "neg_log_loss", "+" * 27 + "---"),
    }
    verdicts = Comparison(models).significance().verdicts
    (on_folds,), (on_test_set,) = verdicts["folds"], verdicts["test"]
    assert on_folds.startswith("better is better than worse by 0.30 over the 3 folds, 95 % int")
    assert on_test_set.startswith(
        "no difference shown between worse and better in accuracy on the test set: worse is ahead "
        "by 10.0 points, 95 % interval -3.9 to 22.7 (p = 0.12)"  # (1/2)**3 = 0.125
    )


@pytest.mark.parametrize("ahead", [0.25, 0.0])
def test_folds_that_do_not_tell_are_said_not_to(ahead: float) -> None:
    significance = _significance((0.5 + ahead, 0.75 + ahead), (0.5, 0.75))
    (pair,), (said,) = significance.pairs, significance.verdicts["folds"]
    assert (pair.folds.p_value, pair.folds.interval[:2]) == (1.0, (-1.0, 1.0))
    assert np.isnan([pair.folds.t, pair.folds.effect_size]).all()
    assert said.startswith("no difference shown between a and b over the 2 folds: ")
    assert said.endswith("and nothing there tells how much of that is chance")
    assert ("0.0 points apart" in said) == (not ahead)


def test_it_is_plain_data_in_json(three: Comparison) -> None:
    plain = three.significance().to_dict()
    again = json.loads(json.dumps(plain, allow_nan=False))
    assert again == plain
    assert again["pairs"][1]["test"]["odds_ratio"] is None  # 40 to none
    assert three.to_dict()["significance"] == plain
