"""Every kind of array: served, with the answer that its values have, or refused by name."""

import tracemalloc
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import DataConversionWarning
from sklearn.model_selection import PredefinedSplit

from mnist_models import (
    MODEL_NAMES,
    LogisticRegression,
    RandomForestClassifier,
    SequentialClassifier,
    evaluate,
    load_sample_digits,
    make_model,
    make_preprocessor,
)
from mnist_models.preprocessing import RECIPES, Standardize

from .conftest import quick_model

# most of it is on another scale than the digits that the models were fitted on
pytestmark = pytest.mark.filterwarnings("ignore::mnist_models.exceptions.ScaleWarning")

_QUICK: dict[str, dict[str, Any]] = {
    "logistic": {},
    "forest": {"n_estimators": 5},
    "network": {"epochs": 1, "batch_size": 64},
}

every_model = pytest.mark.parametrize("name", MODEL_NAMES)


@cache
def _images() -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """Digits of 10 by 10 pixels, of three classes."""
    digits = load_sample_digits().sample(120, random_state=0)
    y: NDArray[Any] = digits.target % 3
    return np.ascontiguousarray(digits.images[:, 9:-9, 9:-9]).reshape(120, -1), y


def _classifiers() -> list[Any]:
    """The three without any preprocessing, unfitted."""
    return [
        LogisticRegression(),
        RandomForestClassifier(5, random_state=0),
        SequentialClassifier((8,), epochs=1, batch_size=64, random_state=0),
    ]


@pytest.fixture(scope="module")
def fitted() -> list[Any]:
    """Each model by each recipe, on those images. Do not refit them."""
    return [
        make_model(name, recipe=recipe, random_state=0, **_QUICK[name]).fit(*_images())
        for name in MODEL_NAMES
        for recipe in RECIPES
    ]


# -- served ----------------------------------------------------------------------------------------


def _read_only(X: NDArray[Any], folder: Path) -> Any:
    X = X.copy()
    X.flags.writeable = False
    return X


def _mapped(X: NDArray[Any], folder: Path) -> Any:
    np.save(folder / "X.npy", X)
    return np.load(folder / "X.npy", mmap_mode="r")


SERVED: dict[str, Any] = {
    "read-only": _read_only,
    "memory-mapped": _mapped,
    "every second of each": lambda X, _: X.repeat(2, axis=0).repeat(2, axis=1)[::2, ::2],
    "backwards": lambda X, _: np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1],
    "by columns": lambda X, _: np.asfortranarray(X),
    "half precision": lambda X, _: X.astype(np.float16),
    "long double": lambda X, _: X.astype(np.longdouble),
    "big-endian": lambda X, _: X.astype(">f8"),
    "big-endian integers": lambda X, _: X.astype(">i2"),
    "unsigned, 64 bits": lambda X, _: X.astype(np.uint64),
    "objects": lambda X, _: X.astype(object),
    "lists": lambda X, _: X.tolist(),
    "nothing masked": lambda X, _: np.ma.array(X),
    "a DataFrame": lambda X, _: pd.DataFrame(X),
    "nullable columns": lambda X, _: pd.DataFrame(X).astype("UInt8"),
    "columns of categories": lambda X, _: pd.DataFrame(X).astype({7: "category", 70: "category"}),
}


@pytest.mark.parametrize("kind", SERVED)
def test_predictions_are_those_of_the_values(fitted: Any, kind: str, tmp_path: Path) -> None:
    X, _ = _images()
    served = SERVED[kind](X[:20], tmp_path)
    plain = _plain(X[:20], kind, served)
    for model in fitted:
        np.testing.assert_array_equal(model.predict_proba(served), model.predict_proba(plain))


def _plain(X: NDArray[Any], kind: str, served: Any) -> NDArray[Any]:
    """The values as an array of 8 bits, where they came as such, or of floats."""
    whole = kind in ("a DataFrame", "columns of categories")
    return X if whole or getattr(served, "dtype", None) == np.uint8 else X.astype(np.float32)


