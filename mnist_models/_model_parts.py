"""Each kind of estimator as plain data (numbers, strings, arrays), and back, checked.

A part is what one fitted estimator comes to: ``settings`` that JSON can hold, and ``arrays``. The
kinds below are all there are: a file names one of them, and nothing else is ever built.
"""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeClassifier

from mnist_models._keras import build_dense
from mnist_models.exceptions import ModelFormatError
from mnist_models.forest import RandomForestClassifier
from mnist_models.linear import LogisticRegression
from mnist_models.network import SequentialClassifier
from mnist_models.preprocessing import Standardize

Arrays = dict[str, NDArray[Any]]

# How a fit was run, which says nothing about the model it made.
_NOT_KEPT = ("n_jobs", "verbose", "warm_start")


class Part(NamedTuple):
    """One estimator as data: its kind, what JSON holds of it, and its arrays."""

    kind: str
    settings: dict[str, Any]
    arrays: Arrays


class _Kind(NamedTuple):
    estimator: type
    encode: Callable[[Any], tuple[dict[str, Any], Arrays]]
    decode: Callable[[Any, dict[str, Any], Arrays], None]


def encode(estimator: Any) -> Part:
    """A fitted estimator as data.

    Raises
    ------
    TypeError
        If it is of no known kind, or a parameter of it is no plain value.
    """
    for name, kind in _KINDS.items():
        if type(estimator) is kind.estimator:
            settings, arrays = kind.encode(estimator)
            return Part(name, _common_settings(estimator) | settings, arrays)
    known = ", ".join(kind.estimator.__name__ for kind in _KINDS.values())
    raise TypeError(
        f"model must be one of {known}, or a Pipeline of these. "
        f"Got {type(estimator).__name__} instead; of a search, save its best_estimator_."
    )


def decode(part: Part) -> Any:
    """The estimator that a part describes.

    Raises
    ------
    ModelFormatError
        If the part is not what :func:`encode` makes of any estimator.
    """
    _require(part.kind in _KINDS, f"an estimator of kind {part.kind!r}", f"one of {list(_KINDS)}")
    kind = _KINDS[part.kind]
    settings = part.settings
    estimator = kind.estimator()
    params = settings["params"]
    known = set(estimator.get_params()) - set(_NOT_KEPT)
    _require(set(params) <= known, f"parameters {sorted(params)}", f"some of {sorted(known)}")
    for name, value in params.items():
        setattr(estimator, name, tuple(value) if isinstance(value, list) else value)
    estimator.n_features_in_ = _count(settings["n_features"], "n_features")
    if settings["feature_names"] is not None:
        estimator.feature_names_in_ = np.array(settings["feature_names"], dtype=object)
    kind.decode(estimator, settings, part.arrays)
    return estimator


def _common_settings(estimator: Any) -> dict[str, Any]:
    params = estimator.get_params(deep=False)
    names = getattr(estimator, "feature_names_in_", None)
    return {
        "params": {
            name: _plain(name, value) for name, value in params.items() if name not in _NOT_KEPT
        },
        "n_features": int(estimator.n_features_in_),
        "feature_names": None if names is None else list(names),
    }


