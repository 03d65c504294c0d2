"""Fitted estimators as plain data (numbers, strings, arrays), and back.

A part is one fitted estimator: ``settings`` for JSON, and ``arrays``. That of a Pipeline contains
those of its steps. A file names one of the kinds below, and nothing else is ever built.

Anyone may have written a file. So a part is decoded in two steps. First its estimator is built,
with no more checks than keep that safe and small. Then the estimator is encoded again: what is not
exactly what was read, no model of ours could have been saved as, and it is refused.
"""

import json
import math
import re
import sys
from collections.abc import Callable
from itertools import pairwise, product
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.base import is_classifier
from sklearn.decomposition import PCA
from sklearn.ensemble._forest import RandomForestClassifier as SklearnForest
from sklearn.linear_model._logistic import LogisticRegression as SklearnLogistic
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, PolynomialFeatures
from sklearn.tree import DecisionTreeClassifier
from sklearn.tree._tree import NODE_DTYPE, Tree
from sklearn.utils.validation import check_is_fitted, check_scalar

from mnist_models._model_files import Arrays, require
from mnist_models._validation import SCALES
from mnist_models.class_scores import ClassScores
from mnist_models.forest import RandomForestClassifier
from mnist_models.linear import LogisticRegression
from mnist_models.preprocessing import (
    CleanPaper,
    Deskew,
    HogFeatures,
    Standardize,
    resolve_shape,
)

if TYPE_CHECKING:
    from mnist_models.network import SequentialClassifier  # loads TensorFlow

# Parameters of how a fit is run, which do not affect the fitted model.
_NOT_KEPT = {"callbacks", "n_jobs", "verbose", "warm_start"}

# Of nested Pipelines. With each level scikit-learn takes four times as long to predict a row.
_DEEPEST = 8
# Of all of a model's Pipelines together: a step takes a few bytes, and milliseconds to build.
_MOST_STEPS = 100

# The most features that a row may have at any step: 128 MB of float64, an image of 4,096 by 4,096
# pixels. A few numbers can describe a transformer that makes more; without a limit a forged one
# would take all memory at the first prediction.
_MOST_FEATURES = 2**24
# The most characters of all labels, each padded to the longest, as NumPy keeps them: 64 MB.
_MOST_CHARACTERS = 2**24
# Keras takes a minute to build hundreds of layers, however small.
_MOST_LAYERS = 64
# The longest side of images of a convolutional network: its filters make some tens of numbers of
# every pixel, and two dozen images are predicted at a time.
_LONGEST_SIDE = 2**8
# What a network's history may tell of, each epoch.
_IN_HISTORY = {
    before + name for before in ("", "val_") for name in ("loss", "cross_entropy", "accuracy")
}
# Products of a higher degree take long to count, and are few enough only of one or two features.
_HIGHEST_DEGREE = 100

# The values of ``set_output``; None if it was not called.
_OUTPUTS = (None, "default", "pandas", "polars")

# What a pipeline tells of each step.
_IN_STEP = {"name", "kind", "settings"}
# See _layout.
_LAYOUTS = [list(flags) for flags in product((False, True), repeat=3)]
_FLOATS = (np.float32, np.float64)

# NumPy's names of the dtypes of labels; "O" is for labels such as a DataFrame's strings.
_LABEL_DTYPE = re.compile(r"[<>|=][biuf][1248]|[<>]U[1-9][0-9]{0,7}|\|O")


class Part(NamedTuple):
    """One estimator as data: its kind, what JSON holds of it, and its arrays."""

    kind: str
    settings: dict[str, Any]
    arrays: Arrays


_Content = tuple[dict[str, Any], Arrays]


class _Kind(NamedTuple):
    """How one class is encoded and decoded, and scikit-learn's class that is saved as it.

    ``decode`` fills in a new estimator and returns how many features it makes, or None if it is a
    classifier.
    """

    estimator: type
    encode: Callable[[Any], _Content]
    decode: Callable[[Any, dict[str, Any], Arrays], int | None]
    also_saved: type | None = None


