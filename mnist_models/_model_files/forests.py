"""A random forest as plain data, and back: an array of all trees' nodes for each field.

scikit-learn walks a tree without checking bounds, so every node is checked here.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeClassifier

from mnist_models._model_files.checks import Arrays, decode_classes, encode_classes, require, take
from mnist_models.forest import RandomForestClassifier


def encode_forest(model: RandomForestClassifier) -> tuple[dict[str, Any], Arrays]:
    """Nodes and their values, tree after tree, and how many nodes each tree has."""
    settings = encode_classes(model)
    states = [tree.tree_.__getstate__() for tree in model.estimators_]
    nodes = np.concatenate([state["nodes"] for state in states])
    arrays = {f"node.{name}": nodes[name] for name in nodes.dtype.names or ()}
    arrays["values"] = np.concatenate([state["values"][:, 0, :] for state in states])
    arrays["node_count"] = np.array([state["node_count"] for state in states], dtype=np.int64)
    return settings, arrays


def decode_forest(model: RandomForestClassifier, settings: dict[str, Any], arrays: Arrays) -> None:
    """scikit-learn's own trees, each of them checked."""
    model.classes_ = decode_classes(settings)
    model.n_classes_, model.n_outputs_ = len(model.classes_), 1
    stump = DecisionTreeClassifier().fit([[0.0], [1.0]], np.array([0.0, 1.0]))
    counts = take(arrays, "node_count", None, np.int64)
    # in Python's int: counts near 2**63 could overflow to a plausible sum
    total = sum(int(number) for number in counts.ravel())
    sound = counts.ndim == 1 and len(counts) > 0 and bool((counts > 0).all())
    require(sound, "node counts that are not one positive number a tree", "such numbers")
    values = take(arrays, "values", (total, model.n_classes_), np.float64)
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
    """scikit-learn's array of nodes, from an array of the file for each of its fields."""
    names = dtype.names or ()
    # a forest fitted on missing values splits at infinity
    fields = {
        name: take(arrays, f"node.{name}", (total,), dtype[name], finite=name != "threshold")
        for name in names
    }
    nodes = np.zeros(total, dtype=dtype)
    for name, values in fields.items():
        nodes[name] = values
    require(not np.isnan(nodes["threshold"]).any(), "thresholds of NaN", "numbers")
    return nodes


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
    if not sound.all():
        node = int(np.argmin(sound))
        require(False, f"tree {number} node {node} out of order", "children behind their parent")
    depth, level = 0, np.flatnonzero(inner[:1])
    while len(level):
        depth += 1
        level = np.concatenate([left[level], right[level]])
        level = level[inner[level]]
    return depth
