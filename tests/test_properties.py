"""Whatever goes in: probabilities come out, or a ValueError; and the input stays as it was."""

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mnist_models import evaluate

from .conftest import quick_model

_DTYPES = ["uint8", "int16", "int64", "float16", "float32", "float64", ">f4", ">i2", "bool"]
_LABELS: list[Any] = [
    np.array([0, 1, 2]),
    np.array([-5, 0, 7]),
    np.array(["one", "two", "three"]),
    np.array(["one", "two", "three"], dtype=object),
    np.array([False, True]),
    np.array([250, 251, 252], dtype=np.uint8),
    np.array([1.0, 2.0]),
]


@st.composite
def problems(draw: st.DrawFn) -> tuple[NDArray[Any], NDArray[Any]]:
    """Rows of any numeric type and memory order, and labels of any kind for them."""
    n, d = draw(st.integers(1, 30)), draw(st.integers(1, 12))
    shape = draw(st.sampled_from([(n, d)] * 8 + [(n,), (n, d, 2), (n, 0)]))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    largest = draw(st.sampled_from([1, 255, 1e4, 1e30, 1e300]))
    dtype = np.dtype(draw(st.sampled_from(_DTYPES)))
    with np.errstate(all="ignore"):
        X = (generator.random(shape) * largest).astype(dtype)
    if draw(st.booleans()):
        X[..., :1] = X.ravel()[:1]  # a constant pixel
    if dtype.kind == "f" and X.size:
        X.flat[0] = draw(st.sampled_from([X.flat[0]] * 8 + [np.nan, np.inf, -np.inf]))
    X = draw(
        st.sampled_from(
            [X, np.asfortranarray(X), X[::-1], X[..., ::-1], X.repeat(2, axis=-1)[..., ::2]]
        )
    )
    X.flags.writeable = draw(st.booleans())
    classes = draw(st.sampled_from(_LABELS))
    n_classes = draw(st.sampled_from([len(classes)] * 4 + [1]))
    return X, classes[generator.integers(n_classes, size=n)]


def _is_sound(X: NDArray[Any], y: NDArray[Any]) -> bool:
    """What no model has a reason to refuse."""
    two_dimensions = X.ndim == 2 and X.size > 0
    # NaN is below nothing
    return two_dimensions and bool(np.abs(X.astype(float)).max() < 1e6) and len(set(y)) >= 2


@pytest.mark.filterwarnings("ignore:lbfgs failed to converge")  # features of 1e300 beside others
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(name=st.sampled_from(["logistic", "forest"]), problem=problems())
def test_probabilities_or_a_valueerror(
    name: str, problem: tuple[NDArray[Any], NDArray[Any]]
) -> None:
    """Not of the network, which takes seconds to train: see test_odd_input."""
    X, y = problem
    X_before, y_before = X.copy(), y.copy()
    model = quick_model(name)
    try:
        probabilities = model.fit(X, y).predict_proba(X)
    except ValueError as error:
        assert not _is_sound(X, y)
        assert re.search(r"\bX\b|\by\b|class|array|feature|sample", str(error))  # noqa: PT017
    else:
        assert probabilities.shape == (len(X), len(np.unique(y)))
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
        assert (probabilities >= 0).all()
        assert set(model.predict(X)) <= set(y)
    np.testing.assert_array_equal(X, X_before)
    np.testing.assert_array_equal(y, y_before)


@st.composite
def divided(draw: st.DrawFn) -> tuple[NDArray[Any], NDArray[Any], int]:
    """A sound problem of few rows, and a number of folds that may be too large for it."""
    n, n_classes = draw(st.integers(1, 12)), draw(st.integers(1, 3))
    classes = draw(st.sampled_from(_LABELS))[:n_classes]
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    y = classes[generator.integers(len(classes), size=n)]
    return generator.integers(0, 256, (n, 4)).astype(np.uint8), y, draw(st.integers(1, 6))


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(problem=divided())
def test_folds_are_made_or_a_valueerror(problem: tuple[NDArray[Any], NDArray[Any], int]) -> None:
    X, y, cv = problem
    checks = ("few-rows", "class-missing", "duplicate-rows", "many-classes")
    model = quick_model("forest", n_estimators=2)
    try:
        evaluation = evaluate(model, X, y, cv=cv, ignore=checks)
    except ValueError as error:
        assert cv < 2 or cv > np.unique(y, return_counts=True)[1].max()
        assert re.search(r"n_splits|k-fold|cv", str(error))  # noqa: PT017
        return
    assert len(evaluation.folds) == cv
    assert evaluation.out_of_fold.shape == y.shape
    assert evaluation.probabilities is not None
    np.testing.assert_allclose(evaluation.probabilities.sum(axis=1), 1, atol=1e-6)
    assert 0 <= evaluation.accuracy <= 1