def encode(estimator: Any) -> Part:
    """A fitted estimator as data; TypeError if it is of another kind, or not plain data."""
    if type(estimator) is Pipeline:
        return _encode_pipeline(estimator)
    kinds = _KINDS | ({"network": _network_kind()} if "mnist_models.network" in sys.modules else {})
    for name, kind in kinds.items():
        if type(estimator) in (kind.estimator, kind.also_saved):
            check_is_fitted(estimator, "n_features_in_")
            settings, arrays = kind.encode(estimator)
            return Part(name, _common_settings(estimator, arrays) | settings, arrays)
    known = ", ".join(kind.estimator.__name__ for kind in _KINDS.values())
    raise TypeError(
        f"model must be one of {known}, SequentialClassifier, or a Pipeline of these. Got "
        f"{type(estimator).__module__}.{type(estimator).__qualname__} instead; "
        "a search has a best model only with refit=True."
    )


def decode(part: Part) -> Any:
    """The classifier that a part describes, or any error if :func:`encode` makes this of none."""
    _count(_n_steps(part.settings), "the number of steps", _MOST_STEPS, least=0)
    model, width = _decode(part)
    require(width is None, type(model).__name__, "a classifier")
    return model


def _decode(part: Part) -> tuple[Any, int | None]:
    """An estimator, and how many features it makes; None of a classifier."""
    if part.kind == "pipeline":
        return _decode_pipeline(part)
    known = [*_KINDS, "network", "pipeline"]
    require(part.kind in known, f"an estimator of kind {part.kind!r}", f"one of {known}")
    kind = _network_kind() if part.kind == "network" else _KINDS[part.kind]
    estimator, settings = kind.estimator(), part.settings
    _decode_params(estimator, settings["params"])
    estimator.n_features_in_ = _count(settings["n_features"], "n_features")
    if is_classifier(estimator):
        estimator.classes_ = _decode_classes(settings["classes"], settings["classes_dtype"])
    if scale := settings.get("pixel_scale"):
        require(scale in SCALES, f"pixel_scale {scale!r}", f"one of {list(SCALES)}")
        estimator._pixel_scale = scale
    width = kind.decode(estimator, settings, _lay_out(part.arrays, settings["layouts"]))
    _decode_names_and_output(estimator, settings["feature_names"], settings["output"])
    if part.kind == "forest":  # whose arrays were wider before format 3
        part = part._replace(arrays=_compact(part.arrays))
    _require_equal(encode(estimator), part)
    return estimator, width


# -- what all kinds share --------------------------------------------------------------------------


def _require_equal(ours: Part, read: Part) -> None:
    """Raise ModelFormatError unless the estimator that was built is saved as what was read."""
    names, found = sorted(ours.settings), sorted(read.settings)
    require(found == names, f"{found} in {read.kind!r}", f"{names}")
    for name in names:
        here, there = ours.settings[name], read.settings[name]
        if name == "layouts":  # a single row may lie in memory in many ways
            continue
        if name == "params":  # another version may have more of them
            here = {key: value for key, value in here.items() if key in there}
        same = json.dumps(here, sort_keys=True) == json.dumps(there, sort_keys=True)
        require(same, f"{name} {there!r} in {read.kind!r}", f"{here!r}")
    names, found = sorted(ours.arrays), sorted(read.arrays)
    require(found == names, f"arrays {found} in {read.kind!r}", f"{names}")
    for name, array in ours.arrays.items():
        other = read.arrays[name]
        same = array.dtype == other.dtype and np.array_equal(array, other, equal_nan=True)
        require(same, f"values in {name!r} of {read.kind!r} that no model has", "a model's")


def _common_settings(estimator: Any, arrays: Arrays) -> dict[str, Any]:
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise TypeError(f"{name} must be an array. Got {array!r} instead: densify it first.")
    names = getattr(estimator, "feature_names_in_", None)
    settings = {
        "params": {
            name: _encode_parameter(name, value)
            for name, value in estimator.get_params(deep=False).items()
            # "deprecated" is scikit-learn's default for a parameter that it will remove
            if name not in _NOT_KEPT and not (isinstance(value, str) and value == "deprecated")
        },
        "n_features": _count(int(estimator.n_features_in_), "n_features"),
        "feature_names": None if names is None else list(names),
        "output": getattr(estimator, "_sklearn_output_config", {}).get("transform"),
        # the last bits of a sum depend on the matrix's layout in memory
        "layouts": {name: _layout(array) for name, array in arrays.items() if array.ndim == 2},
    }
    if getattr(estimator, "_pixel_scale", None):  # which older files do not have
        settings["pixel_scale"] = estimator._pixel_scale
    return settings | (_encode_classes(estimator.classes_) if is_classifier(estimator) else {})


