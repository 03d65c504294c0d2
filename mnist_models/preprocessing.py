"""Preprocessing of pixels: standardization, and the preprocessor of each recipe."""

from collections.abc import Iterator
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.pipeline import Pipeline
from sklearn.utils import gen_batches
from sklearn.utils.validation import check_is_fitted

from mnist_models._names import check_name
from mnist_models._rows import check_rows
from mnist_models._whole_fits import RestoredOnError
from mnist_models.image_features import Deskew, HogFeatures

Recipe = Literal["report", "accurate"]
RECIPES = get_args(Recipe)

# The most worked on at a time: 256 of MNIST's images, 1.6 MB of float64, fit in a core's cache.
_BLOCK_ROWS = 256
_BLOCK_VALUES = 256 * 784


def make_preprocessor(recipe: Recipe = "report") -> "Standardize | Pipeline":
    """Make the transformer that a recipe puts before the classifier.

    Parameters
    ----------
    recipe : {"report", "accurate"}, default="report"
        ``"report"`` standardizes every pixel, as the report did. ``"accurate"`` straightens each
        image and describes it by histograms of oriented gradients, 392 features for 28×28 pixels
        (:class:`Deskew`, then ``HogFeatures(cell_size=9)``); nothing is learned.

    Returns
    -------
    transformer
        Unfitted; it takes numbers of any real dtype and returns float32. ``"accurate"`` needs
        square images of at least 9×9 pixels, ``"report"`` takes any table.

    Raises
    ------
    ValueError
        If there is no such recipe.

    Examples
    --------
    >>> from mnist_models import load_sample_digits, make_preprocessor
    >>> X = load_sample_digits().data
    >>> standardized = make_preprocessor("report").fit_transform(X)
    >>> standardized.dtype, abs(float(standardized.mean())) < 1e-6
    (dtype('float32'), True)
    >>> make_preprocessor("accurate").fit_transform(X).shape
    (1797, 392)
    """
    check_name(recipe, RECIPES, "recipe")
    if recipe == "report":
        return Standardize()
    return Pipeline([("deskew", Deskew()), ("hog", HogFeatures(cell_size=9))])


class Standardize(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Bring every feature to mean 0 and standard deviation 1, in float32.

    The result is that of scikit-learn's ``StandardScaler``, which makes a float64 copy of the data.
    This one computes in float64 a block of rows at a time, and stores float32 only.

    Attributes
    ----------
    mean_ : ndarray of float64, shape (n_features,)
        The mean of each feature, in the units of X.
    scale_ : ndarray of float64, shape (n_features,)
        Its standard deviation (of the population, as ``StandardScaler`` has it); 1 for a constant
        feature, which therefore becomes 0 and stays finite.
    n_features_in_ : int
        Number of features seen during ``fit``.
    feature_names_in_ : ndarray of str, shape (n_features,)
        Their names, where X had names.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_models.preprocessing import Standardize
    >>> Standardize().fit_transform(np.array([[0, 7], [255, 7]], dtype=np.uint8))
    array([[-1.,  0.],
           [ 1.,  0.]], dtype=float32)
    """

    mean_: NDArray[np.float64]
    scale_: NDArray[np.float64]
    n_features_in_: int

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Find each feature's mean and standard deviation.

        Parameters
        ----------
        X : array-like of numbers, shape (n_samples, n_features)
            Finite values of any real dtype.
        y : None
            Ignored.

        Returns
        -------
        self : Standardize
            The same object, fitted.

        Raises
        ------
        ValueError
            If X is not such an array, or its values are beyond 1e150.
        """
        with RestoredOnError(self):
            self.mean_, self.scale_ = mean_and_scale(check_rows(self, X))
            if not np.isfinite(self.scale_).all():
                raise ValueError(
                    "X has values whose variance is too large for float64: expected values below "
                    "1e150. Scale them down first."
                )
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """Standardize with the mean and standard deviation found by ``fit``.

        Parameters
        ----------
        X : array-like of numbers, shape (n_samples, n_features)
            Finite values of any real dtype.

        Returns
        -------
        ndarray of float32, shape (n_samples, n_features)
            Deviations from each column's mean, in its standard deviations.

        Raises
        ------
        NotFittedError
            If ``fit`` was not called.
        ValueError
            If X is not such an array, or a standardized value is too large for float32.
        """
        check_is_fitted(self)
        values = check_rows(self, X, reset=False)
        standardized = np.empty(values.shape, dtype=np.float32)
        with np.errstate(over="ignore"):  # checked below
            for rows in _slices(values):
                standardized[rows] = (values[rows] - self.mean_) / self.scale_
        if not np.isfinite(standardized).all():
            raise ValueError(
                "X has values too large for float32 once standardized: expected values of the "
                "same scale as the ones this was fitted on."
            )
        return standardized

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def mean_and_scale(X: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of every column, computed in float64 block by block.

    Parameters
    ----------
    X : ndarray of numbers, shape (n, d)
        Finite values.

    Returns
    -------
    mean, scale : ndarray of float64, shape (d,)
        ``scale`` is 1 where a column is constant up to rounding.
    """
    n, d = X.shape
    mean, variance = np.zeros(d), np.zeros(d)
    with np.errstate(over="ignore"):  # gives an infinite scale
        for block in _blocks(X):
            mean += block.sum(axis=0, dtype=np.float64) / n
        for block in _blocks(X):
            variance += np.square(block - mean).sum(axis=0) / n
    # A sum of n values has a relative rounding error of at most n·eps: no less can be a spread.
    scale = np.sqrt(variance)
    constant = scale <= n * np.finfo(np.float64).eps * np.abs(mean)
    return np.where(constant, X[0], mean), np.where(constant, 1.0, scale)


def _blocks(X: NDArray[Any]) -> Iterator[NDArray[Any]]:
    return (X[rows] for rows in _slices(X))


def _slices(X: NDArray[Any]) -> Iterator[slice]:
    return gen_batches(len(X), max(1, min(_BLOCK_ROWS, _BLOCK_VALUES // X.shape[1])))
