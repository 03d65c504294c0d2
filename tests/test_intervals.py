"""Confidence intervals: against published and reference numbers, and that they cover the truth."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import make_classification
from sklearn.neighbors import KNeighborsClassifier

from mnist_models import Evaluation, Fit, evaluate
from mnist_models._results.intervals import corrected_error, t_interval, wilson_interval


@pytest.mark.parametrize(
    ("n_right", "n", "level", "low", "high"),
    [
        # R. G. Newcombe, Statistics in Medicine 17, 1998, pages 857-872, table I, method 3
        (81, 263, 0.95, 0.2553, 0.3662),
        (15, 148, 0.95, 0.0624, 0.1605),
        (0, 20, 0.95, 0.0000, 0.1611),
        (1, 29, 0.95, 0.0061, 0.1718),
        # statsmodels 0.14: proportion_confint(348, 360, 0.05 and 0.1, method="wilson")
        (348, 360, 0.95, 0.9426, 0.9808),
        (348, 360, 0.90, 0.9473, 0.9791),
    ],
)
def test_wilson(n_right: int, n: int, level: float, low: float, high: float) -> None:
    interval = wilson_interval(n_right, n, level)
    assert interval[:2] == pytest.approx((low, high), abs=5e-5)
    mirrored = wilson_interval(n - n_right, n, level)
    assert mirrored[:2] == pytest.approx((1 - interval.high, 1 - interval.low))


def test_wilson_covers_the_truth_as_often_as_it_says() -> None:
    """Summed over every outcome of 200 rows, for models that are right 90 to 99 % of the time."""
    intervals = np.array([wilson_interval(right, 200, 0.95)[:2] for right in range(201)])
    shares = np.linspace(0.9, 0.99, 30)
    covered = [
        stats.binom(200, share)
        .pmf(np.arange(201))[(intervals[:, 0] <= share) & (share <= intervals[:, 1])]
        .sum()
        for share in shares
    ]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.01)


def test_the_corrected_error() -> None:
    # 0.1, 0, 0.1, 0.2: variance 0.02/3; 1/4 + 20/80 = 1/2
    error = corrected_error([0.1, 0.0, 0.1, 0.2], [80] * 4, [20] * 4)
    assert error == pytest.approx(np.sqrt(0.02 / 3 / 2))
    low, high, *_ = t_interval(0.1, error, 4, 0.95)
    # t with 3 degrees of freedom, from any table: 3.182
    assert (low, high) == pytest.approx((0.1 - 3.182 * error, 0.1 + 3.182 * error), abs=1e-4)


@pytest.mark.parametrize(
    "values", [[0.9], [0.9, 0.9, 0.9], [0.9 - 0.8, 0.8 - 0.7, 0.7 - 0.6], [0.9, np.nan]], ids=str
)
def test_folds_that_do_not_vary_do_not_pass_for_certainty(values: list[float]) -> None:
    error = corrected_error(values, [80] * len(values), [20] * len(values))
    assert np.isnan(error)
    interval = t_interval(0.9, error, len(values), 0.95, (0.0, 1.0))
    assert (interval.low, interval.high, interval.is_known) == (0.0, 1.0, False)


def _evaluation(right: str, scores: Any, scoring: str = "accuracy") -> Evaluation:
    """Of rows that were read right (+) or wrong (-), in folds of equal size."""
    y = np.zeros(len(right), dtype=int)
    read = np.array([0 if mark == "+" else 1 for mark in right])
    n_test = len(right) // len(scores)
    folds = tuple(Fit(score, 1.0, 1.0, len(right) - n_test, n_test) for score in scores)
    return Evaluation("model", scoring, np.array([0, 1]), y, read, folds)


def test_on_a_test_set_it_is_wilsons() -> None:
    evaluation = dataclasses.replace(
        _evaluation("++-+", (1.0, 0.5)),
        y_test=np.zeros(20, dtype=int),
        test_predictions=np.ones(20, dtype=int),
        test=Fit(0.0, 1.0, 1.0, 4, 20),
    )
    interval = evaluation.confidence_interval()
    assert interval == wilson_interval(0, 20, 0.95)
    assert evaluation.confidence_interval(0.9).high < interval.high


def test_out_of_fold_it_is_corrected_for_the_overlap() -> None:
    evaluation = _evaluation("++++-++++++-+-++++++", (0.8, 0.8, 0.8, 1.0))
    low, high, _, method = evaluation.confidence_interval()
    assert (low, high) == pytest.approx(evaluation.cv_confidence_interval()[:2])
    assert method == "Nadeau-Bengio corrected t"
    # variance 0.01; 1/4 + 5/15 = 7/12; 3.182 from a table of t with 3 degrees of freedom
    assert low == pytest.approx(0.85 - 3.182 * np.sqrt(0.01 * 7 / 12), abs=1e-4)
    assert high == 1


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


def test_out_of_fold_where_the_folds_do_not_tell_it_is_wilsons_and_says_so() -> None:
    evaluation = _evaluation("++++++++", (1.0, 1.0))
    assert not evaluation.cv_confidence_interval().is_known
    low, high, _, method = evaluation.confidence_interval()
    assert (low, high) == wilson_interval(8, 8, 0.95)[:2]
    assert low < 0.7
    assert method == "Wilson score, over rows that several fits predicted"
    assert "out-of-fold accuracy: 1.0000, 95 % interval 0.6756 to 1.0000" in str(evaluation)


@pytest.mark.parametrize(
    ("scoring", "scores", "bounds"),
    [
        ("accuracy", (0.0, 1.0), (0, 1)),
        ("roc_auc_ovr_weighted", (0.9, 0.99), (0, 1)),
        ("average_precision", (0.01, 0.1), (0, 1)),
        ("matthews_corrcoef", (-0.9, 0.9), (-1, 1)),
        ("neg_log_loss", (-0.1, -0.9), (None, 0)),
        ("r2", (0.1, 0.99), (None, None)),
        ("recall_per_minute", (0.1, 1.5), (None, None)),  # by its name a share, but it is not
        ("my_score", (0.0, 1.0), (None, None)),
    ],
)
def test_intervals_end_where_a_score_does_if_that_is_known(
    scoring: str, scores: Any, bounds: Any
) -> None:
    interval = _evaluation("+-", scores, scoring).cv_confidence_interval()
    error = corrected_error(scores, [1, 1], [1, 1])
    free = t_interval(float(np.mean(scores)), error, 2, 0.95)
    for end, beyond, bound in zip(interval[:2], free[:2], bounds, strict=True):
        assert end == (beyond if bound is None else bound)


def test_a_fold_without_a_score_leaves_a_share_a_share() -> None:
    assert _evaluation("++", (0.5, np.nan)).is_share


@pytest.mark.parametrize("level", [0, 1, 95, -0.1, np.nan])
def test_a_level_is_a_share(level: float) -> None:
    evaluation = _evaluation("+-", (0.0, 1.0))
    with pytest.raises(ValueError, match=r"level must be above 0 and below 1.*Got "):
        evaluation.confidence_interval(level)
    with pytest.raises(ValueError, match="level must be"):
        evaluation.cv_confidence_interval(level)