def _encode_attributes(*names: str) -> Callable[[Any], _Content]:
    """An encoder of what was learned: whole numbers are settings, and all else is an array."""

    def encode_them(estimator: Any) -> _Content:
        settings, arrays = {}, {}
        for name in names:
            value = getattr(estimator, f"{name}_")
            if isinstance(value, Integral):
                settings[name] = int(value)
            else:
                arrays[name] = np.atleast_1d(value) if np.isscalar(value) else value
        return settings, arrays

    return encode_them


def _layout(matrix: NDArray[Any]) -> list[bool]:
    """Whether it is column-major, and whether its rows, and its columns, are stored backwards."""
    down, across = matrix.strides
    return [abs(down) < abs(across), down < 0, across < 0]


def _lay_out(arrays: Arrays, layouts: dict[str, list[bool]]) -> Arrays:
    """The arrays with each matrix in memory as its layout says."""
    matrices = {name for name, array in arrays.items() if array.ndim == 2}
    found = f"layouts of {sorted(layouts)}"
    require(set(layouts) == matrices, found, f"one of each matrix, {sorted(matrices)}")
    laid_out = dict(arrays)
    for name, layout in layouts.items():
        require(layout in _LAYOUTS, f"layout {layout!r}", "three of true and false")
        by_column, *backwards = layout
        reverse = tuple(slice(None, None, -1 if back else None) for back in backwards)
        laid_out[name] = np.array(arrays[name][reverse], order="F" if by_column else "C")[reverse]
    return laid_out