@pytest.mark.parametrize("kind", SERVED)
def test_fits_are_those_of_the_values(kind: str, tmp_path: Path) -> None:
    X, y = _images()
    served = SERVED[kind](X, tmp_path)
    plain = _plain(X, kind, served)
    network_too = kind in ("big-endian", "objects", "columns of categories")
    for model in [make_preprocessor("accurate"), *_classifiers()[: 3 if network_too else 2]]:
        plain_model = clone(model).fit(plain, y)
        model.fit(served, y)
        if hasattr(model, "predict_proba"):
            np.testing.assert_allclose(
                model.predict_proba(X), plain_model.predict_proba(X), rtol=1e-4, atol=1e-5
            )
        else:
            np.testing.assert_array_equal(model.transform(served), plain_model.transform(plain))


# -- refused ---------------------------------------------------------------------------------------


def _with(X: NDArray[Any], value: Any, dtype: Any = np.float64) -> Any:
    spoilt = X.astype(dtype)
    spoilt[3, 70] = value
    return spoilt


def _column(X: NDArray[Any], values: Any) -> Any:
    return pd.DataFrame(X).rename(columns=str).assign(**{"7": values})


REFUSED: dict[str, tuple[Any, str]] = {
    "masked": (lambda X: np.ma.array(X, mask=X > 99), "X has .* masked values"),
    "strings": (lambda X: X.astype(str), "X must be numeric. Got strings"),
    "bytes": (lambda X: X.astype("S3"), "X must be numeric. Got bytes"),
    "dates": (lambda X: X.astype("M8[s]"), "X must be numeric. Got dates"),
    "durations": (lambda X: X.astype("m8[s]"), "X must be numeric. Got durations"),
    "a list of dates": (lambda X: list(X.astype("M8[s]")), "X must be numeric. Got dates"),
    "complex": (lambda X: X * 1j, "Complex data not supported"),
    "a sparse array": (sparse.csr_array, "Sparse data was passed for X"),
    "a sparse matrix": (sparse.csc_matrix, "Sparse data was passed for X"),
    "digits among objects": (lambda X: _with(X, "7", object), "X must be numeric. Got text"),
    "lists of digits": (lambda X: X.astype(str).tolist(), "X must be numeric. Got strings"),
    "nothing among objects": (lambda X: _with(X, None, object), "X contains NaN"),
    "not a number": (lambda X: _with(X, np.nan), "X contains NaN"),
    "infinite": (lambda X: _with(X, -np.inf), "X contains infinity"),
    "beyond float32": (lambda X: X * 1e300, "X has values (whose variance is )?too large"),
    "a column of digits": (lambda X: _column(X, "7"), "X must be numeric. Got text"),
    "categories of digits": (
        lambda X: _column(X, pd.Categorical(["7"] * len(X))),
        "X must be numeric. Got text",
    ),
    "a column of strings": (
        lambda X: _column(X, pd.array(["7"] * len(X), "string")),
        "X must be numeric. Got text",
    ),
    "a column of dates": (lambda X: _column(X, pd.Timestamp(0)), "X must be numeric. Got dates"),
    "a column with NA": (
        lambda X: _column(X, pd.array([None] * len(X), "Int64")),
        "X contains NaN",
    ),
    "sparse columns": (lambda X: pd.DataFrame(X).astype(pd.SparseDtype("f8", 0.0)), "Sparse data"),
    "names of two kinds": (lambda X: pd.DataFrame(X).rename(columns={7: "7"}), "names"),
    "records": (lambda X: np.zeros(X.shape, [("grey", "u1")]), "numeric|could not be promoted"),
    "one dimension": (lambda X: X[0], "2D array"),
    "a series": (lambda X: pd.Series(X[0]), "2D array|2-dimensional"),
    "a series of dates": (
        lambda X: pd.Series(X[0].astype("M8[s]")),
        "X must be numeric. Got dates",
    ),
    "four dimensions": (lambda X: X.reshape(len(X), 10, 5, 2), "dim 4"),
    "no rows": (lambda X: X[:0], r"0 sample\(s\)"),
    "no features": (lambda X: X[:, :0], r"0 feature\(s\)"),
    "rows of two lengths": (lambda X: [*X.tolist()[:-1], [1, 2]], "inhomogeneous"),
    "a matrix": (lambda X: X.view(np.matrix), "np.matrix is not supported"),
    "a number": (lambda X: 3.0, "2D array"),
    "nothing": (lambda X: None, "2D array"),
}


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.filterwarnings("ignore:X has feature names:UserWarning")
@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_refused_says_why(fitted: Any, kind: str) -> None:
    X, y = _images()
    spoil, message = REFUSED[kind]
    spoilt = spoil(X)
    for model in fitted:
        with pytest.raises((ValueError, TypeError), match=message):
            clone(model).fit(spoilt, y)
        if kind not in ("names of two kinds", "sparse columns"):  # scikit-learn's matter
            with pytest.raises((ValueError, TypeError), match=f"{message}|features|too large"):
                model.predict_proba(spoilt)
    if "X must be numeric" in message:  # without preprocessing, too
        for classifier in _classifiers():
            with pytest.raises(ValueError, match=message):
                classifier.fit(spoilt, y)


