"""A fit that is interrupted, at whatever line, has not been."""

import linecache
import sys
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from threadpoolctl import threadpool_info

import mnist_models
from mnist_models import (
    Deskew,
    HogFeatures,
    LogisticRegression,
    RandomForestClassifier,
    SequentialClassifier,
    load_sample_digits,
)
from mnist_models.class_scores import ClassScores
from mnist_models.preprocessing import Standardize

from .conftest import quick_model

_PACKAGE = str(Path(mnist_models.__file__).parent)

Table = tuple[NDArray[Any], NDArray[Any]]

ESTIMATORS = {
    "logistic": LogisticRegression(),
    "logistic, by scikit-learn": LogisticRegression(solver="newton-cg", tol=0.1),
    "forest": RandomForestClassifier(3, random_state=0),
    "forest, out of bag": RandomForestClassifier(3, random_state=0, oob_score=True),
    "network": SequentialClassifier((4,), epochs=1, batch_size=128, random_state=0),
    "standardize": Standardize(),
    "deskew": Deskew(),
    "hog": HogFeatures(),
    "scores": ClassScores(explained=0.5),
}
every_estimator = pytest.mark.parametrize(
    "kind",
    [pytest.param(k, marks=pytest.mark.slow if k == "network" else ()) for k in ESTIMATORS],
)


def _old() -> Table:
    digits = load_sample_digits().sample(60, random_state=0)
    return digits.data, digits.target % 2


def _new() -> Table:
    """Of another width, and of other classes; as many as our solver and our trees take."""
    digits = load_sample_digits().sample(700, random_state=1)
    return np.ascontiguousarray(digits.images[:, 8:-8, 8:-8]).reshape(700, -1), digits.target % 3


@pytest.fixture
def n_instants(pytestconfig: pytest.Config) -> int:
    """In which to interrupt a fit."""
    return 100 if pytestconfig.getoption("--slow") else 4


@contextmanager
def interrupted(
    error: type[BaseException], at: float, functions: Container[str] | None = None
) -> Iterator[list[int]]:
    """Raise when the package runs its ``at``-th line; the list says how many were run.

    With ``functions``, only their lines count. Lines with ``with`` or ``try`` do not: no Ctrl-C can
    strike there, and the block around it would not be left.
    """
    n_lines = [0]

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        code = frame.f_code
        if not code.co_filename.startswith(_PACKAGE):
            return None
        if functions is not None and code.co_name not in functions:
            return trace
        line = linecache.getline(code.co_filename, frame.f_lineno)
        if event == "line" and not line.lstrip().startswith(("with ", "try:")):
            n_lines[0] += 1
            if n_lines[0] == at:
                raise error
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield n_lines
    finally:
        sys.settrace(before)


def _instants(fit: Callable[[], object], n: int) -> list[int]:
    """Some lines of a fit, from the first to the last."""
    fit()  # the first has more to do
    with interrupted(KeyboardInterrupt, np.inf) as n_lines:
        fit()
    return sorted(set(np.linspace(1, n_lines[0], n, dtype=int).tolist()))


def _results(estimator: Any, X: NDArray[Any]) -> NDArray[Any]:
    ask = getattr(estimator, "predict_proba", None) or estimator.transform
    answer: NDArray[Any] = ask(X)
    return answer


def _blas_threads() -> list[int]:
    return [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]


@pytest.mark.filterwarnings("ignore:Some inputs do not have OOB scores:UserWarning")
@every_estimator
def test_an_interrupted_first_fit_leaves_nothing(kind: str, n_instants: int) -> None:
    new = _new()
    instants = _instants(lambda: clone(ESTIMATORS[kind]).fit(*new), n_instants)
    before, n_ended = _blas_threads(), 0
    for number, line in enumerate(instants):
        fresh = clone(ESTIMATORS[kind])
        settings = dict(vars(fresh))
        try:
            with interrupted((KeyboardInterrupt, MemoryError)[number % 2], line):
                fresh.fit(*new)
        except (KeyboardInterrupt, MemoryError):
            n_ended += 1
        assert _blas_threads() == before
        if vars(fresh) != settings:  # it had come to its end
            assert _results(fresh, new[0]).shape[0] == len(new[0])
        elif hasattr(fresh, "predict"):
            with pytest.raises(NotFittedError):
                fresh.predict(new[0])
    assert n_ended >= len(instants) // 2


