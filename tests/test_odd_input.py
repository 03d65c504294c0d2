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
)
from mnist_models.preprocessing import RECIPES, Standardize

from .conftest import quick_model

_QUICK: dict[str, dict[str, Any]] = {
    "logistic": {},
    "forest": {"n_estimators": 5},
    "network": {"epochs": 1, "batch_size": 64},
}

every_model = pytest.mark.parametrize("name", MODEL_NAMES)
every_recipe = pytest.mark.parametrize("recipe", RECIPES)


def _quick(name: str, recipe: Any) -> Any:
    return make_model(name, recipe=recipe, random_state=0, **_QUICK[name])


@cache
def _images() -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """Digits of 10 by 10 pixels, of three classes."""
    digits = load_sample_digits().sample(120, random_state=0)
    y: NDArray[Any] = digits.target % 3
    return np.ascontiguousarray(digits.images[:, 9:-9, 9:-9]).reshape(120, -1), y


@pytest.fixture(scope="module", params=[(n, r) for n in MODEL_NAMES for r in RECIPES], ids=str)
def fitted(request: pytest.FixtureRequest) -> Any:
    """Each model by each recipe, on those images. Do not refit it."""
    return _quick(*request.param).fit(*_images())


# -- served ----------------------------------------------------------------------------------------


def _read_only(X: NDArray[Any], folder: Path) -> Any:
    X = X.copy()
    X.flags.writeable = False
    return X


def _mapped(X: NDArray[Any], folder: Path) -> Any:
    np.save(folder / "X.npy", X)
    return np.load(folder / "X.npy", mmap_mode="r")


def _frame(X: NDArray[Any], folder: Path) -> Any:
    return pd.DataFrame(X)


def _nullable(X: NDArray[Any], folder: Path) -> Any:
    return pd.DataFrame(X).astype("UInt8")


def _categories(X: NDArray[Any], folder: Path) -> Any:
    return pd.DataFrame(X).astype({7: "category", 70: "category"})


SERVED = {
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
    "a DataFrame": _frame,
    "nullable columns": _nullable,
    "columns of categories": _categories,
}


@pytest.mark.parametrize("kind", SERVED)
def test_answers_are_those_of_the_values(fitted: Any, kind: str, tmp_path: Path) -> None:
    X, _ = _images()
    served = SERVED[kind](X[:20], tmp_path)
    plain = _plain(X[:20], kind, served)
    np.testing.assert_array_equal(fitted.predict_proba(served), fitted.predict_proba(plain))


def _plain(X: NDArray[Any], kind: str, served: Any) -> NDArray[Any]:
    """The values as an array of 8 bits, where they came as such, or of floats."""
    whole = kind in ("a DataFrame", "columns of categories")
    return X if whole or getattr(served, "dtype", None) == np.uint8 else X.astype(np.float32)


@every_recipe
@pytest.mark.parametrize("name", ["logistic", "forest"])
@pytest.mark.parametrize("kind", SERVED)
def test_fits_are_those_of_the_values(kind: str, name: str, recipe: str, tmp_path: Path) -> None:
    _same_fit(kind, name, recipe, tmp_path)


@every_recipe
@pytest.mark.parametrize("kind", ["big-endian", "objects", "columns of categories"])
def test_fits_of_the_network_are_those_of_the_values(
    kind: str, recipe: str, tmp_path: Path
) -> None:
    _same_fit(kind, "network", recipe, tmp_path)


def _same_fit(kind: str, name: str, recipe: str, folder: Path) -> None:
    X, y = _images()
    served = SERVED[kind](X, folder)
    plain = _plain(X, kind, served)
    ours, theirs = (_quick(name, recipe).fit(each, y) for each in (served, plain))
    np.testing.assert_array_equal(ours.predict_proba(X), theirs.predict_proba(X))


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
    "words among objects": (lambda X: _with(X, "seven", object), "could not convert string"),
    "nothing among objects": (lambda X: _with(X, None, object), "X contains NaN"),
    "not a number": (lambda X: _with(X, np.nan), "X contains NaN"),
    "infinite": (lambda X: _with(X, -np.inf), "X contains infinity"),
    "beyond float32": (lambda X: X * 1e300, "X has values (whose variance is )?too large"),
    "a column of words": (lambda X: _column(X, "seven"), "could not convert string"),
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
    "three dimensions": (lambda X: X.reshape(len(X), 10, 10), "dim 3"),
    "no rows": (lambda X: X[:0], r"0 sample\(s\)"),
    "no features": (lambda X: X[:, :0], r"0 feature\(s\)"),
    "rows of two lengths": (lambda X: [*X.tolist()[:-1], [1, 2]], "inhomogeneous"),
    "a matrix": (lambda X: X.view(np.matrix), "np.matrix is not supported"),
    "a number": (lambda X: 3.0, "2D array"),
    "nothing": (lambda X: None, "2D array"),
}


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@every_model
@every_recipe
@pytest.mark.parametrize("kind", REFUSED)
def test_a_fit_that_is_refused_says_why(kind: str, recipe: str, name: str) -> None:
    X, y = _images()
    spoil, message = REFUSED[kind]
    with pytest.raises((ValueError, TypeError), match=message):
        _quick(name, recipe).fit(spoil(X), y)


