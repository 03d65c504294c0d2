"""A decision tree grown by counting, which is scikit-learn's own object once it is grown.

Importing this module imports numba.
"""

from math import ceil
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeClassifier
from sklearn.tree._tree import Tree
from sklearn.utils import check_random_state

from mnist_models._forest.kernels import NODE, RULES, Sample, grow_tree
from mnist_models._forest.levels import Levels

_RAND_R_MAX = 2147483647  # scikit-learn draws a tree's seed below this


class CountedTree(DecisionTreeClassifier):
    """A tree of a forest that is still to be grown, with the levels to grow it from."""

    levels: Levels

    def _fit(
        self, X: object, y: NDArray[np.float64], sample_weight: Any = None, **checked: Any
    ) -> Self:
        """Grow the tree and turn it into a plain DecisionTreeClassifier.

        scikit-learn's forest calls this in place of its own method; X is not read.
        """
        by_row, by_column, values = self.__dict__.pop("levels")
        self.__class__ = DecisionTreeClassifier
        labels = y.ravel().astype(np.uint8)
        weights = np.ones(len(labels)) if sample_weight is None else np.asarray(sample_weight)
        if not (weights.min() >= 0 and 0 < weights.sum() < np.inf):  # left to scikit-learn
            X = np.take_along_axis(values.T, by_row.astype(np.intp), axis=0)
            return self._fit(X, y, sample_weight, **checked)
        n_classes = int(labels.max()) + 1
        self.n_features_in_, self.n_outputs_ = by_row.shape[1], 1
        self.n_classes_, self.classes_ = n_classes, np.arange(n_classes, dtype=np.float64)
        self.max_features_ = _n_features_to_try(self.max_features, self.n_features_in_)
        sample = _in_bag(labels, weights.astype(np.float64, copy=False))
        nodes = np.empty(2 * len(sample.rows) - 1, dtype=NODE)
        shares = np.empty((len(nodes), n_classes))
        spare = Sample(*map(np.empty_like, sample))
        rules = _rules(self, len(labels), weights)
        n_nodes, depth = grow_tree(by_row, by_column, sample, spare, rules, nodes, shares)
        self.tree_ = _sklearn_tree(nodes[:n_nodes], shares[:n_nodes], depth, values)
        self._prune_tree()
        return self


def _in_bag(labels: NDArray[np.uint8], weights: NDArray[np.float64]) -> Sample:
    """The rows that weigh something: those drawn for this tree."""
    rows = np.flatnonzero(weights).astype(np.uint32)
    return Sample(rows, labels[rows], weights[rows])


def _rules(tree: DecisionTreeClassifier, n: int, weights: NDArray[np.float64]) -> NDArray[Any]:
    """The tree's parameters, resolved to numbers as scikit-learn resolves them."""
    rules = np.zeros(1, dtype=RULES)
    leaf: Any = tree.min_samples_leaf
    split: Any = tree.min_samples_split
    leaf = leaf if isinstance(leaf, Integral) else ceil(leaf * n)
    split = split if isinstance(split, Integral) else max(2, ceil(split * n))
    rules["entropy"] = tree.criterion != "gini"
    rules["max_features"] = tree.max_features_
    rules["max_depth"] = np.iinfo(np.int32).max if tree.max_depth is None else tree.max_depth
    rules["min_samples_leaf"] = leaf
    rules["min_samples_split"] = max(split, 2 * leaf)
    rules["min_weight_leaf"] = tree.min_weight_fraction_leaf * weights.sum()
    rules["min_impurity_decrease"] = tree.min_impurity_decrease
    rules["seed"] = check_random_state(tree.random_state).randint(0, _RAND_R_MAX)
    return rules


def _n_features_to_try(max_features: Any, n_features: int) -> int:
    if max_features is None:
        return n_features
    if isinstance(max_features, Integral):
        return int(max_features)
    if isinstance(max_features, str):
        return max(1, int({"sqrt": np.sqrt, "log2": np.log2}[max_features](n_features)))
    return max(1, int(max_features * n_features))


def _sklearn_tree(
    grown: NDArray[Any], shares: NDArray[np.float64], depth: int, values: NDArray[np.float32]
) -> Tree:
    """The grown nodes as scikit-learn's tree, with the values of the levels as thresholds."""
    n_features, n_classes = len(values), shares.shape[1]
    tree = Tree(n_features, np.array([n_classes]), 1)
    nodes = np.zeros(len(grown), dtype=tree.__getstate__()["nodes"].dtype)
    splits = grown["feature"] >= 0
    feature = grown["feature"][splits]
    # the midpoint of two float32 is computed in float64 from halves, as in scikit-learn
    low, high = (values[feature, grown[side][splits]].astype(float) for side in ("low", "high"))
    nodes["left_child"], nodes["right_child"] = grown["left"], grown["right"]
    nodes["feature"], nodes["threshold"] = grown["feature"], -2.0
    nodes["threshold"][splits] = low / 2 + high / 2
    nodes["impurity"] = grown["impurity"]
    nodes["n_node_samples"], nodes["weighted_n_node_samples"] = grown["n_rows"], grown["weight"]
    nodes["missing_go_to_left"] = grown["more_left"]
    state = {"max_depth": depth, "node_count": len(nodes), "nodes": nodes}
    tree.__setstate__(state | {"values": shares[:, None, :]})
    return tree