def _encode_parameter(name: str, value: Any) -> Any:
    """A parameter as data for JSON, or TypeError where it could not be decoded again."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, tuple | list):
        return [_encode_parameter(name, item) for item in value]
    if isinstance(value, dict):  # its keys are labels, of which JSON would make strings
        return {"pairs": [_encode_parameter(name, pair) for pair in value.items()]}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(
        f"A model is saved as plain data: {name} must be a number, a string, None, a sequence "
        f"or a dict of these. Got {value!r} instead. Pickle or joblib can keep it, for readers "
        "who trust you."
    )


def _decode_params(estimator: Any, params: dict[str, Any]) -> None:
    known = set(estimator.get_params(deep=False)) - _NOT_KEPT
    others = sorted(set(params) - known)
    require(not others, f"{others}", f"parameters of {type(estimator).__name__}")
    for name, value in params.items():
        value = tuple(value) if isinstance(value, list) else value
        setattr(estimator, name, dict(value["pairs"]) if isinstance(value, dict) else value)
    if hasattr(estimator, "_parameter_constraints"):  # scikit-learn's; kinds check ours
        estimator._validate_params()


def _decode_names_and_output(estimator: Any, names: Any, output: Any) -> None:
    if names is not None:
        n = estimator.n_features_in_
        sound = isinstance(names, list) and len(names) == n and all(type(a) is str for a in names)
        require(sound, "other feature names", f"names of {n} features")
        estimator.feature_names_in_ = np.array(names, dtype=object)
    require(output in _OUTPUTS, f"output {output!r}", f"one of {_OUTPUTS}")
    if output is not None:
        estimator.set_output(transform=output)


def _count(value: Any, name: str, most: int = _MOST_FEATURES, least: int = 1) -> int:
    """The value, if it is a whole number from ``least`` to ``most``."""
    sound = type(value) is int and least <= value <= most
    require(sound, f"{value!r}", f"{name} to be a whole number from {least} to {most}")
    return int(value)


def _take(
    arrays: Arrays, name: str, shape: tuple[int, ...], *dtypes: Any, finite: bool = True
) -> NDArray[Any]:
    """An array of the file, if it has that shape and one of these types, and is finite."""
    array, types = arrays[name], " or ".join(np.dtype(dtype).name for dtype in dtypes)
    require(
        array.dtype in dtypes and array.shape == shape,
        f"array {name!r} of {array.dtype} and shape {array.shape}",
        f"{types} of shape {shape}",
    )
    sound = not finite or bool(np.isfinite(array).all())
    require(sound, f"values in {name!r} that are not finite", "finite ones")
    return array


def _encode_classes(classes: Any) -> dict[str, Any]:
    if not (isinstance(classes, np.ndarray) and _LABEL_DTYPE.fullmatch(classes.dtype.str)):
        raise TypeError(
            "A model is saved as plain data: it must have one label for each row, a number, a "
            f"string or a boolean. Got {classes!r} instead. Fit it on y.astype(str)."
        )
    labels = _encode_parameter("classes_", classes.tolist())
    return {"classes": labels, "classes_dtype": classes.dtype.str}


def _decode_classes(labels: Any, dtype: Any) -> NDArray[Any]:
    """Two labels or more, in ascending order."""
    sound = _LABEL_DTYPE.fullmatch(str(dtype)) is not None and isinstance(labels, list)
    # float.is_integer is False of NaN and infinity too; scikit-learn refuses other floats as labels
    sound = sound and all(
        type(label) in (bool, int, str) or (type(label) is float and label.is_integer())
        for label in labels
    )
    require(sound, f"labels of type {dtype!r}", "a list of numbers, strings or booleans")
    require(len(labels) >= 2, "fewer than two classes", "two or more")
    ascending = all(one < other for one, other in pairwise(labels))
    require(ascending, f"labels {labels!r}", "labels in ascending order, each once")
    n_characters = len(labels) * int(dtype[2:]) if dtype[1] == "U" else 0
    _count(n_characters, "the number of characters in labels", _MOST_CHARACTERS, least=0)
    return np.array(labels, dtype=dtype)


# -- pipelines -------------------------------------------------------------------------------------


def _encode_pipeline(pipeline: Pipeline) -> Part:
    steps: list[dict[str, Any]] = []
    arrays: Arrays = {}
    for number, (name, estimator) in enumerate(pipeline.steps):
        part = encode(estimator)
        steps.append({"name": name, "kind": part.kind, "settings": part.settings})
        arrays |= {f"{number}/{key}": array for key, array in part.arrays.items()}
    return Part("pipeline", {"steps": steps}, arrays)


def _decode_pipeline(part: Part) -> tuple[Pipeline, int | None]:
    found, described = sorted(part.settings), part.settings["steps"]
    require(found == ["steps"], f"{found} in a pipeline", "its steps")
    require(len(described) > 0, "a pipeline without steps", "one step or more")
    of_steps: list[Arrays] = [{} for _ in described]
    known = {str(number): arrays for number, arrays in enumerate(of_steps)}
    for key, array in part.arrays.items():
        number, _, name = key.partition("/")
        require(number in known, f"arrays of steps {number!r}", f"those of {len(described)} steps")
        known[number][name] = array
    steps: list[tuple[str, Any]] = []
    width: int | None = None
    for step, arrays in zip(described, of_steps, strict=True):
        require(step.keys() == _IN_STEP, f"{sorted(step)} in a step", f"{sorted(_IN_STEP)}")
        estimator, n_out = _decode(Part(step["kind"], step["settings"], arrays))
        if steps:
            before, n_in = type(steps[-1][1]).__name__, estimator.n_features_in_
            expected = f"one for the {width} features of {before}"  # None: of a classifier
            require(n_in == width, f"a step for {n_in}", expected)
        steps.append((step["name"], estimator))
        width = n_out
    pipeline = Pipeline(steps)
    pipeline._validate_names([name for name, _ in steps])
    return pipeline, width


def _n_steps(settings: dict[str, Any], depth: int = 0) -> int:
    """The steps of a pipeline, and of those within it, which must not be nested deep."""
    steps = settings.get("steps", ())
    deep = bool(steps) and depth >= _DEEPEST
    require(not deep, "one more", f"pipelines nested at most {_DEEPEST} deep")
    return sum(1 + _n_steps(step["settings"], depth + 1) for step in steps)


# -- transformers: decoding returns how many features they make ------------------------------------


def _decode_identity(identity: FunctionTransformer, _: dict[str, Any], __: Arrays) -> int:
    """It has no function: that would be code."""
    require(not (identity.kw_args or identity.inv_kw_args), "arguments", "none, without a function")
    return int(identity.n_features_in_)


def _decode_pixels(same: CleanPaper | Deskew, _: dict[str, Any], __: Arrays) -> int:
    return math.prod(resolve_shape(same.image_shape, same.n_features_in_))


def _decode_hog(hog: HogFeatures, _: dict[str, Any], __: Arrays) -> int:
    (height, width), (down, across), n_features = hog._layout(hog.n_features_in_)
    _count(height * down + width * across, "the number of weights of pixels in windows")
    return _count(n_features, "the number of gradients' features")


def _decode_pca(pca: PCA, settings: dict[str, Any], arrays: Arrays) -> int:
    n_features = pca.n_features_in_
    pca.n_samples_ = _count(settings["n_samples"], "n_samples", most=2**63 - 1)
    n = _count(settings["n_components"], "n_components", most=min(pca.n_samples_, n_features))
    parameter = pca.n_components  # or a share of the variance, "mle" or None
    is_equal = not isinstance(parameter, int) or parameter == n
    require(is_equal, f"{n} components where n_components={parameter}", "as many")
    pca.n_components_ = n
    pca.components_ = _take(arrays, "components", (n, n_features), *_FLOATS)
    dtype = pca.components_.dtype  # these two are combined with it in place
    pca.mean_ = _take(arrays, "mean", (n_features,), dtype)
    pca.explained_variance_ = _take(arrays, "explained_variance", (n,), dtype)
    pca.singular_values_ = _take(arrays, "singular_values", (n,), *_FLOATS)
    # the share of a variance of 0 is 0 / 0
    ratio = _take(arrays, "explained_variance_ratio", (n,), *_FLOATS, finite=False)
    pca.explained_variance_ratio_ = ratio
    pca.noise_variance_ = _take(arrays, "noise_variance", (1,), *_FLOATS)[0]
    sound = bool((pca.explained_variance_ >= 0).all())
    require(sound, "a negative variance", "variances of 0 or more")
    return n


def _decode_products(products: PolynomialFeatures, _: dict[str, Any], __: Arrays) -> int:
    degree, n_features = products.degree, products.n_features_in_
    highest = degree[-1] if isinstance(degree, tuple) else degree
    _count(highest, "degree", _HIGHEST_DEGREE, least=0)
    # scikit-learn makes products of lower degrees first, and then drops them
    _count(math.comb(n_features + highest, highest), "the number of products")
    products.fit(csr_array((1, n_features)))  # a dense row would take 128 MB
    return int(products.n_output_features_)


def _decode_standardize(scaler: Standardize, _: dict[str, Any], arrays: Arrays) -> int:
    check_scalar(scaler.power, "power", Real, min_val=0, max_val=1)
    shape = (scaler.n_features_in_,)
    scaler.mean_ = _take(arrays, "mean", shape, np.float64)
    scaler.scale_ = _take(arrays, "scale", shape, np.float64)
    require(bool((scaler.scale_ > 0).all()), "a scale of 0 or less", "scales above 0")
    return scaler.n_features_in_


def _decode_class_scores(scores: ClassScores, _: dict[str, Any], arrays: Arrays) -> int:
    n_features, n_scores = scores.n_features_in_, _count(len(arrays["low"]), "the number of scores")
    n = _count(len(arrays["components"]), "the number of components", n_features)
    n_products = _count(math.comb(n + 2, 2), "the number of products")
    scores.components_ = _take(arrays, "components", (n, n_features), np.float64)
    scores.mean_ = _take(arrays, "mean", (n_features,), np.float64)
    scores.coef_ = _take(arrays, "coef", (n_scores, n_products), np.float64)
    scores.low_ = _take(arrays, "low", (n_scores,), np.float64)
    scores.step_ = _take(arrays, "step", (n_scores,), np.float64)
    require(bool((scores.step_ > 0).all()), "a step of 0 or less", "steps above 0")
    return n_features + n_scores


# -- logistic regression ---------------------------------------------------------------------------


def _decode_logistic(model: LogisticRegression, _: dict[str, Any], arrays: Arrays) -> None:
    """A row of coefficients for each class; a single row for two classes."""
    n_classes = len(model.classes_)
    n_rows = 1 if n_classes == 2 else n_classes
    model.coef_ = _take(arrays, "coef", (n_rows, model.n_features_in_), *_FLOATS)
    model.intercept_ = _take(arrays, "intercept", (n_rows,), *_FLOATS)
    model.n_iter_ = _take(arrays, "n_iter", (1,), np.int32)
    _count(int(model.n_iter_[0]), "n_iter", model.max_iter, least=0)


# -- the forest: an array of all trees' nodes for each field ---------------------------------------


def _encode_forest(model: RandomForestClassifier) -> _Content:
    """Nodes and their values, tree after tree, and how many nodes each tree has."""
    states = [tree.tree_.__getstate__() for tree in model.estimators_]
    nodes = np.concatenate([state["nodes"] for state in states])
    arrays = {f"node.{name}": nodes[name] for name in NODE_DTYPE.names}
    arrays["values"] = np.concatenate([state["values"][:, 0, :] for state in states])
    arrays["node_count"] = np.array([state["node_count"] for state in states], dtype=np.int64)
    return {}, _compact(arrays)


def _compact(arrays: Arrays) -> Arrays:
    """A forest's arrays with the same numbers in a third of the bytes.

    Shares of classes become numbers of rows, where every row weighs a whole number.
    """
    shares, rows = arrays["values"], arrays["node.weighted_n_node_samples"][:, None]
    if shares.dtype == np.float64 and rows.max() < 2**53:
        counts = np.rint(shares * rows)
        if np.array_equal(counts / rows, shares):
            arrays = arrays | {"values": counts.astype(np.int64)}
    return {name: _narrowed(array) for name, array in arrays.items()}


def _narrowed(array: NDArray[Any]) -> NDArray[Any]:
    """The same numbers in the smallest dtype of their kind; float64 in float32 if they fit."""
    if array.dtype == np.float64:
        with np.errstate(over="ignore"):
            narrow = array.astype(np.float32)
        return narrow if np.array_equal(narrow, array) else array
    if array.dtype.kind not in "iu":
        return array
    least, most = array.min(), array.max()
    of_most = np.min_scalar_type(most if least >= 0 else -1 - most)  # signed, if one is below 0
    return array.astype(np.result_type(np.min_scalar_type(least), of_most))


def _decode_forest(model: RandomForestClassifier, _: dict[str, Any], arrays: Arrays) -> None:
    """scikit-learn's own trees, each of them checked: scikit-learn walks them without looking."""
    model.n_classes_, model.n_outputs_ = len(model.classes_), 1
    counts = _widened(arrays, "node_count", (model.n_estimators,), np.int64)
    # in Python's int: counts near 2**63 could overflow to a plausible sum
    total = sum(int(number) for number in counts)
    require(bool((counts > 0).all()), "a tree without nodes", "one node or more in each")
    # first, since a number of nodes that is not that of an array would take any memory
    values = _widened(arrays, "values", (total, model.n_classes_), np.float64)
    nodes = _decode_nodes(arrays, total)
    if arrays["values"].dtype.kind in "iu":
        values = values / nodes["weighted_n_node_samples"][:, None]
    shares = (values >= 0).all() and np.allclose(values.sum(axis=1), 1, rtol=0, atol=1e-6)
    require(bool(shares), "values that are no shares of classes", "shares with a sum of 1")
    tree_params = {name: getattr(model, name) for name in model.estimator_params}
    model.estimators_ = []
    ends = np.cumsum(counts)
    for number, (start, end) in enumerate(zip(ends - counts, ends, strict=True)):
        estimator = DecisionTreeClassifier(**tree_params | {"random_state": None})
        estimator.n_features_in_, estimator.n_outputs_ = model.n_features_in_, 1
        estimator.n_classes_ = model.n_classes_
        estimator.classes_ = np.arange(model.n_classes_, dtype=np.float64)
        estimator.tree_ = Tree(model.n_features_in_, np.array([model.n_classes_]), 1)
        estimator.tree_.__setstate__(
            {
                "max_depth": _check_tree(number, nodes[start:end], model.n_features_in_),
                "node_count": int(end - start),
                "nodes": nodes[start:end].copy(),
                "values": np.ascontiguousarray(values[start:end, None, :]),
            }
        )
        model.estimators_.append(estimator)


