"""Scores of a linear model as features for a forest, whose trees cannot add features up."""

from collections.abc import Iterator
from math import comb
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.preprocessing import LabelBinarizer, PolynomialFeatures
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from mnist_models._validation import RestoredOnError, check_rows

# The largest value whose fourth power float64 holds, with room for sums.
_LARGEST = 1e70
# How many products of rows are in memory at a time: 32 MB.
_BLOCK_VALUES = 1 << 22


class ClassScores(TransformerMixin, BaseEstimator):
    """Append to each row a score for each class, found by a linear model, in 256 steps.

    A tree asks for one feature at a time, and needs many questions for what a sum of features says
    at once. The scores are such sums: of the row's principal components and all products of two of
    them, weighted by ridge regression of the indicators of the classes [1]_. Rounded to whole
    numbers from 0 to 255, they can be counted by :class:`~mnist_models.RandomForestClassifier`.

    What a model says of the rows that it learned from is too good, and a forest would rely on it.
    So ``fit_transform`` gives each row the score of the weights learned from the labels of all
    *other* rows, which costs no further fit [2]_. ``transform`` gives that of the weights of all
    rows: as with scikit-learn's ``TargetEncoder``, the two differ, and a Pipeline takes the right
    one.

    Parameters
    ----------
    explained : float, default=0.95
        The share of the variance that the principal components explain, above 0 and below 1. Of
        100 components, there are 5,150 products, and a matrix of all pairs of these, 200 MB.
    penalty : float, default=0.03
        Strength of the ridge penalty, above 1e-6: what is added to each product's sum of
        squares, as a share of it.

    Attributes
    ----------
    mean_ : ndarray of float64, shape (n_features,)
        The mean of each feature.
    components_ : ndarray of float64, shape (n_components, n_features)
        The principal components.
    coef_ : ndarray of float64, shape (n_scores, n_products)
        The weights of a constant, the components and their products, for each class; of two
        classes, only for the second.
    low_, step_ : ndarray of float64, shape (n_scores,)
        The score that becomes 0, and the difference of two scores that are one step apart.
    n_features_in_ : int
        Number of features seen during ``fit``.
    feature_names_in_ : ndarray of str, shape (n_features,)
        Their names, where X had names.

    References
    ----------
    .. [1] T. Hastie, R. Tibshirani and J. Friedman, "The Elements of Statistical Learning", 2nd
       edition, Springer 2009, section 4.2.
    .. [2] D. M. Allen, "The Relationship between Variable Selection and Data Augmentation and a
       Method for Prediction", Technometrics 16, 1974.

    Examples
    --------
    >>> from mnist_models import load_sample_digits
    >>> from mnist_models.class_scores import ClassScores
    >>> digits = load_sample_digits()
    >>> scores = ClassScores(explained=0.5).fit_transform(digits.data, digits.target)
    >>> scores.shape, scores.dtype
    ((1797, 794), dtype('uint8'))
    """

    _parameter_constraints: ClassVar = {
        "explained": [Interval(Real, 0, 1, closed="neither")],
        "penalty": [Interval(Real, 1e-6, None, closed="neither")],
    }

    def __init__(self, *, explained: float = 0.95, penalty: float = 0.03) -> None:
        self.explained = explained
        self.penalty = penalty

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Find the components and the weights.

        Parameters
        ----------
        X : array-like of numbers, shape (n_samples, n_features)
            Finite values of any real dtype; at least two rows.
        y : array-like, shape (n_samples,)
            Labels.

        Returns
        -------
        self : ClassScores
            The same object, fitted.

        Raises
        ------
        TypeError, ValueError
            If X or y is not such an array, or a parameter is invalid.
        """
        self.fit_transform(X, y)
        return self

    def fit_transform(self, X: ArrayLike, y: ArrayLike) -> NDArray[Any]:
        """Learn, and append to each row its scores by the labels of all other rows.

        Parameters
        ----------
        X : array-like of numbers, shape (n_samples, n_features)
            Finite values of any real dtype; at least two rows.
        y : array-like, shape (n_samples,)
            Labels.

        Returns
        -------
        ndarray of X's dtype (one that holds 255), shape (n_samples, n_features + n_scores)
            X, and whole numbers from 0 to 255.

        Raises
        ------
        TypeError, ValueError
            If X or y is not such an array, or a parameter is invalid.
        """
        with RestoredOnError(self):
            self._validate_params()
            rows, labels = check_rows(self, X, y, ensure_min_samples=2)
            _check_size(rows)
            is_of = LabelBinarizer().fit_transform(labels).astype(np.float64)
            is_of -= is_of.mean(axis=0)
            pca = PCA(float(self.explained), svd_solver="covariance_eigh")
            with np.errstate(invalid="ignore"):  # of rows all alike, no share is explained: 0 / 0
                pca.fit(rows.astype(np.float64))
            self.mean_, self.components_ = pca.mean_, pca.components_
            factor, self.coef_ = self._solve(rows, is_of)
            scores = np.empty(is_of.shape)
            for block, products in self._blocks(rows):
                # how much a row's own indicator weighs in its score
                own = solve_triangular(factor, products.T, lower=True)
                share = np.einsum("ij,ij->j", own, own)[:, np.newaxis]
                without = (products @ self.coef_.T - share * is_of[block]) / (1 - share)
                # less the mean of the others' indicators, which alone would tell the row's own
                scores[block] = without + is_of[block] / (len(rows) - 1)
            self.low_ = scores.min(axis=0)
            step = (scores.max(axis=0) - self.low_) / 255
            self.step_ = np.where(step > np.finfo(step.dtype).eps, step, 1.0)  # or all are equal
        return self._appended(rows, scores)

    def transform(self, X: ArrayLike) -> NDArray[Any]:
        """Append to each row its scores.

        Parameters
        ----------
        X : array-like of numbers, shape (n_samples, n_features)
            Finite values of any real dtype.

        Returns
        -------
        ndarray of X's dtype (one that holds 255), shape (n_samples, n_features + n_scores)
            X, and whole numbers from 0 to 255.

        Raises
        ------
        NotFittedError
            If ``fit`` was not called.
        ValueError
            If X is not such an array.
        """
        check_is_fitted(self)
        rows = check_rows(self, X, reset=False)
        _check_size(rows)
        scores = np.empty((len(rows), len(self.coef_)))
        for block, products in self._blocks(rows):
            scores[block] = products @ self.coef_.T
        return self._appended(rows, scores)

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]:
        """The names of the features, and ``score0``, ``score1``, ...

        Parameters
        ----------
        input_features : array-like of str, shape (n_features,), default=None
            The names of the input features, if X had none.

        Returns
        -------
        ndarray of str objects, shape (n_features + n_scores,)
            The input's names, then those of the scores.

        Raises
        ------
        NotFittedError
            If ``fit`` was not called.
        ValueError
            If ``input_features`` do not match those seen during ``fit``.
        """
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        return np.append(names, [f"score{i}" for i in range(len(self.coef_))]).astype(object)

    def _solve(
        self, rows: NDArray[Any], is_of: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The Cholesky factor of the regression's matrix, and its coefficients."""
        gram: Any = 0.0
        moments: Any = 0.0
        for block, products in self._blocks(rows):
            gram += products.T @ products
            moments += products.T @ is_of[block]
        ridge = self.penalty * np.diag(gram)
        ridge[ridge == 0] = 1.0  # of a product that is 0 in every row
        ridge[0] = 0.0  # the constant is not penalised
        factor, _ = cho_factor(gram + np.diag(ridge), lower=True)
        return factor, cho_solve((factor, True), moments).T

    def _blocks(self, rows: NDArray[Any]) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        """Slices of the rows, and of each row a constant, the components and their products."""
        n_products = comb(len(self.components_) + 2, 2)
        for block in gen_batches(len(rows), max(1, _BLOCK_VALUES // n_products)):
            components = (rows[block] - self.mean_) @ self.components_.T
            yield block, PolynomialFeatures(2).fit_transform(components)

    def _appended(self, rows: NDArray[Any], scores: NDArray[np.float64]) -> NDArray[Any]:
        steps = np.rint((scores - self.low_) / self.step_).clip(0, 255)
        return np.hstack([rows, steps.astype(np.uint8)])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


def _check_size(rows: NDArray[Any]) -> None:
    if max(float(rows.max()), -float(rows.min())) > _LARGEST:
        raise ValueError(
            "X has values whose products are too large: expected absolute values of at most "
            f"{_LARGEST:g}. Scale them down first."
        )
