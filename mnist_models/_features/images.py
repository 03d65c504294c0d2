"""Rows of pixels as images: their shape, and the base class of their transformers."""

from abc import abstractmethod
from collections.abc import Iterator
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import gen_batches
from sklearn.utils.validation import (
    _check_feature_names_in,
    check_is_fitted,
    check_scalar,
)

from mnist_models._rows import check_float32, check_rows, overflow_ignored
from mnist_models._whole_fits import RestoredOnError

# The most worked on at a time: 256 of MNIST's images, 0.8 MB of float32, fit in a core's cache.
_BLOCK_IMAGES = 256
_BLOCK_PIXELS = 256 * 784


class ImageTransformer(TransformerMixin, BaseEstimator):
    """Base class of image transformers. Each image is transformed by itself; nothing is learned."""

    image_shape: tuple[int, int] | None
    n_features_in_: int

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Check the parameters and the shape of the images; there is nothing to learn.

        Parameters
        ----------
        X : array-like of numbers, shape (n_samples, n_features)
            Images, a row of pixels each.
        y : None
            Ignored.

        Returns
        -------
        self
            The same object, fitted.

        Raises
        ------
        TypeError, ValueError
            If X is not such an array, or a parameter is invalid.
        """
        with RestoredOnError(self):
            check_rows(self, X)
            self._feature_names()
        return self

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]:
        """The names of the output features, made from their positions in the image.

        Parameters
        ----------
        input_features : array-like of str, shape (n_features,), default=None
            The names of the input features. They do not affect the result, but must match those
            seen during ``fit``, as everywhere in scikit-learn.

        Returns
        -------
        ndarray of str objects, shape (n_features_out,)
            As ``pixel3_4`` or ``cell0_1_orientation7``, row by row.

        Raises
        ------
        NotFittedError
            If ``fit`` was not called, so that the shape of the images is unknown.
        ValueError
            If ``input_features`` do not match those seen during ``fit``.
        """
        check_is_fitted(self, "n_features_in_")
        _check_feature_names_in(self, input_features, generate_names=False)
        return np.array(self._feature_names(), dtype=object)

    @abstractmethod
    def _feature_names(self) -> list[str]:
        """The names for images of ``n_features_in_`` pixels, after checking the parameters."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags


def images_at_once(X: NDArray[Any]) -> int:
    """The most images in a block of X, an array of shape (n, height·width)."""
    return max(1, min(len(X), _BLOCK_IMAGES, _BLOCK_PIXELS // X.shape[1]))


def image_blocks(
    X: NDArray[Any], shape: tuple[int, int]
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Yield the images in X a block at a time; all blocks share one buffer.

    Parameters
    ----------
    X : ndarray of numbers, shape (n, height·width)
        Of any real dtype and memory layout.
    shape : tuple (height, width)
        Pixels to each image.

    Yields
    ------
    rows : slice
        At most ``images_at_once(X)`` rows.
    images : ndarray of float32, shape (len(rows), height, width)
        Overwritten by the next block.

    Raises
    ------
    ValueError
        If X has values too large for float32.
    """
    memory = np.empty((images_at_once(X), X.shape[1]), dtype=np.float32)
    for rows in gen_batches(len(X), len(memory)):
        block = memory[: rows.stop - rows.start]
        with overflow_ignored():
            block[:] = X[rows]
        check_float32(block)
        yield rows, block.reshape(-1, *shape)


def resolve_shape(image_shape: Any, n_features: int) -> tuple[int, int]:
    """Height and width of images with ``n_features`` pixels.

    Parameters
    ----------
    image_shape : tuple (height, width) of int, or None
        None for square images; -1 for one of the two is inferred from the other.
    n_features : int
        Pixels to each image.

    Returns
    -------
    height, width : int

    Raises
    ------
    TypeError, ValueError
        If it is not such a shape, or images of that shape have another number of pixels.

    Examples
    --------
    >>> resolve_shape(None, 784), resolve_shape((-1, 10), 200)
    ((28, 28), (20, 10))
    """
    if image_shape is None:
        side = round(n_features**0.5)
        if side * side != n_features:
            raise ValueError(
                "X must hold square images if image_shape is None, so a square number of features. "
                f"Got {n_features} features instead. Pass image_shape=(height, width)."
            )
        return side, side
    if np.shape(image_shape) != (2,):
        raise ValueError(
            f"image_shape must be (height, width) or None. Got {image_shape!r} instead."
        )
    for side in image_shape:
        check_scalar(side, "each of image_shape", Integral, min_val=-1)
    height, width = (int(side) for side in image_shape)
    if height == -1 and width > 0:
        height = n_features // width
    elif width == -1 and height > 0:
        width = n_features // height
    if min(height, width) < 1 or height * width != n_features:
        raise ValueError(
            f"X must have height·width features for image_shape={image_shape!r}. Got {n_features} "
            "features instead. Pass the height and width of the images in X."
        )
    return height, width
