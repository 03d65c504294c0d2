"""The random forest, against scikit-learn's, Intel's and Yggdrasil's."""

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
from sklearn import ensemble

from benchmarks.digits import training_digits
from benchmarks.measure import COMPILING, Cost, Row, alternate, cost_of_call
from mnist_models import RandomForestClassifier
from mnist_models.preprocessing import Standardize

_PARAMS: dict[str, Any] = {"n_jobs": 2, "random_state": 0}


def rows(quick: bool) -> Iterator[Row]:
    """100 trees on two threads; one row's probabilities."""
    X, y = training_digits(quick)
    for pixels in (X, Standardize().fit_transform(X)):
        RandomForestClassifier(1).fit(pixels[:500], y[:500])  # load what was compiled
        yield alternate(
            f"fit 100 trees on {len(X):,} digits, {pixels.dtype}, 2 threads (v. scikit-learn)",
            _fit(RandomForestClassifier(**_PARAMS), pixels, y),
            _fit(ensemble.RandomForestClassifier(**_PARAMS), pixels, y),
            1 if quick else 3,
        )
    ours = RandomForestClassifier(**_PARAMS)
    fit_ours = _fit(ours, X, y)
    for name, package, fit_theirs in (
        ("scikit-learn-intelex", "sklearnex", _intelex),
        ("ydf", "ydf", _ydf),
    ):
        if find_spec(package):
            what = f"fit 100 trees on {len(X):,} digits, 2 threads (v. {name})"
            yield alternate(what, fit_ours, fit_theirs(X, y), 1)
    theirs = ensemble.RandomForestClassifier(random_state=0).fit(X, y)
    ours = RandomForestClassifier(random_state=0).fit(X, y)
    for n, repeats in ((1, 51), (100, 51), (14_000, 5)):
        yield alternate(
            f"100 trees' probabilities of {n:,} rows (v. scikit-learn)",
            lambda n=n: ours.predict_proba(X[:n]),  # type: ignore[misc]
            lambda n=n: theirs.predict_proba(X[:n]),  # type: ignore[misc]
            1 if quick else repeats,
        )


def costs(quick: bool) -> Iterator[Cost]:
    """The peak memory of a fit, ours and scikit-learn's; and compiling."""
    n = 600 if quick else 56_000
    prepare = (
        "from benchmarks.digits import training_digits\n"
        "from mnist_models import RandomForestClassifier; from sklearn import ensemble\n"
        f"X, y = training_digits({quick}); params = {_PARAMS}\n"
    )
    scale = "from mnist_models.preprocessing import Standardize; X = Standardize().fit_transform(X)"
    for what, more in (("uint8", ""), ("float32", scale)):
        for whose, name in (("ours", ""), ("scikit-learn's", "ensemble.")):
            yield cost_of_call(
                f"fit 100 trees on {n:,} digits, {what}, {whose}",
                prepare + more,
                f"{name}RandomForestClassifier(**params).fit(X, y)",
            )
    yield cost_of_call(
        "the very first fit of a forest: compiling",
        COMPILING + prepare,
        "RandomForestClassifier(1).fit(X[:500], y[:500])",
    )


def _fit(model: Any, X: np.ndarray, y: np.ndarray) -> Callable[[], object]:
    return lambda: model.fit(X, y)


def _intelex(X: np.ndarray, y: np.ndarray) -> Callable[[], object]:
    from sklearnex.ensemble import RandomForestClassifier as Intel

    return _fit(Intel(**_PARAMS), X.astype(np.float32), y)


def _ydf(X: np.ndarray, y: np.ndarray) -> Callable[[], object]:
    import ydf

    ydf.verbose(0)
    learner = ydf.RandomForestLearner(
        label="y", num_trees=100, num_threads=2, compute_oob_performances=False, max_depth=-1,
        min_examples=1,
    )  # fmt: skip
    data = {"X": X.astype(np.float32), "y": y}
    return lambda: learner.train(data)
