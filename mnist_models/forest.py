"""Random forest: scikit-learn's, grown by counting where features have few different values."""

from math import ceil
from numbers import Integral
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.base import _fit_context
from sklearn.ensemble import _forest
from sklearn.ensemble._bootstrap import _get_n_samples_bootstrap
from sklearn.tree import DecisionTreeClassifier
from sklearn.tree._tree import Tree
from sklearn.utils import check_random_state, compute_sample_weight, gen_batches
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted, validate_data

from mnist_models._validation import (
    RestoredOnError,
    as_float32,
    as_rows,
    check_sample_weight,
    check_scale,
    overflow_ignored,
    refuse_misread,
)

if TYPE_CHECKING:
    from mnist_models._forest_kernels import Levels, Sample  # loads numba

# Data with fewer values are left to scikit-learn, which is done before numba is loaded.
_MIN_VALUES = 100_000
_MAX_CLASSES = 256
# Up to this many rows, one thread predicts by scikit-learn's trees, and numba need not be loaded.
_FEW_ROWS = 500
# More rows are sorted into the leaves of each tree in blocks of this many, whose pixels fit in the
# cache by column.
_BLOCK_ROWS = 8192
# scikit-learn draws the seeds of trees, and of the features that they try, below this.
_MAX_SEED = np.iinfo(np.int32).max


