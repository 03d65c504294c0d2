"""Logistic regression, against scikit-learn's solvers and Intel's, with the objectives reached."""

import time
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
from sklearn import linear_model
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.digits import shifted, training_digits
from benchmarks.measure import Row, alternate
from mnist_models import LogisticRegression
from mnist_models.preprocessing import Standardize

_SIZES = (100, 200, 400, 780, 790, 1_500, 3_000, 6_000, 12_000, 25_000, 50_000, 100_000)


def rows(quick: bool) -> Iterator[Row]:
    """Ours with its defaults, against each peer with a few settings, and by the number of rows."""
    X, y = training_digits(quick)
    yield from _by_size(*shifted(X, y, 150 if quick else max(_SIZES)), 1 if quick else 3)
    X32 = Standardize().fit_transform(X)
    repeats = 1 if quick else 3
    note = _note_on(X32, y)

    tutorial = lambda **params: make_pipeline(  # noqa: E731
        StandardScaler(), linear_model.LogisticRegression(**params)
    )
    yield alternate(
        f"scale and fit {len(X):,} digits (v. StandardScaler and LogisticRegression, float64)",
        _fit(make_pipeline(Standardize(), LogisticRegression()), X, y),
        _fit(tutorial(), X, y),
        repeats,
        note,
    )
    yield alternate(
        "the same, ours stopped where the tutorial's objective is passed (max_iter=24)",
        _fit(make_pipeline(Standardize(), LogisticRegression(max_iter=24)), X, y),
        _fit(tutorial(), X, y),
        repeats,
        note,
    )
    fit_ours = _fit(make_pipeline(LogisticRegression()), X32, y)
    peers = {
        "scikit-learn, float32": linear_model.LogisticRegression(),
        "scikit-learn, float32, converged": linear_model.LogisticRegression(max_iter=1000),
    }
    if find_spec("sklearnex"):
        peers["scikit-learn-intelex"] = _intelex(max_iter=100)
        peers["scikit-learn-intelex, until its objective is as low"] = _intelex(max_iter=300)
    for name, peer in peers.items():
        yield alternate(
            f"fit {len(X):,} standardized digits (v. {name})",
            fit_ours,
            _fit(make_pipeline(peer), X32, y),
            repeats,
            note,
        )


def _by_size(X: np.ndarray, y: np.ndarray, repeats: int) -> Iterator[Row]:
    for n in [size for size in _SIZES if size <= len(X)]:
        X32, y_n = Standardize().fit_transform(X[:n]), y[:n]
        yield alternate(
            f"fit {n:,} standardized digits (v. scikit-learn)",
            _fit(make_pipeline(LogisticRegression()), X32, y_n),
            _fit(make_pipeline(linear_model.LogisticRegression()), X32, y_n),
            repeats if n < 10_000 else 1,
            _note_on(X32, y_n),
        )


def _note_on(X: np.ndarray, y: np.ndarray) -> Callable[[Any, Any], str]:
    def note(ours: Any, theirs: Any) -> str:
        a, b = (objective(model[-1], X, y) for model, _ in (ours, theirs))
        return f"objective {a:.5f} v. {b:.5f}; CPU {ours[1]:.3g} v. {theirs[1]:.3g} s"

    return note


def objective(model: Any, X: np.ndarray, y: np.ndarray) -> float:
    """What scikit-learn's documentation says is minimized, over n, in float64."""
    coef = model.coef_.astype(np.float64)
    scores = np.concatenate(
        [block.astype(np.float64) @ coef.T for block in np.array_split(X, 20)]
    ) + model.intercept_.astype(np.float64)
    scores -= scores.max(axis=1, keepdims=True)
    shares = np.exp(scores)
    shares /= shares.sum(axis=1, keepdims=True)
    return float(log_loss(y, shares) + 0.5 / (model.C * len(X)) * np.square(coef).sum())


def _fit(model: Any, X: np.ndarray, y: np.ndarray) -> Callable[[], object]:
    def fit() -> object:
        start = time.process_time()
        with warnings.catch_warnings():  # not to converge is what the tutorial's defaults do
            warnings.simplefilter("ignore", ConvergenceWarning)
            return model.fit(X, y), time.process_time() - start

    return fit


def _intelex(**params: Any) -> Any:
    from sklearnex.linear_model import LogisticRegression as Intel

    return Intel(**params)
