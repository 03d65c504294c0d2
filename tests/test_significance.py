"""Tests of differences: against published and reference numbers, and how often they are wrong."""

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import make_moons
from sklearn.model_selection import RepeatedStratifiedKFold, StratifiedKFold, cross_val_score
from sklearn.svm import SVC

from mnist_models import Comparison, Evaluation, Fit
from mnist_models._report.verdicts import listed, verdict
from mnist_models._results.paired_tests import (
    corrected_t_test,
    holm,
    mcnemar_test,
    paired_shares_interval,
)

# -- the mathematics -------------------------------------------------------------------------------


def test_the_corrected_t_test_by_hand() -> None:
    # differences 0.1, 0, 0.1, 0.2: mean 0.1, variance 0.02/3; 1/4 + 20/80 = 1/2
    t, p_value = corrected_t_test([0.1, 0.0, 0.1, 0.2], [80] * 4, [20] * 4)
    assert t == pytest.approx(0.1 / np.sqrt(0.02 / 3 / 2))
    assert p_value == pytest.approx(0.1817, abs=1e-4)  # two-sided, t = 1.7321, 3 d.f.
    assert corrected_t_test([-0.1, 0.0, -0.1, -0.2], [80] * 4, [20] * 4) == (-t, p_value)


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
    t, p_value = corrected_t_test(rbf - linear, [90] * 100, [10] * 100)
    assert t == pytest.approx(0.750, abs=5e-4)
    assert p_value / 2 == pytest.approx(0.227, abs=5e-4)


def test_on_five_folds_the_corrected_test_errs_less_often_than_it_says_and_a_plain_one_more() -> (
    None
):
    """Two learners alike, on the folds that evaluate makes, of each of 600 data sets."""
    rng, wrong = np.random.default_rng(0), np.zeros(2)
    y = np.repeat([0, 1], 50)
    for seed in range(600):
        features = rng.normal(size=(2, 100, 10)) + 0.3 * y[:, None]
        folds = StratifiedKFold(5, shuffle=True, random_state=seed).split(features[0], y)
        differences = np.array([_difference(features, y, *fold) for fold in folds])
        _, corrected = corrected_t_test(differences, [80] * 5, [20] * 5)
        wrong += corrected < 0.05, stats.ttest_1samp(differences, 0).pvalue < 0.05
    corrected, plain = wrong / 600
    assert corrected < 0.05 < plain


def _difference(features: Any, y: Any, train: Any, held_out: Any) -> float:
    """How much better nearest class means do on one half of the features than on the other."""
    accuracies = []
    for X in features:
        means = [X[train][y[train] == label].mean(axis=0) for label in (0, 1)]
        nearest = (X[held_out] - np.mean(means, axis=0)) @ (means[1] - means[0]) > 0
        accuracies.append(np.mean(nearest == y[held_out]))
    return float(accuracies[0] - accuracies[1])


def test_mcnemars_p_values() -> None:
    """6 against 16: Cavo et al. 2012, worked in Fagerland, Lydersen and Laake's book, chapter 8."""
    assert mcnemar_test(6, 16) == mcnemar_test(16, 6) == pytest.approx(0.034690, abs=1e-6)
    # 1 against 7: Bentur et al. 2009, in their paper of 2013
    assert mcnemar_test(1, 7) == pytest.approx(0.0391, abs=5e-5)
    # statsmodels 0.14: mcnemar(..., exact=True), less the chance of just that table
    assert mcnemar_test(3, 10) == pytest.approx(0.09228515625 - math.comb(13, 3) / 2**13)
    assert mcnemar_test(40, 20) == pytest.approx(0.01348929373 - math.comb(60, 20) / 2**60)
    assert mcnemar_test(0, 0) == mcnemar_test(7, 7) == mcnemar_test(20, 20) == 1


def test_the_interval_of_paired_shares() -> None:
    """Cavo et al. 2012 in Fagerland, Lydersen and Laake's book; their package prints these."""
    low, high, *_ = paired_shares_interval(6, 16, 161, 0.95)
    assert (low, high) == pytest.approx((-0.1195, -0.0032), abs=5e-5)
    assert paired_shares_interval(16, 6, 161, 0.95)[:2] == pytest.approx((-high, -low))
    assert paired_shares_interval(1, 0, 1, 0.99).high == 1