# The base class is named by its module: sklearnex.patch_sklearn() puts another into
# sklearn.ensemble, whose trees are not scikit-learn's.
class RandomForestClassifier(_forest.RandomForestClassifier):
    """Random forest with the same trees as scikit-learn's, grown several times faster on images.

    Parameters, attributes and methods are those of ``sklearn.ensemble.RandomForestClassifier``.
    If every column of X has at most 256 different values (8-bit pixels, even standardized), splits
    are found by counting instead of sorting. The trees are scikit-learn's own tree objects, and
    with the same ``random_state`` they are the ones that it would have grown, node for node. If
    weights are not whole numbers, sums round differently, and nodes of a single class are always
    leaves, where rounding can make scikit-learn split them further. Everything else is left to
    scikit-learn: sparse, missing or more different values, ``max_leaf_nodes``, ``monotonic_cst``,
    more than 256 classes, and data of fewer than 100,000 values, for which it is fast enough.

    Unlike scikit-learn's, the forest refuses masked values, dates and text, which would be read as
    numbers, negative weights, and labels in several columns. A ``fit`` that is interrupted leaves
    the forest as it was.

    The compiled code is cached on disk (see ``NUMBA_CACHE_DIR``): only the very first fit compiles.

    Parameters
    ----------
    n_estimators : int, default=100
        Number of trees.
    criterion : {"gini", "entropy", "log_loss"}, default="gini"
        What splits reduce: Gini impurity, or entropy (the other two names).
    max_depth : int or None, default=None
        The most splits between a tree's root and a leaf; None for no limit.
    min_samples_split : int or float, default=2
        The fewest rows of a node that is split; a float is a share of all rows.
    min_samples_leaf : int or float, default=1
        The fewest rows on either side of a split; a float is a share of all rows.
    min_weight_fraction_leaf : float, default=0.0
        The least weight on either side of a split, as a share of the total, from 0 to 0.5.
    max_features : {"sqrt", "log2"}, int, float or None, default="sqrt"
        How many features each split chooses from: the square root or the binary logarithm of
        their number, an int, a float as a share, or all.
    max_leaf_nodes : int or None, default=None
        The most leaves of a tree; None for no limit.
    min_impurity_decrease : float, default=0.0
        The least decrease of impurity by a split, weighted by the node's share of the rows.
    bootstrap : bool, default=True
        Whether each tree is grown from rows drawn with replacement, or from all.
    oob_score : bool or callable, default=False
        Whether to compute the out-of-bag score: accuracy, or the callable of true and predicted
        labels.
    n_jobs : int, default=None
        Threads that grow trees, and predict many rows; None for 1, -1 for one per core.
    random_state : int, RandomState instance or None, default=None
        Controls the draws of rows and features. The same int gives the same trees.
    verbose : int, default=0
        Above 0: joblib prints its progress.
    warm_start : bool, default=False
        Keep the trees of the last fit, and add trees up to ``n_estimators``.
    class_weight : dict, "balanced", "balanced_subsample" or None, default=None
        Weight of each class, multiplied by ``sample_weight``; ``"balanced"`` gives every class the
        same total weight in the data, ``"balanced_subsample"`` in the rows of each tree.
    ccp_alpha : float, default=0.0
        Complexity parameter of minimal cost-complexity pruning: subtrees that reduce impurity by
        less than this per extra leaf are cut off. 0 prunes nothing.
    max_samples : int, float or None, default=None
        Rows drawn for each tree, as a number or as a share; None for as many as there are.
    monotonic_cst : array-like of int, shape (n_features,), default=None
        For each feature, whether it may only raise (1) or lower (-1) the probability of the second
        class, or both (0).

    Attributes
    ----------
    classes_ : ndarray, shape (n_classes,)
        The labels, sorted.
    n_classes_ : int
        Number of classes.
    estimators_ : list of sklearn.tree.DecisionTreeClassifier
        The trees.
    feature_importances_ : ndarray of float64, shape (n_features,)
        Share of each feature in the total decrease of impurity.
    oob_score_ : float
        With ``oob_score``: the out-of-bag score.
    oob_decision_function_ : ndarray of float64, shape (n_samples, n_classes)
        With ``oob_score``: class shares from the trees grown without the row; NaN if there are
        none.
    n_features_in_ : int
        Number of features seen during ``fit``.
    feature_names_in_ : ndarray of str, shape (n_features,)
        Their names, where X had names.
    n_outputs_ : int
        Number of columns of y, which is 1.

    References
    ----------
    .. [1] L. Breiman, "Random Forests", Machine Learning 45(1), 5-32, 2001.

    Examples
    --------
    >>> from mnist_models import RandomForestClassifier, load_sample_digits
    >>> X_train, X_test, y_train, y_test = load_sample_digits().split()
    >>> forest = RandomForestClassifier(random_state=0).fit(X_train, y_train)
    >>> forest.score(X_test, y_test) > 0.9
    True
    """

    classes_: Any  # scikit-learn's fit makes lists of them, and unpacks them at its end
    n_classes_: Any

    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Grow the forest.

        Parameters
        ----------
        X : {array-like, sparse matrix} of numbers, shape (n_samples, n_features)
            Or images, of shape (n_samples, height, width) or (n_samples, height, width, 1).
            Training rows. 8-bit pixels need no preparation and are not copied to float32.
        y : array-like, shape (n_samples,)
            Labels.
        sample_weight : array-like of numbers, shape (n_samples,), default=None
            Weight of each row, at least 0; None gives every row 1.

        Returns
        -------
        self : RandomForestClassifier
            The same object, fitted.

        Raises
        ------
        ValueError
            If X, y, ``sample_weight`` or a parameter is invalid.
        """
        X = as_rows(X)
        refuse_misread(X, y, sample_weight)
        with RestoredOnError(self), overflow_ignored():
            check_scale(self, X, reset=True)
            if not (self._is_covered(X) and self._fit_by_counting(X, y, sample_weight)):
                super().fit(X, y, sample_weight)
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """The class probabilities: the mean, over the trees, of the class shares in the row's leaf.

        Parameters
        ----------
        X : {array-like, sparse matrix} of numbers, shape (n_samples, n_features)
            Rows to classify.

        Returns
        -------
        ndarray of float64, shape (n_samples, n_classes)
            Columns in the order of ``classes_``.

        Raises
        ------
        NotFittedError
            If ``fit`` was not called.
        ValueError
            If X is not such an array.
        """
        check_is_fitted(self)
        X = as_rows(X)
        check_scale(self, X)
        shares = None if issparse(X) else self._shares(X)
        if shares is not None:
            return shares
        every_tree: NDArray[np.float64] = super().predict_proba(X)
        return every_tree

    def _validate_X_predict(self, X: Any) -> Any:  # noqa: N802, scikit-learn's name
        """Check rows for scikit-learn's ``predict_proba``, ``apply`` and ``decision_path``."""
        X = as_rows(X)
        refuse_misread(X)
        with overflow_ignored():
            return super()._validate_X_predict(X)

    def _shares(self, X: Any) -> NDArray[np.float64] | None:
        """The probabilities, added up tree by tree; None if X has sparse or missing values."""
        refuse_misread(X)
        with overflow_ignored():
            rows = validate_data(
                self,
                X,
                accept_sparse=True,  # a DataFrame of sparse columns
                dtype=[np.float32, np.uint8],
                reset=False,
                ensure_all_finite="allow-nan",
            )
        if issparse(rows) or np.isnan(rows).any():
            return None
        shares = np.zeros((len(rows), self.n_classes_))
        if len(rows) <= _FEW_ROWS:
            rows = as_float32(rows)
            for tree in self.estimators_:
                shares += tree.tree_.predict(rows)
        else:
            add = delayed(_add_shares)
            Parallel(n_jobs=self.n_jobs, verbose=self.verbose, require="sharedmem")(
                add(self.estimators_, rows[block], shares[block])
                for block in gen_batches(len(rows), _BLOCK_ROWS)
            )
        return shares / len(self.estimators_)

    def _is_covered(self, X: Any) -> bool:
        """Whether we grow trees with these parameters; scikit-learn refuses some others."""
        n_before = len(self._trees_to_keep())
        return bool(
            self.max_leaf_nodes is None
            and self.monotonic_cst is None
            and (self.bootstrap or (self.max_samples is None and not self.oob_score))
            and self.n_estimators > n_before
            and not issparse(X)
        )

    def _trees_to_keep(self) -> list[DecisionTreeClassifier]:
        return list(getattr(self, "estimators_", [])) if self.warm_start else []

    def _fit_by_counting(self, X: Any, y: Any, sample_weight: Any) -> bool:
        """Do what scikit-learn's ``fit`` does, with our trees; False if they cannot be grown."""
        values, labels = validate_data(
            self,
            X,
            y,
            accept_sparse=True,  # a DataFrame of sparse columns is seen only now
            dtype="numeric",
            ensure_all_finite=False,
            multi_output=True,
        )
        if (
            issparse(values)
            or values.size < _MIN_VALUES
            or labels.ndim > 1  # a column, of which scikit-learn warns
            or len(np.unique(labels)) > _MAX_CLASSES
        ):
            return False
        from mnist_models._forest_kernels import find_levels  # loads numba

        levels = find_levels(values)
        if levels is None:
            return False
        if sample_weight is not None:
            sample_weight = check_sample_weight(sample_weight, values)
        self._n_samples, self.n_outputs_ = len(labels), 1
        codes, class_weight = self._validate_y_class_weight(labels[:, np.newaxis], sample_weight)
        weights = [factor for factor in (sample_weight, class_weight) if factor is not None]
        weight = np.prod(weights, axis=0) if weights else None
        if weight is not None and not (weight.min() >= 0 and 0 < weight.sum() < np.inf):
            return False
        self._sample_weight = weight
        self._n_samples_bootstrap = (
            _get_n_samples_bootstrap(len(values), self.max_samples, weight)
            if self.bootstrap
            else None
        )
        self._validate_estimator()
        kept, random_state = self._trees_to_keep(), check_random_state(self.random_state)
        random_state.randint(_MAX_SEED, size=len(kept))  # as if they had been grown now
        trees = [
            self._make_estimator(append=False, random_state=random_state)
            for _ in range(self.n_estimators - len(kept))
        ]
        grow = delayed(_grow)
        balanced = self.bootstrap and self.class_weight == "balanced_subsample"
        grown = Parallel(n_jobs=self.n_jobs, verbose=self.verbose, prefer="threads")(
            grow(tree, levels, codes.ravel(), weight, self._n_samples_bootstrap, balanced)
            for tree in trees
        )
        self.estimators_ = [*kept, *grown]
        if self.oob_score:
            scoring = {"scoring_function": self.oob_score} if callable(self.oob_score) else {}
            self._set_oob_score_and_attributes(as_float32(values), codes, **scoring)
        self.classes_, self.n_classes_ = self.classes_[0], self.n_classes_[0]
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = tags.classifier_tags.multi_label = False
        return tags


