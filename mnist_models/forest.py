"""The random forest: scikit-learn's, grown by counting where features have few levels."""

from collections.abc import Sized
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn import ensemble
from sklearn.base import _fit_context
from sklearn.utils.validation import check_is_fitted, validate_data

from mnist_models._rows import overflow_ignored, refuse_misread
from mnist_models._whole_fits import RestoredOnError

# Below so many values scikit-learn has done its work before numba is loaded.
_SMALL = 100_000
_MAX_CLASSES = 256
# Up to so many rows, handing each tree to a thread takes longer than asking the trees in turn.
_FEW_ROWS = 500


class RandomForestClassifier(ensemble.RandomForestClassifier):
    """Random forest: scikit-learn's, the same trees, grown several times faster from images.

    Parameters, attributes and methods are those of ``sklearn.ensemble.RandomForestClassifier``.
    Where every column of X has at most 256 different values (8-bit pixels; the same standardized),
    splits are found by counting instead of sorting. The trees become scikit-learn's own tree
    objects, and with the same ``random_state`` they are the ones that it would have grown, node for
    node. Where weights are not whole numbers, sums round otherwise, and nodes of one class, which
    scikit-learn's rounding can make it split further, are leaves. Everything else is left to
    scikit-learn: sparse, missing or other values, ``max_leaf_nodes``, ``monotonic_cst``, several
    outputs, more than 256 classes, and data of less than 100,000 values, which take it no time.

    Masked values, dates and text are refused, which scikit-learn would read as numbers. A ``fit``
    that is interrupted leaves the forest as it was.

    The compiled code is kept on disk (``NUMBA_CACHE_DIR``): only the very first fit compiles.

    Parameters
    ----------
    n_estimators : int, default=100
        Trees.
    criterion : {"gini", "entropy", "log_loss"}, default="gini"
        What a split is to lessen: Gini impurity, or entropy (both other names).
    max_depth : int or None, default=None
        The most splits between a tree's root and a leaf; None is no limit.
    min_samples_split : int or float, default=2
        The fewest rows that a node is split with; a float is a share of all.
    min_samples_leaf : int or float, default=1
        The fewest rows that a split may leave on either side; a float is a share of all.
    min_weight_fraction_leaf : float, default=0.0
        The same as a share of all rows' weight, from 0 to 0.5.
    max_features : {"sqrt", "log2"}, int, float or None, default="sqrt"
        Features that each split chooses from: of n the root or the logarithm, so many, a share, or
        all.
    max_leaf_nodes : int or None, default=None
        The most leaves of a tree; None is no limit.
    min_impurity_decrease : float, default=0.0
        The least that a split must lessen impurity by, weighted by the node's share of the rows.
    bootstrap : bool, default=True
        Whether each tree gets rows drawn with replacement, or all.
    oob_score : bool or callable, default=False
        Whether to score the forest by the rows that trees were not given; a callable is another
        score than accuracy, of true and predicted labels.
    n_jobs : int, default=None
        Threads that grow trees, and answer for many rows; None is 1, -1 one for each core.
    random_state : int, RandomState instance or None, default=None
        Decides rows and features. The same int gives the same trees.
    verbose : int, default=0
        Above 0: joblib prints how far it is.
    warm_start : bool, default=False
        Keep the trees of the last fit, and grow those that are missing of ``n_estimators``.
    class_weight : dict, list of dict, "balanced", "balanced_subsample" or None, default=None
        What rows of each class count, times their ``sample_weight``; ``"balanced"``: every class as
        much as any other, in the whole or in each tree's rows.
    ccp_alpha : float, default=0.0
        Prune a tree where that costs less impurity than this for each leaf.
    max_samples : int, float or None, default=None
        Rows drawn for each tree, as a number or as a share; None: as many as there are.
    monotonic_cst : array-like of int, shape (n_features,), default=None
        Whether a feature may only raise (1) or lower (-1) the probability of the second class.

    Attributes
    ----------
    classes_ : ndarray, shape (n_classes,)
        The labels, sorted; a list of such arrays for several outputs. ``n_classes_`` counts them.
    estimators_ : list of sklearn.tree.DecisionTreeClassifier
        The trees.
    feature_importances_ : ndarray of float64, shape (n_features,)
        How much of the impurity the splits on each feature have lessened, as shares.
    oob_score_ : float
        With ``oob_score``: that score.
    oob_decision_function_ : ndarray of float64, shape (n_samples, n_classes)
        With ``oob_score``: class shares from the trees that were not given the row; NaN where
        every tree was.
    n_features_in_ : int
        Number of features seen during ``fit``.
    feature_names_in_ : ndarray of str, shape (n_features,)
        Their names, where X had names.
    n_outputs_ : int
        Columns of y.

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
            The training rows. 8-bit pixels need no preparation; they are not copied to float32.
        y : array-like, shape (n_samples,) or (n_samples, n_outputs)
            Their labels.
        sample_weight : array-like of numbers, shape (n_samples,), default=None
            Their weights, 0 or more; None weighs all alike.

        Returns
        -------
        self : RandomForestClassifier
            The same object, fitted.

        Raises
        ------
        ValueError
            If X, y, a weight or a parameter is not such a thing, as scikit-learn has it.
        """
        refuse_misread(X, y, sample_weight)
        with RestoredOnError(self), overflow_ignored():
            return self._grow(X, y, sample_weight)

    def _grow(self, X: Any, y: Any, sample_weight: Any) -> Self:
        levels = self._find_levels(X, y)
        if levels is None:
            return super().fit(X, y, sample_weight)
        # scikit-learn's fit only hands X on to the trees, which have the levels: one number in the
        # shape of X spares a float32 copy. Out-of-bag scores do need the values.
        stand_in = np.broadcast_to(np.float32(0), levels.by_row.shape)
        self._levels = levels
        super().fit(X if self.oob_score else stand_in, y, sample_weight)
        del self._levels
        validate_data(self, X, skip_check_array=True)  # the stand-in had no feature names
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64] | list[NDArray[np.float64]]:
        """The mean of the trees' class shares in the leaf of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of numbers, shape (n_samples, n_features)

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
            return self._ask(X)

    def _ask(self, X: Any) -> NDArray[np.float64] | list[NDArray[np.float64]]:
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
        # sparse after all, or missing values, which scikit-learn may take
        if issparse(rows) or np.isnan(rows).any():
            return super().predict_proba(X)
        shares = np.zeros((len(rows), self.n_classes_))
        for tree in self.estimators_:
            shares += tree.tree_.predict(rows)
        return shares / len(self.estimators_)

    def _find_levels(self, X: Any, y: Any) -> Any:
        """The numbered values of X, or None where scikit-learn has to grow the trees."""
        if self.max_leaf_nodes is not None or self.monotonic_cst is not None or issparse(X):
            return None
        values, labels = validate_data(
            self,
            X,
            y,
            accept_sparse=True,  # of a DataFrame with sparse columns, only now to be seen
            dtype="numeric",
            ensure_all_finite=False,
            multi_output=True,
        )
        if (
            issparse(values)
            or values.size < _SMALL
            or labels.ndim > 1
            or len(np.unique(labels)) > _MAX_CLASSES
        ):
            return None
        from mnist_models._forest.levels import find_levels  # loads numba

        return find_levels(values)

    def _make_estimator(self, append: bool = True, random_state: Any = None) -> Any:
        """A tree for scikit-learn's fit to grow: one that counts, if there are levels."""
        tree = super()._make_estimator(append, random_state)
        if hasattr(self, "_levels"):
            from mnist_models._forest.counted_tree import CountedTree

            tree.__class__ = CountedTree
            tree.levels = self._levels
        return tree