def _plain(name: str, value: Any) -> Any:
    """A parameter as JSON has it, or TypeError where JSON could not give it back."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, tuple | list):
        return [_plain(name, each) for each in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(
        f"A model is saved as plain data: {name} must be a number, a string, None or a sequence "
        f"of these. Got {value!r} instead. Pickle or joblib can keep it, for readers who trust you."
    )


# -- the kinds -------------------------------------------------------------------------------------


def _encode_standardize(scaler: Standardize) -> tuple[dict[str, Any], Arrays]:
    return {}, {"mean": scaler.mean_, "scale": scaler.scale_}


def _decode_standardize(scaler: Standardize, _: dict[str, Any], arrays: Arrays) -> None:
    shape = (scaler.n_features_in_,)
    scaler.mean_ = _array(arrays, "mean", shape, np.float64)
    scaler.scale_ = _array(arrays, "scale", shape, np.float64)
    _require(bool((scaler.scale_ > 0).all()), "a scale of 0 or less", "scales above 0")


def _encode_logistic(model: LogisticRegression) -> tuple[dict[str, Any], Arrays]:
    arrays = {"coef": model.coef_, "intercept": model.intercept_, "n_iter": model.n_iter_}
    # BLAS adds up in another order when the rows lie in memory otherwise
    return _encode_classes(model) | {"by_column": model.coef_.flags.f_contiguous}, arrays


def _decode_logistic(model: LogisticRegression, settings: dict[str, Any], arrays: Arrays) -> None:
    model.classes_ = _decode_classes(settings)
    n_classes = len(model.classes_)
    n_rows = 1 if n_classes == 2 else n_classes
    coef = _array(arrays, "coef", (n_rows, model.n_features_in_), np.floating)
    model.coef_ = np.asfortranarray(coef) if settings["by_column"] else coef
    model.intercept_ = _array(arrays, "intercept", (n_rows,), np.floating)
    model.n_iter_ = _array(arrays, "n_iter", (1,), np.integer)


def _encode_network(model: SequentialClassifier) -> tuple[dict[str, Any], Arrays]:
    if model.build_fn is not None:
        raise TypeError(
            "A network built by build_fn is code, and a model is saved as plain data. "
            "Save model_.get_weights(), or pickle it for readers who trust you."
        )
    spec = model._builder.keywords
    weights = {f"weight{i}": weight for i, weight in enumerate(model.model_.get_weights())}
    told = {"spec": spec, "history": model.history_, "best_epoch": model.best_epoch_}
    return _encode_classes(model) | told, weights


def _decode_network(model: SequentialClassifier, settings: dict[str, Any], arrays: Arrays) -> None:
    classes = _decode_classes(settings)
    units = [_count(each, "hidden_units") for each in settings["spec"]["hidden_units"]]
    sizes = [model.n_features_in_, *units, len(classes)]
    # the shapes are checked against the arrays that came, before a network of that size is built
    shapes = [shape for pair in pairwise(sizes) for shape in (pair, pair[1:])]
    weights = [_array(arrays, f"weight{i}", shape, np.float32) for i, shape in enumerate(shapes)]
    history = {
        str(name): [float(v) for v in values] for name, values in settings["history"].items()
    }
    model.__setstate__(
        vars(model)
        | {
            "classes_": classes,
            "history_": history,
            "n_epochs_": len(history["loss"]),
            "best_epoch_": int(settings["best_epoch"]),
            "_builder": partial(
                build_dense,
                n_features=model.n_features_in_,
                n_classes=len(classes),
                hidden_units=tuple(units),
                l2=float(settings["spec"]["l2"]),
                dropout=float(settings["spec"]["dropout"]),
            ),
            "model_": weights,
        }
    )


def _encode_forest(model: RandomForestClassifier) -> tuple[dict[str, Any], Arrays]:
    states = [tree.tree_.__getstate__() for tree in model.estimators_]
    nodes = np.concatenate([state["nodes"] for state in states])
    arrays = {f"node.{name}": nodes[name] for name in nodes.dtype.names or ()}
    arrays["values"] = np.concatenate([state["values"][:, 0, :] for state in states])
    arrays["node_count"] = np.array([state["node_count"] for state in states], dtype=np.int64)
    return _encode_classes(model), arrays


def _decode_forest(model: RandomForestClassifier, settings: dict[str, Any], arrays: Arrays) -> None:
    model.classes_ = _decode_classes(settings)
    model.n_classes_, model.n_outputs_ = len(model.classes_), 1
    stump = DecisionTreeClassifier().fit([[0.0], [1.0]], np.array([0.0, 1.0]))
    counts = _array(arrays, "node_count", None, np.int64)
    # exact, so that counts near 2**63 cannot wrap around to a plausible sum
    total = sum(int(count) for count in counts.ravel())
    sound = counts.ndim == 1 and len(counts) > 0 and bool((counts > 0).all())
    _require(sound, "node counts that are not one positive number a tree", "such numbers")
    values = _array(arrays, "values", (total, model.n_classes_), np.float64)
    nodes = _decode_nodes(arrays, total, stump.tree_.__getstate__()["nodes"].dtype)
    ends = np.cumsum(counts)
    model.estimators_ = []
    for number, (start, end) in enumerate(zip(ends - counts, ends, strict=True)):
        depth = _check_tree(number, nodes[start:end], model.n_features_in_)
        tree = type(stump.tree_)(model.n_features_in_, np.array([model.n_classes_]), 1)
        tree.__setstate__(
            {
                "max_depth": depth,
                "node_count": int(end - start),
                "nodes": nodes[start:end].copy(),
                "values": np.ascontiguousarray(values[start:end, None, :]),
            }
        )
        model.estimators_.append(_decode_tree(model, tree))


def _decode_tree(model: RandomForestClassifier, tree: Any) -> DecisionTreeClassifier:
    estimator = DecisionTreeClassifier()
    estimator.set_params(
        **{name: getattr(model, name) for name in model.estimator_params if name != "random_state"}
    )
    estimator.tree_ = tree
    estimator.n_features_in_, estimator.n_outputs_ = model.n_features_in_, 1
    estimator.n_classes_ = model.n_classes_
    estimator.classes_ = np.arange(model.n_classes_, dtype=np.float64)
    return estimator


def _decode_nodes(arrays: Arrays, total: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """scikit-learn's own array of nodes, from one array of the file for each of its fields."""
    names = dtype.names or ()
    # a forest fitted on missing values splits at infinity
    fields = {
        name: _array(arrays, f"node.{name}", (total,), dtype[name], finite=name != "threshold")
        for name in names
    }
    nodes = np.zeros(total, dtype=dtype)
    for name, values in fields.items():
        nodes[name] = values
    _require(not np.isnan(nodes["threshold"]).any(), "thresholds of NaN", "numbers")
    return nodes