@pytest.mark.filterwarnings("ignore:Some inputs do not have OOB scores:UserWarning")
@every_estimator
def test_an_interrupted_further_fit_leaves_the_one_before(kind: str, n_instants: int) -> None:
    old, new = _old(), _new()
    fitted = clone(ESTIMATORS[kind]).fit(*old)
    attributes, answers = dict(vars(fitted)), _results(fitted, old[0])
    instants = _instants(lambda: clone(ESTIMATORS[kind]).fit(*new), n_instants)
    n_kept = 0
    for line in instants:
        try:
            with interrupted(KeyboardInterrupt, line):
                fitted.fit(*new)
        except KeyboardInterrupt:
            if fitted.n_features_in_ == old[0].shape[1]:
                n_kept += 1
                assert vars(fitted) == attributes
                np.testing.assert_array_equal(_results(fitted, old[0]), answers)
                continue
        # it had come to its end
        expected = clone(ESTIMATORS[kind]).fit(*new)
        np.testing.assert_array_equal(_results(fitted, new[0]), _results(expected, new[0]))
        vars(fitted).clear()
        vars(fitted).update(attributes)
    assert n_kept >= len(instants) // 2


def test_blas_gets_its_threads_back_at_whatever_line_a_fit_ends() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(6000, 100)), rng.integers(3, size=6000)  # enough for several threads
    model, before = LogisticRegression(max_iter=1, tol=1e6), _blas_threads()
    limiting = {"enter", "leave", "row_threads", "_set_blas_threads", "_blas_threads"}
    with interrupted(KeyboardInterrupt, np.inf, limiting) as n_lines:
        model.fit(X, y)
    assert n_lines[0] > 15
    for line in range(1, n_lines[0] + 1):
        with pytest.raises(KeyboardInterrupt), interrupted(KeyboardInterrupt, line, limiting):
            model.fit(X, y)
        assert _blas_threads() == before, line


def test_an_interrupted_warm_start_leaves_the_trees_before() -> None:
    X, y = _old()
    forest = RandomForestClassifier(3, warm_start=True, random_state=0).fit(X, y)
    trees = list(forest.estimators_)
    forest.set_params(n_estimators=5, oob_score="accuracy")  # which fails, once they have grown
    with pytest.raises(ValueError, match="oob_score"):
        forest.fit(X, y)
    assert forest.estimators_ == trees


@pytest.mark.parametrize("hook", ["on_train_batch_end", "on_epoch_end"])
def test_an_error_in_a_callback_leaves_the_network_before(hook: str) -> None:
    old, new = _old(), _new()
    network = clone(ESTIMATORS["network"]).fit(*old)
    attributes, answers = dict(vars(network)), _results(network, old[0])
    network.set_params(callbacks=lambda: [_callback(hook)])
    with pytest.raises(RuntimeError, match="enough"):
        network.fit(*new)
    network.set_params(callbacks=None)
    assert vars(network) == attributes
    np.testing.assert_array_equal(_results(network, old[0]), answers)


def _callback(hook: str) -> Any:
    import keras

    def stop(*arguments: object, **named: object) -> None:
        raise RuntimeError("enough")

    return keras.callbacks.LambdaCallback(**{hook: stop})


def test_a_pipeline_whose_first_fit_is_interrupted_is_unfitted() -> None:
    X, y = _old()
    model = quick_model("forest")
    for line in _instants(lambda: clone(model).fit(X, y), 5)[1:-1]:
        with interrupted(KeyboardInterrupt, line), pytest.raises(KeyboardInterrupt):
            model.fit(X, y)
        with pytest.raises(NotFittedError):
            model.predict(X)


@pytest.mark.parametrize(
    ("kind", "spoilt"),
    [
        ("logistic", (np.zeros((3, 5)), [0, 0, 0])),
        ("forest", (np.full((3, 5), np.inf), [0, 1, 0])),
        ("network", (np.zeros((3, 5)), [0, 0, 0])),
        ("standardize", (np.array([[1e300], [0.0]]), None)),
        ("deskew", (np.zeros((3, 5)), None)),
        ("hog", (np.zeros((3, 5)), None)),
        ("scores", (np.full((3, 5), 1e300), [0, 1, 0])),
    ],
)
def test_data_that_are_refused_leave_the_fit_before(kind: str, spoilt: Any) -> None:
    X, y = _old()
    fitted = clone(ESTIMATORS[kind]).fit(X, y)
    attributes, answers = dict(vars(fitted)), _results(fitted, X)
    with pytest.raises(ValueError, match=r"X|class"):
        fitted.fit(*spoilt)
    assert vars(fitted) == attributes
    np.testing.assert_array_equal(_results(fitted, X), answers)