# -- values that are hard to add up ----------------------------------------------------------------


def _extremes(dtype: str) -> NDArray[Any]:
    """Images of the least and the greatest value that a type has."""
    X, _ = _images()
    limits: Any = np.finfo(dtype) if dtype[0] == "f" else np.iinfo(dtype)
    return np.where(X > 100, limits.max, limits.min).astype(dtype)


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i4", "u8", "i8", "f2"])
def test_sums_of_extreme_pixels_do_not_overflow(dtype: str) -> None:
    X = np.tile(_extremes(dtype), (30, 1))
    standardize = Standardize().fit(X)
    exact = X.astype(np.longdouble)
    least = 1e-12 * float(np.abs(exact).max())  # where the extremes cancel to 0
    np.testing.assert_allclose(standardize.mean_, exact.mean(axis=0).astype(float), 1e-12, least)
    np.testing.assert_allclose(
        standardize.scale_[exact.std(axis=0) > 0],
        exact.std(axis=0)[exact.std(axis=0) > 0].astype(float),
        rtol=1e-12,
    )


def test_extreme_pixels_have_sound_answers(fitted: Any) -> None:
    for model in fitted:
        for dtype in ("u1", "i1", "i8", "u8", "f2", "f4"):
            _is_sound_or_refused(model, _extremes(dtype))
        for least in (5e-324, 1e-320, np.float32(1e-45)):
            _is_sound(model, _images()[0] * least)


@pytest.mark.parametrize("greatest", [1e18, 1e30, 3.4e38, 1e300, 1.7e308])
def test_the_greatest_pixels_are_answered_soundly_or_refused(fitted: Any, greatest: float) -> None:
    X = np.where(_images()[0] > 100, greatest, -greatest)
    for model in fitted:
        _is_sound_or_refused(model, X)
        if greatest < 3e38:
            _is_sound(model, X)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_classifier_alone_never_answers_nan(n_classes: int, dtype: Any) -> None:
    """Infinity less infinity, and the greatest of NaN is the first class."""
    X, y = _images()
    limits: Any = np.finfo(dtype)
    huge = np.where(X > 100, limits.max, limits.min).astype(dtype)
    logistic = LogisticRegression().fit((X / 255).astype(dtype), y % n_classes)
    network: Any = SequentialClassifier((4,), epochs=1, random_state=0)
    network.fit(X / 255, y % n_classes)
    logistic.coef_ *= 1e3
    network.model_.set_weights([1e3 * each for each in network.model_.get_weights()])
    for ask in (logistic.predict, logistic.predict_proba, network.predict, network.predict_proba):
        with pytest.raises(ValueError, match=r"X has values (too|so) large"):
            ask(huge)
    forest = RandomForestClassifier(3).fit(X / 255, y % n_classes)
    if dtype == np.float32:
        _is_sound(forest, huge)
    else:
        with pytest.raises(ValueError, match=r"X contains .* too large"):
            forest.predict(huge)