_ALWAYS = [kind for kind in REFUSED if kind not in ("names of two kinds", "sparse columns")]


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.filterwarnings("ignore:X has feature names:UserWarning")
@pytest.mark.parametrize("kind", _ALWAYS)
def test_a_question_that_is_refused_says_why(fitted: Any, kind: str) -> None:
    X, _ = _images()
    spoil, message = REFUSED[kind]
    with pytest.raises((ValueError, TypeError), match=f"{message}|features|too large"):
        fitted.predict_proba(spoil(X))


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
    np.testing.assert_allclose(standardize.mean_, exact.mean(axis=0).astype(float), rtol=1e-12)
    np.testing.assert_allclose(
        standardize.scale_[exact.std(axis=0) > 0],
        exact.std(axis=0)[exact.std(axis=0) > 0].astype(float),
        rtol=1e-12,
    )


@pytest.mark.parametrize("dtype", ["u1", "i1", "i8", "u8", "f2", "f4"])
def test_extreme_pixels_have_sound_answers(fitted: Any, dtype: str) -> None:
    _is_sound_or_refused(fitted, _extremes(dtype))


@pytest.mark.parametrize("least", [5e-324, 1e-320, np.float32(1e-45)])
def test_the_least_pixels_have_sound_answers(fitted: Any, least: Any) -> None:
    _is_sound(fitted, _images()[0] * least)


@pytest.mark.parametrize("greatest", [1e18, 1e30, 3.4e38, 1e300, 1.7e308])
def test_the_greatest_pixels_are_answered_soundly_or_refused(fitted: Any, greatest: float) -> None:
    X = np.where(_images()[0] > 100, greatest, -greatest)
    _is_sound_or_refused(fitted, X)
    if greatest < 3e38:
        _is_sound(fitted, X)


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
@every_recipe
@pytest.mark.parametrize("name", ["logistic", "forest"])
@pytest.mark.parametrize("scale", [5e-324, 1e-310, 1e-160, 1e30])
def test_fits_of_pixels_of_any_scale(scale: float, name: str, recipe: str) -> None:
    X, y = _images()
    _is_sound(_quick(name, recipe).fit(X * scale, y), X * scale)


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


@every_model
def test_labels_of_other_kinds(name: str) -> None:
    X, y = _images()
    model = quick_model(name, **({"epochs": 1} if name == "network" else {}))
    labels = [
        (y % 2).astype(float),
        pd.Series(np.array(["a", "b", "c"])[y], dtype="category"),
        pd.Series(y, dtype="Int64"),
        y.tolist(),
        np.ma.array(y),
    ]
    for each in labels:
        predicted = model.fit(X, each).predict(X)
        assert set(predicted) <= set(np.asarray(each))
    with pytest.warns(DataConversionWarning, match="column-vector y"):
        assert model.fit(X, y[:, None]).predict(X).shape == y.shape


@every_model
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
    ],
)
def test_labels_that_are_refused(spoil: Any, message: str, name: str) -> None:
    X, y = _images()
    with pytest.raises(ValueError, match=message):
        quick_model(name).fit(X, spoil(y))


@every_model
def test_masked_weights_are_refused(name: str) -> None:
    X, y = _images()
    weight = np.ma.array(np.ones(len(y)), mask=y == 0)
    with pytest.raises(ValueError, match=r"sample_weight has 4. masked values"):
        quick_model(name).fit(X, y, classify__sample_weight=weight)


# -- what evaluate is given ------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["X", "y", "X_test", "y_test"])
def test_evaluate_refuses_masked_values(which: str) -> None:
    X, y = _images()
    parts = {"X": X, "y": y, "X_test": X[:9], "y_test": y[:9]}
    parts[which] = np.ma.array(parts[which], mask=parts[which] == parts[which].flat[0])
    with pytest.raises(ValueError, match="masked values"):
        evaluate(
            quick_model("forest"), parts["X"], parts["y"], test=(parts["X_test"], parts["y_test"])
        )


@every_model
def test_a_class_that_a_fold_lacks_has_its_column_and_its_misses(name: str) -> None:
    X, y = _images()
    folds = PredefinedSplit(np.where(y == 2, 2, np.arange(len(y)) % 2))
    quick = {"epochs": 1} if name == "network" else {}
    evaluation = evaluate(
        quick_model(name, **quick), X, y, cv=folds, ignore=("class-missing", "unstratified-folds")
    )
    assert evaluation.classes.tolist() == [0, 1, 2]
    assert evaluation.probabilities is not None
    assert evaluation.probabilities.shape == (len(y), 3)
    np.testing.assert_array_equal(evaluation.probabilities[y == 2, 2], 0)
    np.testing.assert_allclose(evaluation.probabilities.sum(axis=1), 1, atol=1e-6)
    assert evaluation.folds[2].score == 0
    assert evaluation.confusion_matrix[2, 2] == 0
