"""Random forest: scikit-learn's, grown by counting where features have few different values."""

from collections.abc import Sized
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn import ensemble
from sklearn.base import _fit_context
from sklearn.utils.validation import check_is_fitted, validate_data

from mnist_models._rows import overflow_ignored, refuse_misread
from mnist_models._whole_fits import RestoredOnError

if TYPE_CHECKING:
    from mnist_models._forest.levels import Levels  # loads numba

# Data with fewer values are left to scikit-learn, which is done before numba is loaded.
_MIN_VALUES = 100_000
_MAX_CLASSES = 256
# Up to this many rows, starting a thread per tree takes longer than predicting tree by tree.
_FEW_ROWS = 500


class RandomForestClassifier(ensemble.RandomForestClassifier):
    """Random forest with the same trees as scikit-learn's, grown several times faster on images.

    Parameters, attributes and methods are those of ``sklearn.ensemble.RandomForestClassifier``.
    If every column of X has at most 256 different values (8-bit pixels, even standardized), splits
    are found by counting instead of sorting. The trees are scikit-learn's own tree objects, and
    with the same ``random_state`` they are the ones that it would have grown, node for node. If
    weights are not whole numbers, sums round differently, and nodes of a single class are always
    leaves, where rounding can make scikit-learn split them further. Everything else is left to
    scikit-learn: sparse, missing or more different values, ``max_leaf_nodes``, ``monotonic_cst``,
    several outputs, more than 256 classes, and data of fewer than 100,000 values, for which it is
    fast enough.

    Masked values, dates and text, which scikit-learn would read as numbers, are refused. A ``fit``
    that is interrupted leaves the forest as it was.

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
    class_weight : dict, list of dict, "balanced", "balanced_subsample" or None, default=None
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
        The labels, sorted; a list of such arrays for several outputs.
    n_classes_ : int
        Number of classes; a list for several outputs.
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
        Number of columns of y.

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

    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Grow the forest.

        Parameters
        ----------
        X : {array-like, sparse matrix} of numbers, shape (n_samples, n_features)
            Training rows. 8-bit pixels need no preparation and are not copied to float32.
        y : array-like, shape (n_samples,) or (n_samples, n_outputs)
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
            If X, y, ``sample_weight`` or a parameter is invalid, as in scikit-learn.
        """
        refuse_misread(X, y, sample_weight)
        with RestoredOnError(self), overflow_ignored():
            return self._grow(X, y, sample_weight)

    def _grow(self, X: Any, y: Any, sample_weight: Any) -> Self:
        levels = self._find_levels(X, y)
        if levels is None:
            return super().fit(X, y, sample_weight)
        # scikit-learn's fit only passes X on to the trees, which use the levels: a broadcast
        # 0 in X's shape spares a float32 copy of it. Out-of-bag scores do need the values.
        stand_in = np.broadcast_to(np.float32(0), levels.by_row.shape)
        self._levels = levels
        super().fit(X if self.oob_score else stand_in, y, sample_weight)
        del self._levels
        validate_data(self, X, skip_check_array=True)  # the stand-in had no feature names
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64] | list[NDArray[np.float64]]:
        """The class probabilities: the mean, over the trees, of the class shares in the row's leaf.

        Parameters
        ----------
        X : {array-like, sparse matrix} of numbers, shape (n_samples, n_features)
            Rows to classify.

        Returns
        -------
        ndarray of float64, shape (n_samples, n_classes)
            Columns in the order of ``classes_``; a list of such arrays for several outputs.

        Raises
        ------
        NotFittedError
            If ``fit`` was not called.
        ValueError
            If X is not such an array.
        """
        check_is_fitted(self)
        refuse_misread(X)
        with overflow_ignored():
            return self._mean_shares(X)

    def _mean_shares(self, X: Any) -> NDArray[np.float64] | list[NDArray[np.float64]]:
        n = len(X) if isinstance(X, Sized) and not issparse(X) else np.inf
        if self.n_outputs_ > 1 or n > _FEW_ROWS:
            return super().predict_proba(X)
        rows = validate_data(
            self,
            X,
            accept_sparse=True,
            dtype=np.float32,
            reset=False,
            ensure_all_finite="allow-nan",
        )
        # a DataFrame of sparse columns; missing values, which scikit-learn may support
        if issparse(rows) or np.isnan(rows).any():
            return super().predict_proba(X)
        shares = np.zeros((len(rows), self.n_classes_))
        for tree in self.estimators_:
            shares += tree.tree_.predict(rows)
        return shares / len(self.estimators_)

    def _find_levels(self, X: Any, y: Any) -> "Levels | None":
        """The levels of X, or None if scikit-learn has to grow the trees."""
        if self.max_leaf_nodes is not None or self.monotonic_cst is not None or issparse(X):
            return None
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
            or labels.ndim > 1
            or len(np.unique(labels)) > _MAX_CLASSES
        ):
            return None
        from mnist_models._forest.levels import find_levels  # loads numba

        return find_levels(values)

    def _make_estimator(self, append: bool = True, random_state: Any = None) -> Any:
        """A tree for scikit-learn's fit to grow: by counting, if there are levels."""
        tree = super()._make_estimator(append, random_state)
        if hasattr(self, "_levels"):
            from mnist_models._forest.counted_tree import CountedTree

            tree.__class__ = CountedTree
            tree.levels = self._levels
        return tree
