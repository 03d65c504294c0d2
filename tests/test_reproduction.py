"""The claims of the original report, paired with what is measured."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from mnist_models import MODEL_NAMES, Comparison, Evaluation, Fit, fetch_mnist, make_model
from mnist_models.reproduction import Claim, Reproduction, check_claims, read_claims


def _evaluation(name: str, n_wrong: int) -> Evaluation:
    """A test set with the claimed supports, the first rows of every class read wrong."""
    supports = [1343, 1600, 1380, 1433, 1295, 1273, 1396, 1503, 1357, 1420]
    y_test = np.repeat(np.arange(10), supports)
    predicted = y_test.copy()
    starts = np.cumsum([0, *supports[:-1]])
    for start in starts:
        predicted[start : start + n_wrong] = (y_test[start] + 1) % 10
    history = {
        "val_cross_entropy": [0.3, 0.2, 0.25],
        "accuracy": [0.5, 0.945, 0.99],
        "val_accuracy": [0.5, 0.941, 0.99],
    }
    fits = tuple(Fit(score, 1, 1, 4, 1) for score in (0.96, 0.97))
    test = Fit(1.0, 1, 1, 5, 14_000, history, best_epoch=1)
    y = np.arange(10)
    return Evaluation(name, "accuracy", y, y, y, fits, y_test, predicted, test)


def _reproduction(n_wrong: int) -> Reproduction:
    names = ("logistic", "forest", "network")
    comparison = Comparison({name: _evaluation(name, n_wrong) for name in names})
    return Reproduction(comparison, tuple(check_claims(read_claims(), comparison)))


def test_every_number_is_paired() -> None:
    claims = _reproduction(0).claims
    # two models with two accuracies and a report of 12 rows and 4 columns, a network with three
    assert len(claims) == 2 * (2 + 12 * 4) + 3
    by_name = {(claim.model, claim.what, claim.column): claim for claim in claims}
    cell = by_name["logistic", "5", "recall"]
    assert (cell.claimed, cell.measured) == (0.88, 1.0)
    assert by_name["forest", "CV accuracy", ""].measured == pytest.approx(0.965)
    assert by_name["network", "train accuracy", ""].measured == 0.945  # of the epoch kept
    assert by_name["network", "validation accuracy", ""].measured == 0.941


def test_the_text_says_what_is_met_and_what_is_missed() -> None:
    assert _reproduction(0).missed == []
    assert "0.94-0.95 / 0.94" in str(_reproduction(0))
    assert (
        "All 103 claims of the original report are met: no number is more than 0.01 below"
        in str(_reproduction(0))
    )
    bad = _reproduction(300)
    assert bad.missed
    assert "Missed: logistic 0 recall: the original report claims 0.96, measured 0.7766." in str(
        bad
    )
    assert "0.96 / 0.78 !" in str(bad)
    assert json.loads(json.dumps(bad.to_dict()))["claims"][0]["met"] is True


@pytest.mark.parametrize(
    ("claimed", "measured", "met"),
    [(0.96, 0.96, True), (0.96, 0.95, True), (0.96, 0.9499, False), (0.96, 1.0, True)],
)
def test_a_claim_is_met_down_to_a_hundredth_below(
    claimed: float, measured: float, met: bool
) -> None:
    claim = Claim("forest", "3", "recall", claimed, measured)
    assert claim.met is met
    support = dataclasses.replace(claim, column="support", claimed=10, measured=11)
    assert not support.met


@pytest.mark.slow
@pytest.mark.parametrize("name", MODEL_NAMES)
def test_real_digits_are_read(name: str, mnist_folder: Path, empty_cache: Path) -> None:
    """A little of MNIST through each model as it is, some seconds' worth."""
    mnist = fetch_mnist(data_home=mnist_folder).sample(3000, random_state=0)
    X_train, X_test, y_train, y_test = mnist.split("classic")
    model = make_model(name, random_state=0).fit(X_train, y_train)
    assert model.score(X_test, y_test) > {"logistic": 0.83, "forest": 0.90, "network": 0.86}[name]
