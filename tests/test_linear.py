"""LogisticRegression: scikit-learn's optimum, whoever finds it."""

import pickle
import tracemalloc
import warnings
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import logsumexp
from sklearn import clone, config_context, linear_model
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_info, threadpool_limits

from mnist_models import LogisticRegression, load_sample_digits

Problem = tuple[NDArray[Any], NDArray[Any]]

KINDS = (
    "plain",
    "ill-conditioned",
    "constant columns",
    "collinear columns",
    "badly scaled",
    "large means",
    "separable",
    "heavy tails",
    "mostly zeros",
    "noise",
    "rare class",
    "tiny",
)


def make_problem(kind: str, n_classes: int = 3, seed: int = 0) -> Problem:
    rng = np.random.default_rng(seed)
    n, d = (12, 5) if kind == "tiny" else (300, 12)
    X = rng.normal(size=(n, d))
    scores = X @ rng.normal(size=(d, n_classes))
    y = (scores + 2 * rng.gumbel(size=scores.shape)).argmax(axis=1)
    if kind == "ill-conditioned":
        X = X @ (np.linalg.qr(rng.normal(size=(d, d)))[0] * np.logspace(0, -4, d))
    elif kind == "constant columns":
        X[:, 0], X[:, 1] = 5, 0
    elif kind == "collinear columns":
        X[:, 0], X[:, 3] = X[:, 1] + X[:, 2], X[:, 4]
    elif kind == "badly scaled":
        X = X * np.logspace(-6, 6, d)
    elif kind == "large means":
        X = X + 100 * rng.normal(size=d)
    elif kind == "heavy tails":
        X = X * np.exp(2 * rng.normal(size=X.shape))
    elif kind == "mostly zeros":
        X = X * (rng.random(X.shape) < 0.05)
    elif kind == "noise":
        y = rng.integers(n_classes, size=n)
    elif kind == "rare class":
        y = np.where((y == n_classes - 1) & (rng.random(n) < 0.95), 0, y)
    if kind == "separable":
        y = scores.argmax(axis=1)
    y[:n_classes] = np.arange(n_classes)
    if kind == "separable":  # every class is its own side of some plane
        X = X + 20 * np.eye(n_classes, d)[y]
    return X, y


def objective(model: Any, X: Any, y: Any, weight: Any = None) -> float:
    """scikit-learn's: mean weighted loss, and the penalty over C and the sum of weights."""
    weight = np.ones(len(y)) if weight is None else np.asarray(weight, dtype=np.float64)
    coef = model.coef_.astype(np.float64)
    logits = np.asarray(X, dtype=np.float64) @ coef.T + model.intercept_.astype(np.float64)
    if len(model.classes_) == 2:
        logits = np.column_stack([np.zeros(len(logits)), logits])
    own = logits[np.arange(len(y)), np.searchsorted(model.classes_, y)]
    losses = logsumexp(logits, axis=1) - own
    return float((weight @ losses + 0.5 / model.C * np.vdot(coef, coef)) / weight.sum())


def reference(X: Any, y: Any, weight: Any = None, **params: Any) -> Any:
    """scikit-learn's Newton solver in float64, until nothing moves."""
    model = linear_model.LogisticRegression(
        solver="newton-cholesky", tol=1e-12, max_iter=500, **params
    )
    # On a busy machine BLAS's threads wait for each other a hundred times longer than they work.
    with threadpool_limits(1, user_api="blas"), warnings.catch_warnings():
        # Where its matrix is singular it says so and goes on with lbfgs.
        warnings.simplefilter("ignore")
        return model.fit(np.asarray(X, dtype=np.float64), y, weight)


def assert_optimal(X: Any, y: Any, weight: Any = None, **params: Any) -> Any:
    model = LogisticRegression(max_iter=2000, **params).fit(X, y, weight)
    assert np.isfinite(model.coef_).all()
    assert np.isfinite(model.intercept_).all()
    least = objective(reference(X, y, weight, **params), X, y, weight)
    assert objective(model, X, y, weight) <= least * (1 + 1e-4)
    return model