def _decode_nodes(arrays: Arrays, total: int) -> NDArray[Any]:
    """scikit-learn's array of nodes, from an array of the file for each of its fields."""
    nodes = np.zeros(total, dtype=NODE_DTYPE)
    for name in NODE_DTYPE.names:
        # a forest fitted on missing values splits at infinity
        finite = name != "threshold"
        dtype = NODE_DTYPE[name]
        nodes[name] = _widened(arrays, f"node.{name}", (total,), dtype, finite=finite)
    require(not np.isnan(nodes["threshold"]).any(), "thresholds of NaN", "numbers")
    require(bool((nodes["missing_go_to_left"] <= 1).all()), "other flags", "flags of 0 or 1")
    sound = bool((nodes["weighted_n_node_samples"] > 0).all())
    require(sound, "nodes without rows", "weights above 0")
    return nodes


def _widened(
    arrays: Arrays, name: str, shape: tuple[int, ...], dtype: Any, finite: bool = True
) -> NDArray[Any]:
    """An array of the file in the dtype that scikit-learn gives it, with the same numbers."""
    found = arrays[name].dtype
    fits = found if np.can_cast(found, dtype, "safe") else dtype
    return _take(arrays, name, shape, fits, finite=finite).astype(dtype, copy=False)


def _check_tree(number: int, nodes: NDArray[Any], n_features: int) -> int:
    """The depth of a tree, or ModelFormatError where walking it could leave it or never end.

    scikit-learn numbers children after their parents. A tree numbered so is finite, and one that
    is not was not made by scikit-learn.
    """
    left, right, feature = nodes["left_child"], nodes["right_child"], nodes["feature"]
    index, inner = np.arange(len(nodes)), left != -1
    children = np.sort(np.concatenate([left[inner], right[inner]]))
    one_parent_each = np.array_equal(children, index[1:])  # and none out of bounds
    require(one_parent_each, f"tree {number} with nodes shared, missing or left over", "a tree")
    sound = np.where(
        inner,
        (index < left) & (index < right) & (feature >= 0) & (feature < n_features),
        right == -1,
    )
    node = int(np.argmin(sound))
    require(bool(sound.all()), f"tree {number} node {node} out of order", "children after parents")
    rows = nodes["n_node_samples"]
    adds_up = (rows > 0).all() and (rows[inner] == rows[left[inner]] + rows[right[inner]]).all()
    require(bool(adds_up), f"tree {number} with rows lost or made up", "those of both children")
    depth, level = 0, np.flatnonzero(inner[:1])
    while len(level):
        depth += 1
        level = np.concatenate([left[level], right[level]])
        level = level[inner[level]]
    return depth


