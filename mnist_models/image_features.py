"""Transformers of images: deskewing, and histograms of oriented gradients."""

from numbers import Integral, Real
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_scalar

from mnist_models._features.images import (
    ImageTransformer,
    image_blocks,
    images_at_once,
    resolve_shape,
)
from mnist_models._names import check_name
from mnist_models._rows import check_rows

# Where normalized values are clipped: Dalal and Triggs chose 0.2; none exceeds 1.
_CLIPS = {"L1-sqrt": 1.0, "L2": 1.0, "L2-Hys": 0.2}


class Deskew(ImageTransformer):
    """Straighten the writing in each image and centre it.

    Slanted writing is sheared upright [1]_: each row of pixels moves sideways in proportion to its
    height above the middle, so that the horizontal and vertical positions of the mass are no longer
    correlated. The centre of mass moves to the middle of the frame. Pixels are resampled once,
    bilinearly.

    Mass is what exceeds an image's least value. That is taken for the paper, and fills what moves
    in from outside the frame. So the unit of the pixels (0 to 255, -1 to 1) makes no difference.
    At most a slant of 45 degrees is undone: what slants more is a horizontal stroke. A constant
    image stays as it is.

    Parameters
    ----------
    image_shape : tuple (height, width) of int or None, default=None
        Pixels to each image; -1 for one of the two stands for what the other leaves. None is for
        square images.

    Attributes
    ----------
    n_features_in_ : int
        Number of pixels seen during ``fit``. Nothing else is learned: ``transform`` works unfitted.
    feature_names_in_ : ndarray of str, shape (n_features,)
        Their names, where X had names.

    References
    ----------
    .. [1] Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document
       recognition", Proceedings of the IEEE 86 (1998), section III.A: "deslanted" images.

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_models import Deskew
    >>> leaning = 9 * np.fliplr(np.eye(5, dtype=np.uint8))
    >>> Deskew().transform(leaning.reshape(1, 25)).reshape(5, 5)
    array([[0, 0, 9, 0, 0],
           [0, 0, 9, 0, 0],
           [0, 0, 9, 0, 0],
           [0, 0, 9, 0, 0],
           [0, 0, 9, 0, 0]], dtype=uint8)
    """

    def __init__(self, image_shape: tuple[int, int] | None = None) -> None:
        self.image_shape = image_shape

    def transform(self, X: ArrayLike) -> NDArray[np.uint8] | NDArray[np.float32]:
        """Straighten and centre each image.

        Parameters
        ----------
        X : array-like of numbers, shape (n_samples, n_features)
            Images, a row of pixels each, of any real dtype; finite in float32.

        Returns
        -------
        ndarray of uint8 or float32, shape (n_samples, n_features)
            Rounded to uint8 if X is uint8; otherwise float32.

        Raises
        ------
        TypeError, ValueError
            If X is not such an array, or ``image_shape`` does not fit it.
        """
        from mnist_models._features.deskew_kernels import deskew_images

        images = check_rows(self, X, reset=False)
        shape = resolve_shape(self.image_shape, images.shape[1])
        is_uint8 = images.dtype == np.uint8
        result = np.empty(images.shape, dtype=np.uint8 if is_uint8 else np.float32)
        straight = np.empty((images_at_once(images), *shape), dtype=np.float32)
        for rows, block in image_blocks(images, shape):
            deskew_images(block, straight)
            upright = straight[: len(block)].reshape(len(block), -1)
            result[rows] = np.rint(upright, out=upright) if is_uint8 else upright
        return result

    def _feature_names(self) -> list[str]:
        height, width = resolve_shape(self.image_shape, self.n_features_in_)
        return [f"pixel{r}_{c}" for r in range(height) for c in range(width)]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["uint8", "float32"]
        return tags