def assert_scikit_learns(X: Any, y: Any, weight: Any = None, **params: Any) -> None:
    """The very bits of scikit-learn's, which our solver would not give."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # both say the same; it is tested where it matters
        ours = LogisticRegression(**params).fit(X, y, weight)
        theirs = linear_model.LogisticRegression(**params).fit(X, y, weight)
    np.testing.assert_array_equal(ours.coef_, theirs.coef_)
    np.testing.assert_array_equal(ours.intercept_, theirs.intercept_)
    assert type(ours) is LogisticRegression


@pytest.mark.parametrize("kind", KINDS)
def test_the_optimum_is_scikit_learns(kind: str) -> None:
    for n_classes in (2, 4):
        X, y = make_problem(kind, n_classes)
        for C in (1e-6, 1.0, 1e6):
            assert_optimal(X, y, C=C)


@pytest.mark.parametrize("kind", KINDS)
def test_with_and_without_intercept_in_both_precisions(kind: str) -> None:
    X, y = make_problem(kind)
    for fit_intercept, dtype in product((True, False), (np.float64, np.float32)):
        model = assert_optimal(X.astype(dtype), y, fit_intercept=fit_intercept, C=10.0)
        assert model.coef_.dtype == model.intercept_.dtype == dtype
        assert fit_intercept or not model.intercept_.any()


@given(
    kind=st.sampled_from(KINDS),
    n_classes=st.integers(2, 5),
    seed=st.integers(0, 2**20),
    log_c=st.floats(-6, 6),
    fit_intercept=st.booleans(),
    weighted=st.booleans(),
    class_weight=st.sampled_from([None, "balanced", {0: 3.0, 1: 0.5}]),
)
@example("separable", 3, 0, 6.0, True, False, None)
@settings(max_examples=40)
def test_any_problem(
    kind: str,
    n_classes: int,
    seed: int,
    log_c: float,
    fit_intercept: bool,
    weighted: bool,
    class_weight: Any,
) -> None:
    X, y = make_problem(kind, n_classes, seed)
    rng = np.random.default_rng(seed)
    weight = rng.integers(0, 4, len(y)).astype(float) if weighted else np.ones(len(y))
    assume(class_weight != "balanced" or np.bincount(y, weights=weight).min() > 0)  # told below
    params = {"C": 10**log_c, "fit_intercept": fit_intercept}
    model = LogisticRegression(max_iter=2000, class_weight=class_weight, **params)
    model.fit(X, y, weight)
    # class weights are sample weights, in scikit-learn's own words
    if class_weight == "balanced":
        count = np.bincount(y, weights=weight, minlength=n_classes)
        weight = weight * (weight.sum() / (n_classes * count))[y]
    elif class_weight:
        weight = weight * np.array([class_weight.get(label, 1.0) for label in y])
    if (np.bincount(y, weights=weight, minlength=n_classes) > 0).all():
        least = objective(reference(X, y, weight, **params), X, y, weight)
        assert objective(model, X, y, weight) <= least * (1 + 1e-4)
    assert np.isfinite(model.coef_).all()


def test_attributes_are_scikit_learns() -> None:
    X, y = make_problem("plain", 2)
    labels = np.array(["no", "yes"])[y]
    frame = pd.DataFrame(X, columns=[f"column {i}" for i in range(X.shape[1])])
    ours = LogisticRegression().fit(frame, labels)
    theirs = linear_model.LogisticRegression().fit(frame, labels)
    fitted = {name for name in vars(theirs) if name.endswith("_")}
    assert {name for name in vars(ours) if name.endswith("_")} == fitted
    for name in fitted - {"n_features_in_"}:
        assert getattr(ours, name).shape == getattr(theirs, name).shape, name
        assert getattr(ours, name).dtype == getattr(theirs, name).dtype, name
    assert ours.n_features_in_ == theirs.n_features_in_
    assert ours.get_params() == theirs.get_params()
    assert list(ours.feature_names_in_) == list(frame.columns)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(ours)).coef_, ours.coef_)
    assert type(clone(ours)) is LogisticRegression


def test_narrow_numbers_become_float32_and_wide_ones_float64() -> None:
    X, y = make_problem("plain")
    X = 10 * np.abs(X)
    for dtype in (np.uint8, np.int8, np.uint16, np.int16, np.float16, np.bool_):
        narrow = LogisticRegression().fit(X.astype(dtype), y)
        wide = LogisticRegression().fit(X.astype(dtype).astype(np.float32), y)
        assert narrow.coef_.dtype == np.float32
        np.testing.assert_array_equal(narrow.coef_, wide.coef_)
    for wide_dtype in (np.int32, np.int64, np.uint32):
        assert LogisticRegression().fit(X.astype(wide_dtype), y).coef_.dtype == np.float64


def test_float32_is_never_copied_and_8_bit_integers_once() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20_000, 300)), rng.integers(5, size=20_000)
    for order in ("C", "F"):
        floats = np.asarray(X, dtype=np.float32, order=order)
        assert _peak(floats, y) < 0.75 * floats.nbytes
    pixels = rng.integers(0, 256, size=X.shape, dtype=np.uint8)
    assert _peak(pixels, y) < 1.75 * 4 * pixels.nbytes


def _peak(X: Any, y: Any) -> int:
    tracemalloc.start()
    LogisticRegression(max_iter=20, tol=1).fit(X, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


_NOT_COVERED: list[dict[str, Any]] = [
    {"solver": "newton-cg"},
    {"solver": "liblinear"},
    {"solver": "saga", "l1_ratio": 0.5, "random_state": 0},
    {"penalty": "l2"},
    {"penalty": None},
    {"C": np.inf},
    {"n_jobs": 1},
    {"l1_ratio": None},
]


def test_what_our_solver_is_not_for_is_handed_over() -> None:
    for params in _NOT_COVERED:
        assert_scikit_learns(*make_problem("plain", 2), **params)


def test_other_data_are_handed_over() -> None:
    X, y = make_problem("plain")
    assert_scikit_learns(sparse.csr_array(X), y)
    with config_context(array_api_dispatch=False):
        assert LogisticRegression().fit(X, y).coef_.shape == (3, 12)


def test_the_settings_that_scikit_learn_refuses() -> None:
    X, y = make_problem("plain")
    for params in ({"C": 0.0}, {"tol": -1.0}, {"solver": "lbgfs"}, {"l1_ratio": 1.0}):
        with pytest.raises(ValueError, match=r"parameter of LogisticRegression|supports only"):
            LogisticRegression(**params).fit(X, y)
    with pytest.raises(ValueError, match="dual=False"):
        LogisticRegression(dual=True).fit(X, y)


def test_the_data_that_scikit_learn_refuses() -> None:
    X, y = make_problem("plain")
    for bad_X, bad_y, weight in [
        (np.where(X > 2, np.nan, X), y, None),
        (X, y[:-1], None),
        (X, np.zeros(len(y)), None),
        (X, X[:, 0], None),
        (X[:, :0], y, None),
        (X, y, np.ones(3)),
    ]:
        with pytest.raises(ValueError, match=r"[a-z]") as ours:
            LogisticRegression().fit(bad_X, bad_y, weight)
        with pytest.raises(ValueError, match=r"[a-z]") as theirs:
            linear_model.LogisticRegression().fit(bad_X, bad_y, weight)
        assert str(ours.value) == str(theirs.value)


def test_too_few_iterations_are_said_and_kept() -> None:
    X, y = make_problem("heavy tails")
    model = LogisticRegression(max_iter=2)
    with pytest.warns(ConvergenceWarning, match=r"after 2 iteration.*Increase max_iter") as heard:
        model.fit(X, y)
    assert heard[0].filename == __file__, "it points at the line that called fit"
    assert model.n_iter_.tolist() == [2]
    with pytest.warns(ConvergenceWarning):
        none = LogisticRegression(max_iter=0).fit(X, y)
    assert not none.coef_.any()


def test_verbose_says_what_was_reached(capsys: Any) -> None:
    LogisticRegression(verbose=1).fit(*make_problem("plain"))
    assert "iterations, objective" in capsys.readouterr().out


def test_a_smaller_tol_comes_closer() -> None:
    X, y = make_problem("heavy tails")
    least = objective(reference(X, y), X, y)
    loose, tight = (LogisticRegression(tol=t, max_iter=999).fit(X, y) for t in (1e-2, 1e-9))
    assert loose.n_iter_[0] < tight.n_iter_[0]
    assert objective(tight, X, y) <= least * (1 + 1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
@pytest.mark.parametrize("kind", ["plain", "heavy tails"])
def test_a_smaller_tol_comes_closer_in_narrow_numbers_too(kind: str, dtype: Any) -> None:
    X, y = make_problem(kind)
    X = np.abs(30 * X).clip(0, 255).astype(dtype)
    steepest = []
    for tol in (1e-2, 1e-4, 1e-7):
        model = LogisticRegression(tol=tol, max_iter=999).fit(X, y)
        residual = model.predict_proba(X.astype(np.float64)) - np.eye(3)[y]
        slope = residual.T @ X.astype(np.float64) + model.coef_ / model.C
        steepest.append(np.abs(slope).max() / len(y))
    assert steepest[0] <= 1.1e-2
    assert steepest[1] <= 1.1e-4
    assert steepest[2] < steepest[1] / 20


def test_it_stops_where_rounding_hides_what_is_left() -> None:
    for kind in ("plain", "heavy tails", "large means", "badly scaled"):
        X, y = make_problem(kind)
        model = LogisticRegression(tol=1e-300, max_iter=999).fit(X.astype(np.float32), y)
        assert model.n_iter_[0] < 200, kind  # a ConvergenceWarning would be an error


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("kind", ["plain", "heavy tails", "mostly zeros"])
def test_neither_the_order_of_rows_nor_repeats_for_weights_matter(kind: str, dtype: Any) -> None:
    X, y = make_problem(kind)
    X = X.astype(dtype)
    rng = np.random.default_rng(0)
    times, order = rng.integers(1, 4, size=len(y)), rng.permutation(len(y))
    expected = LogisticRegression().fit(X, y, times).predict_proba(X)
    repeated = LogisticRegression().fit(np.repeat(X, times, axis=0), np.repeat(y, times))
    shuffled = LogisticRegression().fit(X[order], y[order], times[order])
    atol = 1e-9 if dtype == np.float64 else 1e-5
    for other in (repeated, shuffled):
        np.testing.assert_allclose(other.predict_proba(X), expected, atol=atol)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_columns_beyond_the_rows_change_nothing(dtype: Any) -> None:
    digits = load_sample_digits()
    for n in (40, 300):
        X, y = (digits.data[:n] / 255).astype(dtype), digits.target[:n]
        X = X[:, X.var(axis=0).argsort()[-n:]]  # as many columns as rows
        square = LogisticRegression().fit(X, y)
        wide = LogisticRegression().fit(np.hstack([X, np.zeros((n, 1), dtype)]), y)
        assert wide.coef_.shape == (10, n + 1)
        assert wide.coef_.dtype == dtype
        np.testing.assert_allclose(wide.coef_[:, :n], square.coef_, atol=2e-3)
        np.testing.assert_allclose(
            wide.predict_proba(np.hstack([X, np.zeros((n, 1), dtype)])),
            square.predict_proba(X),
            atol=1e-3,
        )


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.uint8])
def test_columns_that_never_vary_get_0_and_change_nothing(dtype: Any) -> None:
    digits = load_sample_digits()
    X, y = digits.data[:200].astype(dtype), digits.target[:200]
    varies = np.ptp(X, axis=0) > 0
    assert varies.mean() < 0.8
    inked = np.where(varies, X, dtype(7))
    for fit_intercept, images in ((True, X), (True, inked), (False, X)):
        params = {"C": 1e-4, "fit_intercept": fit_intercept, "warm_start": True}
        model, alone = LogisticRegression(**params), LogisticRegression(**params)
        model.fit(X[:, ::-1], y)  # warm starts from what was learned elsewhere
        model.fit(images, y)
        alone.fit(X[:, varies], y)
        assert not model.coef_[:, ~varies].any()
        np.testing.assert_allclose(
            model.predict_proba(images), alone.predict_proba(X[:, varies]), atol=2e-3
        )
    # without an intercept, columns that hold one number are needed
    assert LogisticRegression(C=1e-4, fit_intercept=False).fit(inked, y).coef_[:, ~varies].any()
    blank = LogisticRegression().fit(np.full((4, 3), dtype(7)), [0, 1, 1, 1])
    np.testing.assert_allclose(blank.coef_, 0, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_optimum_of_wide_data(kind: str) -> None:
    X, y = make_problem(kind)
    X, y = np.hstack([X, np.abs(X[::-1])])[:20], y[:20]
    for fit_intercept, n_classes in product((True, False), (2, 3)):
        model = assert_optimal(X, y % n_classes, fit_intercept=fit_intercept, C=3.0)
        n_iter = model.n_iter_[0]
        model.set_params(warm_start=True).fit(X, y % n_classes)
        assert model.n_iter_[0] < max(n_iter, 2)


def test_a_warm_start_begins_where_the_last_fit_ended() -> None:
    X, y = make_problem("heavy tails")
    model = LogisticRegression(warm_start=True, tol=1e-6, max_iter=999).fit(X, y)
    cold = model.n_iter_[0]
    assert model.fit(X, y).n_iter_[0] < cold / 3
    assert model.set_params(C=2.0).fit(X, y).n_iter_[0] < cold
    least = objective(reference(X, y, C=2.0), X, y)
    assert objective(model, X, y) <= least * (1 + 1e-4)


def test_a_warm_start_may_begin_anywhere() -> None:
    X, y = make_problem("plain")
    model = LogisticRegression(warm_start=True).fit(X, y)
    model.coef_, model.intercept_ = model.coef_ + 7, model.intercept_ - 3
    model.fit(X, y)
    assert objective(model, X, y) <= objective(reference(X, y), X, y) * (1 + 1e-4)
    np.testing.assert_allclose(model.coef_.sum(axis=0), 0, atol=1e-9)


def test_a_warm_start_of_another_shape_is_scikit_learns_error() -> None:
    X, y = make_problem("plain")
    model = LogisticRegression(warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="Initialization coef is of shape"):
        model.fit(X[:, :5], y)


def test_rows_of_no_weight_are_no_rows() -> None:
    X, y = make_problem("plain")
    weight = (np.arange(len(y)) % 3 > 0).astype(float)
    some = LogisticRegression(tol=1e-8).fit(X, y, weight)
    kept = LogisticRegression(tol=1e-8).fit(X[weight > 0], y[weight > 0])
    np.testing.assert_allclose(some.coef_, kept.coef_, atol=1e-5)


def test_a_class_of_no_weight_gets_no_probability() -> None:
    X, y = make_problem("plain")
    weight = (y > 0).astype(float)
    ours = LogisticRegression(max_iter=1000).fit(X, y, weight)
    with threadpool_limits(1, user_api="blas"):
        theirs = linear_model.LogisticRegression(tol=1e-8, max_iter=5000).fit(X, y, weight)
    assert np.isfinite(ours.coef_).all()
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-3)


def test_the_same_bits_whatever_the_threads() -> None:
    X, y = make_problem("plain")
    X, y = np.tile(X, (200, 4)).astype(np.float32), np.tile(y, 200)
    X += np.random.default_rng(0).normal(size=X.shape)

    def fit(n_threads: int) -> NDArray[Any]:
        with threadpool_limits(n_threads, user_api="blas"):
            return LogisticRegression().fit(X, y).coef_

    np.testing.assert_array_equal(fit(1), fit(2))
    np.testing.assert_array_equal(fit(2), fit(2))


def test_fits_in_threads_give_back_the_setting_of_blas() -> None:
    X, y = make_problem("plain")
    before = _blas_threads()
    with ThreadPoolExecutor(4) as pool:
        fits = list(pool.map(lambda _: LogisticRegression().fit(X, y).coef_, range(12)))
    assert _blas_threads() == before
    for each in fits[1:]:
        np.testing.assert_array_equal(each, fits[0])


def _blas_threads() -> list[int]:
    return [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]


@pytest.mark.filterwarnings("ignore:.*sparse:UserWarning")  # pandas' columns are made dense
def test_sparse_columns_of_a_dataframe() -> None:
    X, y = np.eye(60, 4), np.arange(60) % 2
    frame = pd.DataFrame(X).astype(pd.SparseDtype("float", 0.0))
    ours = LogisticRegression().fit(frame, y)
    np.testing.assert_array_equal(ours.coef_, linear_model.LogisticRegression().fit(frame, y).coef_)


def test_values_that_overflow_make_no_noise() -> None:
    X = (np.random.default_rng(0).normal(size=(200, 5)) * 1e25).astype(np.float32)
    y = np.arange(200) % 3
    ours = LogisticRegression().fit(X, y)  # a warning would be an error
    theirs = linear_model.LogisticRegression().fit(X, y)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-6)


def test_a_class_without_weight_cannot_be_balanced_as_scikit_learn_says_once() -> None:
    X, y = make_problem("tiny", 3)
    weight = (y > 0).astype(float)
    assert_scikit_learns(X, y, weight, class_weight="balanced")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        LogisticRegression(class_weight="balanced").fit(X, y, weight)
    assert sum("divide by zero" in str(warning.message) for warning in told) == 1