# -- the network -----------------------------------------------------------------------------------


def _encode_network(model: "SequentialClassifier") -> _Content:
    """The layers' sizes and weights, and the history of training."""
    from mnist_models.network import Conv, Dense

    network = model._network
    if model.build_fn is not None or not isinstance(network, Dense | Conv):
        raise TypeError(
            "A network built by build_fn is code, and a model is saved as plain data. "
            "Save model_.get_weights(), or pickle it for readers who trust you."
        )
    layers = {"kind": type(network).__name__.lower(), **network._asdict()}
    settings = {"network": layers, "history": model.history_, "best_epoch": model.best_epoch_}
    return settings, {f"weight{i}": weight for i, weight in enumerate(model.model_.get_weights())}


def _decode_network(
    model: "SequentialClassifier", settings: dict[str, Any], arrays: Arrays
) -> None:
    """A network whose layers and weights fit together."""
    from mnist_models.network import Conv

    classes, history = model.classes_, settings["history"]
    network = _decode_layers(settings["network"], model.n_features_in_, len(classes))
    # shapes are compared with the arrays before a network of that size is built
    shapes = enumerate(network.weight_shapes())
    weights = [_take(arrays, f"weight{i}", shape, np.float32) for i, shape in shapes]
    if isinstance(network, Conv):
        for variance in weights[1::5]:  # of the normalization, and of four filter layers
            require(bool((variance >= 0).all()), "a negative variance", "none below 0")
    best_epoch = _count(settings["best_epoch"], "best_epoch", _n_epochs(history) - 1, least=0)
    model._restore(network, classes, weights, history, best_epoch)