def _check_tree(number: int, nodes: NDArray[Any], n_features: int) -> int:
    """The depth of a tree, or ModelFormatError where walking it could go astray.

    scikit-learn walks a tree without checking bounds. Its builders number children after their
    parents, so a tree that does is finite, and one that does not was not made by them.
    """
    left, right, feature = nodes["left_child"], nodes["right_child"], nodes["feature"]
    index, inner = np.arange(len(nodes)), left != -1
    children = np.sort(np.concatenate([left[inner], right[inner]]))
    one_parent_each = np.array_equal(children, index[1:])  # so none is out of bounds either
    _require(one_parent_each, f"tree {number} with nodes shared, missing or left over", "a tree")
    sound = np.where(
        inner,
        (index < left) & (index < right) & (feature >= 0) & (feature < n_features),
        right == -1,
    )
    if not sound.all():
        at = int(np.argmin(sound))
        _require(False, f"tree {number} node {at} out of order", "children behind their parent")
    depth = np.zeros(len(nodes), dtype=np.int64)
    for parent in np.flatnonzero(inner):
        depth[[left[parent], right[parent]]] = depth[parent] + 1
    return int(depth.max())


_KINDS = {
    "standardize": _Kind(Standardize, _encode_standardize, _decode_standardize),
    "logistic": _Kind(LogisticRegression, _encode_logistic, _decode_logistic),
    "forest": _Kind(RandomForestClassifier, _encode_forest, _decode_forest),
    "network": _Kind(SequentialClassifier, _encode_network, _decode_network),
}


# -- what every kind needs -------------------------------------------------------------------------


def _encode_classes(model: Any) -> dict[str, Any]:
    classes = model.classes_
    if classes.dtype.kind == "O":  # strings from a DataFrame, say
        _plain("classes_", classes.tolist())
    return {"classes": classes.tolist(), "classes_dtype": classes.dtype.str}


# JSON's types for NumPy's kinds; objects are labels such as a DataFrame's column of strings
_LABEL_KINDS: dict[str, Any] = {
    "i": int,
    "u": int,
    "f": float,
    "b": bool,
    "U": str,
    "O": str | int | float,
}


def _decode_classes(settings: dict[str, Any]) -> NDArray[Any]:
    labels, name = settings["classes"], settings["classes_dtype"]
    _require(isinstance(labels, list) and len(labels) >= 2, "fewer than two classes", "two or more")
    kind = _LABEL_KINDS.get(str(name)[1:2])
    _require(
        kind is not None and all(isinstance(each, kind) for each in labels),
        f"labels {labels!r} of type {name!r}",
        "numbers, strings or booleans of their type",
    )
    return np.array(labels, dtype=str if kind is str else np.dtype(str(name)))


def _array(
    arrays: Arrays,
    name: str,
    shape: tuple[int, ...] | None,
    dtype: np.dtype[Any] | type,
    finite: bool = True,
) -> NDArray[Any]:
    """An array of the file, if it is of that shape (None: any), type or kind, and finite."""
    _require(name in arrays, f"no array {name!r}", f"one beside {sorted(arrays)}")
    array = arrays[name]
    # a dtype is compared as such: issubdtype tells C's "long" from "long long" of one size
    exact = isinstance(dtype, np.dtype)
    right_type = array.dtype == dtype if exact else np.issubdtype(array.dtype, dtype)
    _require(
        right_type and array.shape == (array.shape if shape is None else shape),
        f"array {name!r} of {array.dtype} and shape {array.shape}",
        f"{dtype} of shape {shape}",
    )
    sound = not finite or bool(np.isfinite(array).all())
    _require(sound, f"values in {name!r} that are not finite", "finite ones")
    return array


def _count(value: Any, name: str) -> int:
    sound = type(value) is int and 0 < value < 2**31
    _require(sound, f"{name} {value!r}", "a whole number above 0 and below 2**31")
    return int(value)


def _require(sound: bool, found: str, expected: str) -> None:
    if not sound:
        raise ModelFormatError(f"expected {expected}, found {found}")