def _add_shares(
    trees: list[DecisionTreeClassifier], rows: NDArray[Any], shares: NDArray[np.float64]
) -> None:
    """Add to the shares of some rows, in place, those of the leaves that they end in."""
    from mnist_models._forest_kernels import add_shares

    by_column = np.ascontiguousarray(rows.T)
    for tree in (each.tree_ for each in trees):
        children = tree.children_left, tree.children_right
        add_shares(by_column, tree.feature, tree.threshold, *children, tree.value[:, 0], shares)


def _grow(
    tree: DecisionTreeClassifier,
    levels: "Levels",
    labels: NDArray[np.intp],
    weight: NDArray[np.float64] | None,
    n_drawn: int | None,
    balanced: bool,
) -> DecisionTreeClassifier:
    """Grow a tree in place from ``n_drawn`` rows drawn with replacement, or from all if None.

    Every class occurs among the labels. ``weight`` is the weight of each row or, if rows are drawn,
    its share of the draws; with ``balanced``, all classes weigh the same in the rows drawn.
    """
    from mnist_models._forest_kernels import NODE, Sample, grow_tree

    n = len(labels)
    if n_drawn is not None:
        rows = _forest._generate_sample_indices(tree.random_state, n, n_drawn, weight)
        weight = np.bincount(rows, minlength=n).astype(np.float64)
        if balanced:
            weight *= compute_sample_weight("balanced", labels, indices=rows)
    elif weight is None:
        weight = np.ones(n)
    tree.n_features_in_, tree.n_outputs_ = levels.by_row.shape[1], 1
    tree.n_classes_ = int(labels.max()) + 1
    tree.classes_ = np.arange(tree.n_classes_, dtype=np.float64)
    tree.max_features_ = _n_features_to_try(tree.max_features, tree.n_features_in_)
    sample = _in_bag(labels, weight)
    nodes = np.empty(2 * len(sample.rows) - 1, dtype=NODE)
    shares = np.empty((len(nodes), tree.n_classes_))
    spare = Sample(*map(np.empty_like, sample))
    rules = _rules(tree, n, weight)
    n_nodes, depth = grow_tree(levels.by_row, levels.by_column, sample, spare, rules, nodes, shares)
    tree.tree_ = _sklearn_tree(nodes[:n_nodes], shares[:n_nodes], depth, levels.values)
    tree._prune_tree()
    return tree


def _in_bag(labels: NDArray[np.intp], weight: NDArray[np.float64]) -> "Sample":
    """The rows that weigh something: those drawn for this tree."""
    from mnist_models._forest_kernels import Sample

    rows = np.flatnonzero(weight).astype(np.uint32)
    return Sample(rows, labels[rows].astype(np.uint8), weight[rows].astype(np.float64))


def _rules(tree: DecisionTreeClassifier, n: int, weight: NDArray[np.float64]) -> NDArray[Any]:
    """The tree's parameters, resolved to numbers as scikit-learn resolves them."""
    from mnist_models._forest_kernels import RULES

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
    rules["min_weight_leaf"] = tree.min_weight_fraction_leaf * weight.sum()
    rules["min_impurity_decrease"] = tree.min_impurity_decrease
    rules["seed"] = check_random_state(tree.random_state).randint(0, _MAX_SEED)
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