# PCA's, of images that are all alike once they are float32
@pytest.mark.filterwarnings("ignore:invalid value encountered in divide:RuntimeWarning")
@pytest.mark.parametrize("scale", [5e-324, 1e-310, 1e-160, 1e30])
def test_fits_of_pixels_of_any_scale(fitted: Any, scale: float) -> None:
    X, y = _images()
    for model in fitted[:4]:  # the network would take long
        _is_sound(clone(model).fit(X * scale, y), X * scale)


def _is_sound(model: Any, X: NDArray[Any]) -> None:
    probabilities = model.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert probabilities.min() >= 0


def _is_sound_or_refused(model: Any, X: NDArray[Any]) -> None:
    try:
        _is_sound(model, X)
    except ValueError as error:
        assert "X has values" in str(error)  # noqa: PT017


# -- few and many ----------------------------------------------------------------------------------


@every_model
def test_one_feature_is_enough(name: str) -> None:
    X = np.repeat([[0], [255]], 20, axis=0).astype(np.uint8)
    y = np.repeat(["paper", "ink"], 20)
    assert quick_model(name).fit(X, y).score(X, y) == 1


@every_model
def test_one_row_is_asked_for_more(name: str) -> None:
    X, y = _images()
    if name == "forest":  # as scikit-learn's: every tree is a leaf
        assert quick_model(name).fit(X[:1], y[:1]).predict(X[:1]) == y[:1]
        return
    with pytest.raises(ValueError, match="class"):
        quick_model(name).fit(X[:1], y[:1])


def test_wide_rows_are_standardized_a_few_at_a_time() -> None:
    X = np.random.default_rng(0).integers(0, 256, (300, 40_000), dtype=np.uint8)
    tracemalloc.start()
    try:
        standardized = Standardize().fit_transform(X)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < standardized.nbytes + 20e6


@pytest.mark.slow
@every_model
def test_a_million_columns(name: str) -> None:
    X = np.random.default_rng(0).integers(0, 256, (30, 10**6), dtype=np.uint8)
    y = np.arange(30) % 3
    X[y == 1, ::7] = 0
    params: dict[str, Any] = {"hidden_units": (8,)} if name == "network" else {}
    _is_sound(quick_model(name, **params).fit(X, y), X)


# -- labels ----------------------------------------------------------------------------------------