def _n_epochs(history: dict[str, list[float]]) -> int:
    """The epochs told of. Where ``partial_fit`` went on, rows were held out in the first only."""
    require(set(history) <= _IN_HISTORY, f"a history of {sorted(history)}", f"{_IN_HISTORY}")
    n_epochs = len(history["loss"])
    for name, values in history.items():
        sound = isinstance(values, list) and all(type(value) is float for value in values)
        sound = sound and 0 < len(values) <= n_epochs
        require(sound, f"{name} {values!r}", f"a number for each of {n_epochs} epochs")
    return n_epochs


def _decode_layers(layers: dict[str, Any], n_features: int, n_classes: int) -> Any:
    from mnist_models.network import LEAST_SIDE, Conv, Dense

    l2, dropout = float(layers["l2"]), float(layers["dropout"])
    sound = 0 <= l2 < math.inf and 0 <= dropout < 1
    require(sound, f"l2 {l2} and dropout {dropout}", "l2 of at least 0 and dropout in [0, 1)")
    kind = layers["kind"]
    if kind == "dense":
        units = tuple(_count(size, "hidden_units") for size in layers["hidden_units"])
        _count(len(units), "the number of hidden layers", _MOST_LAYERS, least=0)
        return Dense(n_features, n_classes, units, l2, dropout)
    require(kind == "conv", f"a network of kind {kind!r}", "one of ['dense', 'conv']")
    height = _count(layers["height"], "height", _LONGEST_SIDE, LEAST_SIDE)
    width = _count(layers["width"], "width", _LONGEST_SIDE, LEAST_SIDE)
    require(height * width == n_features, f"{height} by {width}", f"{n_features} pixels")
    return Conv(height, width, n_classes, l2, dropout)


