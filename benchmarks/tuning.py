"""How the settings of recipe="accurate" were chosen: cross-validation on the training digits.

``python -m benchmarks.tuning`` looks at the official 60,000 training digits alone, in five
stratified folds, and prints the mean accuracy of each setting and its standard error over folds.
The network, which takes minutes to train, is trained on the first 50,000 of them and asked about
the last 10,000. The official test digits are not read. It takes some hours.
"""

import argparse
from collections.abc import Iterable, Iterator
from itertools import islice, product
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import PolynomialFeatures

from mnist_models import (
    CleanPaper,
    Deskew,
    HogFeatures,
    LogisticRegression,
    RandomForestClassifier,
    fetch_mnist,
    load_sample_digits,
    make_model,
)
from mnist_models.class_scores import ClassScores
from mnist_models.preprocessing import Standardize

# The accurate network, and what changes when one of its settings does.
_NETWORKS: tuple[dict[str, Any], ...] = (
    {},
    {"bend": 0.4},
    {"erase": 0.0},
    {"epochs": 12},
    {"epochs": 12, "learning_rate": 2e-3},
    {"epochs": 12, "bend": 1.2},
    {"epochs": 12, "shift": 1.0},
    {"epochs": 12, "dropout": 0.3},
    {"epochs": 12, "ema_momentum": 0.0},
)

Trial = tuple[str, Any, list[tuple[str, Any]]]


def main() -> None:
    """Print a line a setting."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tuning", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few settings, on few digits")
    parser.add_argument("--only", choices=("logistic", "forest", "network"))
    options = parser.parse_args()
    if options.quick:
        digits = load_sample_digits().sample(300, random_state=0)
        X, y = digits.data, digits.target
    else:
        X, _, y, _ = fetch_mnist(download_if_missing=False).split("official")
    upright = Deskew().fit_transform(CleanPaper().fit_transform(X))
    for name, trials in (("logistic", _logistic_trials()), ("forest", _forest_trials())):
        if options.only in (None, name):
            for what, features, classifiers in islice(trials, 1 if options.quick else None):
                _print_scores(f"{name}: {what}", features, classifiers, upright, y)
    if options.only in (None, "network"):
        settings = [{"epochs": 1}] if options.quick else _NETWORKS
        _print_networks(X, y, len(X) * 5 // 6, settings)


def _print_networks(
    X: np.ndarray, y: np.ndarray, n: int, settings: Iterable[dict[str, Any]]
) -> None:
    for changed in settings:
        network = make_model("network", recipe="accurate", random_state=0, **changed)
        shares = network.fit(X[:n], y[:n]).predict_proba(X[n:])
        errors = (network.classes_[shares.argmax(axis=1)] != y[n:]).sum()
        what = f"network: {changed or 'as it is'}"
        loss = log_loss(y[n:], shares, labels=network.classes_)
        print(f"{what}: {errors} of {len(X) - n} misread, log-loss {loss:.5f}", flush=True)


def _logistic_trials() -> Iterator[Trial]:
    for cell_size, n_components, power in product((7, 9), (50, 80), (0.6, 1.0)):
        steps = [
            ("hog", HogFeatures(cell_size=cell_size)),
            ("pca", PCA(n_components)),
            ("products", PolynomialFeatures(2, include_bias=False)),
            ("standardize", Standardize(power=power)),
        ]
        what = f"cells of {cell_size}, {n_components} components, power {power}"
        classifiers = [(f"C={C}", LogisticRegression(C=C)) for C in (0.03, 0.4)]
        yield what, Pipeline(steps), classifiers


def _forest_trials() -> Iterator[Trial]:
    classifiers = [("300 trees", RandomForestClassifier(300, n_jobs=2, random_state=0))]
    hog = ("hog", HogFeatures(cell_size=9, dtype="uint8"))
    yield "no scores", Pipeline([hog]), classifiers
    for explained, penalty in ((0.95, 0.03), (0.9, 0.03), (0.95, 0.3)):
        scores = ClassScores(explained=explained, penalty=penalty)
        yield repr(scores), Pipeline([hog, ("scores", scores)]), classifiers


def _print_scores(
    what: str, features: Any, classifiers: list[tuple[str, Any]], X: np.ndarray, y: np.ndarray
) -> None:
    scores: dict[str, list[float]] = {name: [] for name, _ in classifiers}
    for train, test in StratifiedKFold(5, shuffle=True, random_state=0).split(X, y):
        X_train, X_test = features.fit_transform(X[train], y[train]), features.transform(X[test])
        for name, classifier in classifiers:
            scores[name].append(classifier.fit(X_train, y[train]).score(X_test, y[test]))
    for name, found in scores.items():
        error = np.std(found, ddof=1) / np.sqrt(len(found))
        print(f"{what}, {name}: {np.mean(found):.4%} ± {error:.4%}", flush=True)


if __name__ == "__main__":
    main()