def test_holm() -> None:
    """statsmodels 0.14: multipletests(..., method="holm")."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.2, 0.001, 0.6, 0.0125]) == pytest.approx([0.4, 0.004, 0.6, 0.0375])
    assert holm([0.9, 0.8]).tolist() == [1, 1]
    assert holm([]).tolist() == []


# -- what a comparison makes of it -----------------------------------------------------------------


def _evaluation(scores: Any, scoring: str = "accuracy", right: str | None = None) -> Evaluation:
    """With a test set whose rows were read right (+) or wrong (-), if there is one."""
    folds = tuple(Fit(score, 1.0, 1.0, 80, 20) for score in scores)
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
        differences = three[pair.first].cv_scores - three[pair.second].cv_scores
        t, p_value = corrected_t_test(differences, [80] * 5, [20] * 5)
        assert (pair.folds.t, pair.folds.p_value) == (t, p_value)
        # the interval is the test turned round: 0 is outside where p is below a third of 1 - level
        assert (pair.folds.interval.low > 0) == (p_value < 0.05 / 3)
        assert pair.folds.interval.level == pytest.approx(1 - 0.05 / 3)
        assert pair.folds.effect_size == differences.mean() / differences.std(ddof=1)


def test_each_family_is_corrected_for_itself(three: Comparison) -> None:
    significance = three.significance()
    for family in ("folds", "test"):
        tests = [getattr(pair, family) for pair in significance]
        corrected = [test.holm_p_value for test in tests]
        assert corrected == holm([test.p_value for test in tests]).tolist()
        assert corrected != [test.p_value for test in tests]


def test_the_test_set_is_counted_row_by_row(three: Comparison) -> None:
    pair = three.significance().pairs[1]
    assert (pair.first, pair.second) == ("good", "bad")
    test = pair.test
    assert test is not None
    assert (test.only_first, test.only_second) == (40, 0)
    assert test.difference == three["good"].accuracy - three["bad"].accuracy == 0.4
    assert test.odds_ratio == np.inf
    assert test.interval == paired_shares_interval(40, 0, 100, 1 - (1 - 0.95) / 3)


def test_without_a_test_set_there_is_no_mcnemar() -> None:
    models = {"a": _evaluation((0.9, 0.8, 0.85)), "b": _evaluation((0.7, 0.5, 0.4))}
    assert [pair.test for pair in Comparison(models).significance()] == [None]


def test_verdicts(three: Comparison) -> None:
    significance = three.significance()
    on_folds, on_test_set = significance.verdicts["folds"], significance.verdicts["test"]
    not_shown, shown, _ = on_folds
    pair = significance.pairs[1]
    low, high, *_ = (100 * end for end in pair.folds.interval[:2])
    assert shown == (
        f"good is better than bad by 20.6 points over the 5 folds, simultaneous 95 % interval "
        f"{low:.1f} to {high:.1f} (Holm-corrected p < 0.0001)"
    )
    assert not_shown.startswith(
        "no difference shown between good and between over the 5 folds: good is ahead by 2.4 points"
    )
    assert on_test_set[1].startswith("good is better than bad by 40.0 points on the test")
    assert "equal" not in str(significance)
    assert max(len(line) for line in str(significance).splitlines()) < 80
    told = str(significance).replace("\n  ", " ").splitlines()
    assert told == [
        "Which kind of model reads better, by the folds:",
        *(f"- {sentence}" for sentence in on_folds),
        "",
        "Which of the fitted models reads better, by the test set:",
        *(f"- {sentence}" for sentence in on_test_set),
    ]


@pytest.mark.parametrize(
    ("interval", "p_value", "told"),
    [
        ((0.01, 0.05), 0.01, "x is better than y by 3.0 points there, 95 % interval 1.0 to 5.0 (p"),
        ((-0.01, 0.07), 0.3, "no difference shown between x and y there: x is ahead by 3.0 points"),
        ((-0.01, 0.07), 0.03, "borderline case: the test tells them apart, the interval does not"),
        ((0.01, 0.05), 0.06, "borderline case: the interval tells them apart, the test does not"),
        # rounding moves nothing to or over the limit
        ((0.000002, 0.05), 0.04996, "95 % interval 0.0002 to 5.0000 (p = 0.04996)"),
    ],
)
def test_a_verdict_says_so_where_test_and_interval_disagree(
    interval: Any, p_value: float, told: str
) -> None:
    for names, sign in ((("x", "y"), 1), (("y", "x"), -1)):
        ends = interval if sign == 1 else (-interval[1], -interval[0])
        where, level = "there", 0.95
        said = verdict(names, where, sign * 0.03, ends, level, p_value, in_points=True, n_tests=1)
        assert told in said
        assert ("borderline" in said) == ((p_value < 0.05) != (interval[0] > 0))
        assert ("is better than" in said) == (p_value < 0.05)


def test_no_verdict_of_real_counts_contradicts_its_interval() -> None:
    """Mid-p and Bonett and Price's interval do disagree: 1 row against 7 of 1000, for one."""
    rows = np.zeros(1000, dtype=int)
    borderline = []
    for only_first, only_second in ((1, 7), (0, 5), (6, 16), (5, 9)):
        first, second = rows.copy(), rows.copy()
        second[:only_first] = 1
        first[only_first : only_first + only_second] = 1
        tested = _evaluation((0.9, 0.8, 0.85), right="+")
        models = {
            name: dataclasses.replace(tested, y_test=rows, test_predictions=read)
            for name, read in (("a", first), ("b", second))
        }
        significance = Comparison(models).significance()
        (pair,), (said,) = significance.pairs, significance.verdicts["test"]
        assert pair.test is not None
        excludes_0 = pair.test.interval.high < 0 or pair.test.interval.low > 0
        assert ("b is better" in said) == (pair.test.p_value < 0.05)
        assert ("borderline" in said) == (excludes_0 != ("b is better" in said))
        borderline.append("borderline" in said)
    assert borderline == [True, True, False, False]