def test_labels_of_other_kinds() -> None:
    X, y = _images()
    labels = [
        (y % 2).astype(float),
        pd.Series(np.array(["a", "b", "c"])[y], dtype="category"),
        pd.Series(y, dtype="Int64"),
        y.tolist(),
        np.ma.array(y),
    ]
    for classifier in _classifiers():
        for each in labels:
            predicted = classifier.fit(X / 255, each).predict(X / 255)
            assert set(predicted) <= set(np.asarray(each))
        with pytest.warns(DataConversionWarning, match="column-vector y"):
            assert classifier.fit(X / 255, y[:, None]).predict(X / 255).shape == y.shape


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda y: np.ma.array(y, mask=y == 0), "y has 4. masked values"),
        (lambda y: np.array(["a", 1, 2], dtype=object)[y], "y must hold labels of one kind"),
        (lambda y: np.array([None, "b", "c"], dtype=object)[y], "Got str and NoneType"),
        (lambda y: np.where(y == 0, np.nan, 1.0), "y contains NaN"),
        (lambda y: pd.Series(y, dtype="Int64").mask(y == 0), "y contains NaN"),
        (lambda y: y + 0.5, "continuous"),
        (lambda y: y * 1j, "Complex data not supported"),
        (lambda y: y[:-1], "inconsistent numbers of samples"),
        (lambda y: None, "requires y to be passed"),
        (lambda y: np.eye(3)[y], r"y should be a 1d array.*\(120, 3\).*y.argmax\(axis=1\)"),
        (lambda y: np.eye(3)[y].tolist(), r"y should be a 1d array.*\(120, 3\)"),
        (lambda y: np.stack([y, y], axis=1), r"y should be a 1d array.*\(120, 2\)"),
        (lambda y: ["none", *y[1:].tolist()], "labels of one kind. Got str and int"),
    ],
)
def test_labels_that_are_refused(spoil: Any, message: str) -> None:
    X, y = _images()
    for classifier in _classifiers():
        with pytest.raises(ValueError, match=message):
            classifier.fit(X, spoil(y))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda w: np.ma.array(w, mask=w > 0), "sample_weight has 120 masked values"),
        (lambda w: np.where(np.arange(120) % 3, 1.0, -0.5), "sample_weight must be at least 0"),
        (lambda w: (w - 1.5).astype(object), "sample_weight must be at least 0"),
        (lambda w: w.astype(str), "sample_weight must be numeric. Got strings"),
        (lambda w: w.astype(str).astype(object), "sample_weight must be numeric. Got text"),
        (lambda w: w.astype("m8[s]"), "sample_weight must be numeric. Got durations"),
        (lambda w: w * np.nan, "NaN"),
        (lambda w: w[:-1], r"sample_weight"),
        (lambda w: 0 * w, "zero"),
    ],
)
def test_weights_that_are_refused(spoil: Any, message: str) -> None:
    X, y = _images()
    for classifier in _classifiers():
        with pytest.raises(ValueError, match=message):
            classifier.fit(X, y, sample_weight=spoil(np.ones(len(y))))


def test_every_method_of_the_forest_refuses_text() -> None:
    X, y = _images()
    forest = RandomForestClassifier(3, random_state=0).fit(X, y)
    for method in (forest.predict, forest.predict_log_proba, forest.apply, forest.decision_path):
        with pytest.raises(ValueError, match=r"X must be numeric. Got strings"):
            method(X.astype(str))


# -- what evaluate is given ------------------------------------------------------------------------


def test_evaluate_refuses_masked_values() -> None:
    X, y = _images()
    for which in ("X", "y", "X_test", "y_test"):
        parts: dict[str, Any] = {"X": X, "y": y, "X_test": X[:9], "y_test": y[:9]}
        parts[which] = np.ma.array(parts[which], mask=parts[which] == parts[which].flat[0])
        test = parts["X_test"], parts["y_test"]
        with pytest.raises(ValueError, match="masked values"):
            evaluate(quick_model("forest"), parts["X"], parts["y"], test=test)


def test_a_class_that_a_fold_lacks_has_its_column_and_its_misses() -> None:
    X, y = _images()
    folds = PredefinedSplit(np.where(y == 2, 2, np.arange(len(y)) % 2))
    ignore = ("class-missing", "unstratified-folds")
    evaluation = evaluate(quick_model("forest"), X, y, cv=folds, ignore=ignore)
    assert evaluation.classes.tolist() == [0, 1, 2]
    assert evaluation.probabilities is not None
    assert evaluation.probabilities.shape == (len(y), 3)
    np.testing.assert_array_equal(evaluation.probabilities[y == 2, 2], 0)
    np.testing.assert_allclose(evaluation.probabilities.sum(axis=1), 1, atol=1e-6)
    assert evaluation.folds[2].score == 0
    assert evaluation.confusion_matrix[2, 2] == 0