class HogFeatures(ImageTransformer):
    """Describe each image by histograms of oriented gradients.

    A window of ``cell_size`` pixels a side is placed every ``stride`` pixels. Each has a histogram
    of the directions of its gradients (central differences), weighted by their lengths; histograms
    are normalized over blocks of windows [1]_. The first window is in the upper left corner, all
    are completely inside the image, and pixels right of or below the last are not used.

    Multiplying an image by a positive number, or adding a constant, changes the result by rounding
    only. A blank image or block gives zeros.

    Parameters
    ----------
    image_shape : tuple (height, width) of int or None, default=None
        Pixels to each image; -1 for one of the two stands for what the other leaves. None is for
        square images.
    orientations : int, default=8
        Directions, spaced evenly over a full turn if ``signed``, otherwise over half a turn.
    signed : bool, default=True
        Whether an edge from dark to light differs from one from light to dark.
    interpolate : bool, default=True
        If True, an edge is shared linearly by the two directions nearest to it, and its weight
        in a window falls linearly with the distance from the middle, across and down. If False,
        it counts fully, for the last direction at or before its own.
    cell_size : int, default=7
        Height and width of a window, in pixels.
    stride : int, default=3
        Pixels from one window to the next, 1 to ``cell_size``. Below ``cell_size`` they overlap.
    block_size : int, default=1
        Height and width of a block, in windows. A block begins at every window, as far as there is
        room, so blocks overlap, and a window is repeated in each of its blocks.
    block_norm : {"L1-sqrt", "L2", "L2-Hys"}, default="L1-sqrt"
        ``"L2"`` divides a block by its Euclidean length; ``"L2-Hys"`` then clips values at 0.2
        and divides by the length again; ``"L1-sqrt"`` divides by the sum and takes the square root.
    epsilon : float, default=0.01
        Share of the image's contrast (its greatest value minus its least) that is added to each
        block's sum or, squared, to its squared length, so that faint blocks stay faint; at least
        1e-12.
    dtype : {"float32", "uint8"}, default="float32"
        ``"float32"`` gives values from 0 to 1; ``"uint8"`` 255 times that, rounded.

    Attributes
    ----------
    n_features_in_ : int
        Number of pixels seen during ``fit``. Nothing else is learned: ``transform`` works unfitted.
    feature_names_in_ : ndarray of str, shape (n_features,)
        Their names, where X had names.

    Notes
    -----
    ``HogFeatures(signed=False, interpolate=False, cell_size=c, stride=c, epsilon=1e-5)`` gives, on
    images that span 0 to 1, what scikit-image's ``hog`` gives for ``pixels_per_cell=(c, c)``, where
    c is even; ``block_size`` is its ``cells_per_block``, ``block_norm`` the same.

    References
    ----------
    .. [1] N. Dalal, B. Triggs, "Histograms of oriented gradients for human detection", CVPR 2005.

    Examples
    --------
    Dark left of light is an edge whose gradient points right, along the first direction:

    >>> import numpy as np
    >>> from mnist_models import HogFeatures
    >>> half = np.repeat([[0, 0, 0, 0, 1, 1, 1, 1]], 8, axis=0)
    >>> hog = HogFeatures(orientations=4, cell_size=8, stride=8, dtype="uint8")
    >>> hog.fit_transform(half.reshape(1, 64))
    array([[252,   0,   0,   0]], dtype=uint8)
    >>> hog.get_feature_names_out()[0]
    'cell0_0_orientation0'
    """

    def __init__(
        self,
        image_shape: tuple[int, int] | None = None,
        *,
        orientations: int = 8,
        signed: bool = True,
        interpolate: bool = True,
        cell_size: int = 7,
        stride: int = 3,
        block_size: int = 1,
        block_norm: Literal["L1-sqrt", "L2", "L2-Hys"] = "L1-sqrt",
        epsilon: float = 0.01,
        dtype: Literal["float32", "uint8"] = "float32",
    ) -> None:
        self.image_shape = image_shape
        self.orientations = orientations
        self.signed = signed
        self.interpolate = interpolate
        self.cell_size = cell_size
        self.stride = stride
        self.block_size = block_size
        self.block_norm = block_norm
        self.epsilon = epsilon
        self.dtype = dtype

    def transform(self, X: ArrayLike) -> NDArray[np.float32] | NDArray[np.uint8]:
        """Compute the histograms of each image.

        Parameters
        ----------
        X : array-like of numbers, shape (n_samples, n_features)
            Images, a row of pixels each, of any real dtype; finite in float32.

        Returns
        -------
        ndarray of ``dtype``, shape (n_samples, n_features_out)
            Ordered by block, then window in the block, both row by row, then direction.

        Raises
        ------
        TypeError, ValueError
            If X is not such an array, a parameter is invalid, or the images are too small for one
            block.
        """
        from mnist_models._features.hog_kernels import hog_images

        images = check_rows(self, X, reset=False)
        grid = self._grid(images.shape[1])
        result = np.empty((len(images), grid.n_features), dtype=self.dtype)
        is_uint8 = result.dtype == np.uint8
        buffer = np.empty((images_at_once(images), grid.n_features), dtype=np.float32)
        for rows, block in image_blocks(images, grid.image_shape):
            features = buffer[: len(block)] if is_uint8 else result[rows]
            hog_images(
                block,
                int(self.orientations),
                bool(self.signed),
                bool(self.interpolate),
                grid.rows,
                grid.columns,
                int(self.block_size),
                self.block_norm == "L1-sqrt",
                _CLIPS[self.block_norm],
                float(self.epsilon),
                features,
            )
            if is_uint8:
                result[rows] = np.rint(np.multiply(features, 255, out=features), out=features)
        return result

    def _feature_names(self) -> list[str]:
        grid = self._grid(self.n_features_in_)
        inside = range(self.block_size)
        return [
            (f"block{top}_{left}_" if self.block_size > 1 else "")
            + f"cell{top + down}_{left + across}_orientation{o}"
            for top in range(grid.rows.shape[1] - self.block_size + 1)
            for left in range(grid.columns.shape[1] - self.block_size + 1)
            for down in inside
            for across in inside
            for o in range(self.orientations)
        ]

    def _grid(self, n_features: int) -> "_Grid":
        """The windows on images with ``n_features`` pixels, after checking the parameters."""
        self._check_parameters()
        height, width = shape = resolve_shape(self.image_shape, n_features)
        least = self.cell_size + (self.block_size - 1) * self.stride
        if min(height, width) < least:
            raise ValueError(
                f"Images must be at least {least}x{least} pixels to hold a block of block_size="
                f"{self.block_size} windows of cell_size={self.cell_size} every stride="
                f"{self.stride} pixels. Got {height}x{width} instead. Use smaller ones."
            )
        rows, columns = (
            _windows(length, self.cell_size, self.stride, self.interpolate) for length in shape
        )
        down, across = (side.shape[1] - self.block_size + 1 for side in (rows, columns))
        # Python ints, which do not overflow
        n_features = down * across * int(self.block_size) ** 2 * int(self.orientations)
        return _Grid(shape, rows, columns, n_features)

    def _check_parameters(self) -> None:
        for name in ("orientations", "cell_size", "stride", "block_size"):
            most = self.cell_size if name == "stride" else None
            check_scalar(getattr(self, name), name, Integral, min_val=1, max_val=most)
        for name in ("signed", "interpolate"):
            check_scalar(getattr(self, name), name, (bool, np.bool_))
        check_scalar(self.epsilon, "epsilon", Real, min_val=1e-12)
        if not np.isfinite(self.epsilon):
            raise ValueError(f"epsilon must be finite. Got {self.epsilon} instead.")
        check_name(self.block_norm, _CLIPS, "block_norm")
        check_name(self.dtype, ("float32", "uint8"), "dtype")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"] if self.dtype == "float32" else []
        return tags


class _Grid(NamedTuple):
    """The windows on an image: the weight of each pixel row and column in each window."""

    image_shape: tuple[int, int]
    rows: NDArray[np.float64]  # (height, windows down)
    columns: NDArray[np.float64]  # (width, windows across)
    n_features: int


def _windows(length: int, size: int, stride: int, triangular: bool) -> NDArray[np.float64]:
    """The (length, n_windows) weights of the pixels of a line; those of a window sum to 1."""
    middles = np.arange(0, length - size + 1, stride) + (size - 1) / 2
    distance = np.abs(np.arange(length)[:, None] - middles)
    height = (size + 1) / 2 - distance if triangular else 1.0
    weights: NDArray[np.float64] = np.where(distance < size / 2, height, 0.0)
    return weights / weights.sum(axis=0)