def test_the_level_decides_what_is_shown() -> None:
    models = {"a": _evaluation((0.9, 0.8, 0.85, 0.84)), "b": _evaluation((0.8, 0.7, 0.8, 0.82))}
    (pair,) = Comparison(models).significance()
    assert 0.05 < pair.folds.holm_p_value < 0.2
    assert "no difference shown" in Comparison(models).significance().verdicts["folds"][0]
    (said,) = Comparison(models).significance(0.8).verdicts["folds"]
    assert "a is better than b" in said
    assert ", 80 % interval" in said
    assert "Holm" not in said  # one test: nothing to correct
    with pytest.raises(ValueError, match="level must be"):
        Comparison(models).significance(80)


def test_other_scores_are_plain_numbers_and_higher_is_better() -> None:
    worse, better = (-0.52, -0.50, -0.51), (-0.22, -0.21, -0.19)
    rows = "+" * 30
    models = {
        "worse": _evaluation(worse, "neg_log_loss", rows),
        "better": _evaluation(better, "neg_log_loss", rows[:-3] + "---"),
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
    models = {"a": _evaluation((0.5 + ahead, 0.75 + ahead)), "b": _evaluation((0.5, 0.75))}
    comparison = Comparison(models)
    (pair,) = comparison.significance()
    assert (pair.folds.p_value, pair.folds.interval[:2]) == (1.0, (-1.0, 1.0))
    assert np.isnan(pair.folds.t)
    assert np.isnan(pair.folds.effect_size)
    (said,) = comparison.significance().verdicts["folds"]
    assert said.startswith("no difference shown between a and b over the 2 folds: ")
    assert said.endswith("points, and nothing there tells how much of that is chance") == bool(
        ahead
    )


def test_differences_of_bounded_scores_are_bounded() -> None:
    for scoring, bounds in (("roc_auc", (-1, 1)), ("r2", (-math.inf, math.inf))):
        models = {"a": _evaluation((0.5,), scoring), "b": _evaluation((0.5,), scoring)}
        (pair,) = Comparison(models).significance()
        assert pair.folds.interval[:2] == bounds


def test_it_is_plain_data_in_json(three: Comparison) -> None:
    plain = three.significance().to_dict()
    again = json.loads(json.dumps(plain, allow_nan=False))
    assert again == plain
    assert again["pairs"][1]["test"]["odds_ratio"] is None  # 40 to none
    assert again["pairs"][0]["folds"]["interval"]["method"] == "Nadeau-Bengio corrected t"
    assert three.to_dict()["significance"] == plain


def test_one_model_has_nothing_to_be_tested_against() -> None:
    comparison = Comparison({"alone": _evaluation((0.9, 0.8))})
    assert list(comparison.significance()) == []
    assert comparison.significance().verdicts == {}


@pytest.mark.parametrize("width", range(1, 78))
def test_no_line_ends_inside_a_figure(width: int) -> None:
    sentence = f"{'x' * width} 95 % interval 0.1 to 0.2 (Holm-corrected p = 0.0029)"
    lines = listed({"folds": [sentence]}).splitlines()
    assert all(len(line) <= 79 for line in lines)
    assert not [line for line in lines if line.endswith((" p", "(p", "=", "95"))]
    assert " ".join(" ".join(lines[1:]).split()) == f"- {sentence}"