# -- the kinds; two of our classes are models of scikit-learn, only fitted faster ------------------

_encode_nothing = _encode_attributes()
_encode_scale = _encode_attributes("mean", "scale")
_encode_class_scores = _encode_attributes("mean", "components", "coef", "low", "step")
_encode_logistic = _encode_attributes("coef", "intercept", "n_iter")
_encode_pca = _encode_attributes(
    *("n_components", "n_samples", "components", "mean", "explained_variance"),
    *("explained_variance_ratio", "singular_values", "noise_variance"),
)
_KINDS = {
    "identity": _Kind(FunctionTransformer, _encode_nothing, _decode_identity),
    "clean-paper": _Kind(CleanPaper, _encode_nothing, _decode_pixels),
    "deskew": _Kind(Deskew, _encode_nothing, _decode_pixels),
    "hog": _Kind(HogFeatures, _encode_nothing, _decode_hog),
    "pca": _Kind(PCA, _encode_pca, _decode_pca),
    "products": _Kind(PolynomialFeatures, _encode_nothing, _decode_products),
    "standardize": _Kind(Standardize, _encode_scale, _decode_standardize),
    "class-scores": _Kind(ClassScores, _encode_class_scores, _decode_class_scores),
    "logistic": _Kind(LogisticRegression, _encode_logistic, _decode_logistic, SklearnLogistic),
    "forest": _Kind(RandomForestClassifier, _encode_forest, _decode_forest, SklearnForest),
}


def _network_kind() -> _Kind:
    """That of the network, whose class loads TensorFlow: asked for where there is one."""
    from mnist_models.network import SequentialClassifier

    return _Kind(SequentialClassifier, _encode_network, _decode_network)
