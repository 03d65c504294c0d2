"""Preprocessing of pixels: standardizing, straightening, oriented gradients, and recipes."""

from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any, Literal, NamedTuple, Self, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.pipeline import Pipeline
from sklearn.utils import gen_batches
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted, check_scalar

from mnist_models._validation import (
    RestoredOnError,
    check_float32,
    check_name,
    check_rows,
    check_scale,
    current_name,
    overflow_ignored,
)

Recipe = Literal["classic", "accurate"]
RECIPES = get_args(Recipe)

# The most rows and values worked on at a time: 256 of MNIST's images fit in a core's cache.
_BLOCK_ROWS = 256
_BLOCK_VALUES = 256 * 784

# Where normalized values are clipped: Dalal and Triggs chose 0.2; none exceeds 1.
_CLIPS = {"L1-sqrt": 1.0, "L2": 1.0, "L2-Hys": 0.2}


def make_preprocessor(recipe: Recipe = "classic") -> "Standardize | Pipeline":
    """Make the transformer that a recipe puts before the classifier.

    Parameters
    ----------
    recipe : {"classic", "accurate"}, default="classic"
        ``"classic"`` standardizes every pixel, as the original report did. ``"accurate"`` finds
        the ink in each image, straightens it and describes it by histograms of oriented gradients,
        392 features for 28×28 pixels (:class:`CleanPaper`, :class:`Deskew`, then
        ``HogFeatures(cell_size=9)``); nothing is learned.

    Returns
    -------
    transformer
        Unfitted; it takes numbers of any real dtype and returns float32. ``"accurate"`` needs
        square images of at least 9×9 pixels, ``"classic"`` takes any table.

    Raises
    ------
    ValueError
        If there is no such recipe.

    Examples
    --------
    >>> from mnist_models import load_sample_digits, make_preprocessor
    >>> X = load_sample_digits().data
    >>> standardized = make_preprocessor("classic").fit_transform(X)
    >>> standardized.dtype, abs(float(standardized.mean())) < 1e-6
    (dtype('float32'), True)
    >>> make_preprocessor("accurate").fit_transform(X).shape
    (1797, 392)
    """
    check_name(current_name(recipe), RECIPES, "recipe")
    if recipe != "accurate":
        return Standardize()
    steps = [("clean", CleanPaper()), ("deskew", Deskew()), ("hog", HogFeatures(cell_size=9))]
    return Pipeline(steps)


class Standardize(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Bring every feature to mean 0 and standard deviation 1, in float32.

    The result is that of scikit-learn's ``StandardScaler``, which makes a float64 copy of the data.
    This one computes in float64 a block of rows at a time, and stores float32 only.

    Parameters
    ----------
    power : float, default=1.0
        Each feature is divided by its standard deviation to this power, from 0 to 1. Below 1,
        features that vary more weigh more in what follows.

    Attributes
    ----------
    mean_ : ndarray of float64, shape (n_features,)
        The mean of each feature, in the units of X.
    scale_ : ndarray of float64, shape (n_features,)
        What it is divided by: the power of its standard deviation (of the population, as
        ``StandardScaler`` has it); 1 for a constant feature, which therefore becomes 0 and stays
        finite.
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

    def __init__(self, *, power: float = 1.0) -> None:
        self.power = power

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Find each feature's mean and what to divide it by.

        Parameters
        ----------
        X : array-like of numbers, shape (n_samples, n_features)
            Or images, of shape (n_samples, height, width) or (n_samples, height, width, 1).
            Finite values of any real dtype.
        y : None
            Ignored.

        Returns
        -------
        self : Standardize
            The same object, fitted.

        Raises
        ------
        TypeError, ValueError
            If X is not such an array, its values are beyond 1e150, or ``power`` is not from 0 to 1.
        """
        with RestoredOnError(self):
            check_scalar(self.power, "power", Real, min_val=0, max_val=1)
            rows = check_rows(self, X)
            check_scale(self, rows, reset=True)
            self.mean_, scale = _mean_and_scale(rows)
            self.scale_ = scale**self.power
            if not np.isfinite(scale).all():
                raise ValueError(
                    "X has values whose variance is too large for float64: expected values below "
                    "1e150. Scale them down first."
                )
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float32]:
        """Subtract the mean and divide by the scale found by ``fit``.

        Parameters
        ----------
        X : array-like of numbers, shape (n_samples, n_features)
            Finite values of any real dtype.

        Returns
        -------
        ndarray of float32, shape (n_samples, n_features)
            Deviations from each column's mean, in units of ``scale_``.

        Raises
        ------
        NotFittedError
            If ``fit`` was not called.
        ValueError
            If X is not such an array, or a standardized value is too large for float32.
        """
        check_is_fitted(self)
        values = check_rows(self, X, reset=False)
        check_scale(self, values)
        standardized = np.empty(values.shape, dtype=np.float32)
        with np.errstate(over="ignore"):  # checked below
            for rows in _row_slices(values):
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


def _mean_and_scale(X: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of every column; 1 where it is constant up to rounding."""
    n, d = X.shape
    mean, variance = np.zeros(d), np.zeros(d)
    with np.errstate(over="ignore"):  # gives an infinite scale
        for rows in _row_slices(X):
            mean += X[rows].sum(axis=0, dtype=np.float64) / n
        for rows in _row_slices(X):
            variance += np.square(X[rows] - mean).sum(axis=0) / n
    # A sum of n values has a relative rounding error of at most n·eps: no less can be a spread.
    scale = np.sqrt(variance)
    constant = scale <= n * np.finfo(np.float64).eps * np.abs(mean)
    return np.where(constant, X[0], mean), np.where(constant, 1.0, scale)


class _ImageTransformer(TransformerMixin, BaseEstimator):
    """Base class of image transformers. Each image is transformed by itself; nothing is learned."""

    n_features_in_: int

    def __init__(self, image_shape: tuple[int, int] | None = None) -> None:
        self.image_shape = image_shape

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Check the parameters and the shape of the images; there is nothing to learn.

        Parameters
        ----------
        X : array-like of numbers, shape (n_samples, n_features)
            A row of pixels for each image; or images, (n_samples, height, width[, 1]).
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

    def _feature_names(self) -> list[str]:
        """The names for images of ``n_features_in_`` pixels, after checking the parameters."""
        height, width = resolve_shape(self.image_shape, self.n_features_in_)
        return [f"pixel{r}_{c}" for r in range(height) for c in range(width)]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags


class CleanPaper(_ImageTransformer):
    """Find the ink in each image: paper becomes 0, the strongest ink 255, the digit is centred.

    The median along the edge of an image is its paper. Ink is what differs from that, and most of
    it is lighter or darker, so dark writing on light paper becomes what MNIST has, light on dark.
    Where neighbours along the edge differ there is noise, which is smoothed; ink is then what
    exceeds nearly all of the edge. It is stretched to 255, and moved by whole pixels until its
    centre of mass is where MNIST's digits have it: in row ``height // 2``, column ``width // 2``.

    So the unit of the pixels, the shade of the paper and the place of the digit make no difference
    to the models behind it. MNIST's own digits stay as they are, or are stretched to 255.

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

    Examples
    --------
    >>> import numpy as np
    >>> from mnist_models import CleanPaper
    >>> photo = np.full((5, 5), 0.8)  # light paper
    >>> photo[1:4, 3] = 0.2  # a dark 1, right of the middle
    >>> CleanPaper().transform(photo.reshape(1, 25)).reshape(5, 5)
    array([[  0,   0,   0,   0,   0],
           [  0,   0, 255,   0,   0],
           [  0,   0, 255,   0,   0],
           [  0,   0, 255,   0,   0],
           [  0,   0,   0,   0,   0]], dtype=uint8)
    """

    def transform(self, X: ArrayLike) -> NDArray[np.uint8]:
        """Clean and centre each image.

        Parameters
        ----------
        X : array-like of numbers, shape (n_samples, n_features)
            Images, a row of pixels each, of any real dtype; finite in float32.

        Returns
        -------
        ndarray of uint8, shape (n_samples, n_features)
            0 is paper. An image in which all pixels are equal becomes 0.

        Raises
        ------
        TypeError, ValueError
            If X is not such an array, or ``image_shape`` does not fit it.
        """
        from mnist_models._image_kernels import clean_images

        images = check_rows(self, X, reset=False)
        shape = resolve_shape(self.image_shape, images.shape[1])
        result = np.empty(images.shape, dtype=np.uint8)
        for rows, block in _image_blocks(images, shape):
            clean_images(block, result[rows].reshape(-1, *shape))
        return result

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags


class Deskew(_ImageTransformer):
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
        from mnist_models._image_kernels import deskew_images

        images = check_rows(self, X, reset=False)
        shape = resolve_shape(self.image_shape, images.shape[1])
        is_uint8 = images.dtype == np.uint8
        result = np.empty(images.shape, dtype=np.uint8 if is_uint8 else np.float32)
        straight = np.empty((_rows_at_once(images), *shape), dtype=np.float32)
        for rows, block in _image_blocks(images, shape):
            deskew_images(block, straight)
            upright = straight[: len(block)].reshape(len(block), -1)
            result[rows] = np.rint(upright, out=upright) if is_uint8 else upright
        return result

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["uint8", "float32"]
        return tags


class HogFeatures(_ImageTransformer):
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
        from mnist_models._image_kernels import hog_images

        images = check_rows(self, X, reset=False)
        grid = self._grid(images.shape[1])
        result = np.empty((len(images), grid.n_features), dtype=self.dtype)
        is_uint8 = result.dtype == np.uint8
        buffer = np.empty((_rows_at_once(images), grid.n_features), dtype=np.float32)
        for rows, block in _image_blocks(images, grid.image_shape):
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
        shape, windows, n_features_out = self._layout(n_features)
        rows, columns = (
            _windows(length, count, self.cell_size, self.stride, self.interpolate)
            for length, count in zip(shape, windows, strict=True)
        )
        return _Grid(shape, rows, columns, n_features_out)

    def _layout(self, n_features: int) -> tuple[tuple[int, int], tuple[int, int], int]:
        """The shape of an image, its windows down and across, and how many features they make."""
        self._check_parameters()
        height, width = resolve_shape(self.image_shape, n_features)
        size, stride, block = int(self.cell_size), int(self.stride), int(self.block_size)
        least = size + (block - 1) * stride
        if min(height, width) < least:
            raise ValueError(
                f"Images must be at least {least}x{least} pixels to hold a block of block_size="
                f"{block} windows of cell_size={size} every stride={stride} pixels. "
                f"Got {height}x{width} instead. Use smaller ones."
            )
        down, across = (height - size) // stride + 1, (width - size) // stride + 1
        n_blocks = (down - block + 1) * (across - block + 1)
        return (height, width), (down, across), n_blocks * block**2 * int(self.orientations)

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


def _windows(
    length: int, count: int, size: int, stride: int, triangular: bool
) -> NDArray[np.float64]:
    """The (length, count) weights of the pixels of a line; those of a window sum to 1."""
    middles = stride * np.arange(count) + (size - 1) / 2
    distance = np.abs(np.arange(length)[:, None] - middles)
    height = (size + 1) / 2 - distance if triangular else 1.0
    weights: NDArray[np.float64] = np.where(distance < size / 2, height, 0.0)
    return weights / weights.sum(axis=0)


def _rows_at_once(X: NDArray[Any]) -> int:
    """How many rows of X make a block."""
    return max(1, min(len(X), _BLOCK_ROWS, _BLOCK_VALUES // X.shape[1]))


def _row_slices(X: NDArray[Any]) -> Iterator[slice]:
    return gen_batches(len(X), _rows_at_once(X))


def _image_blocks(
    X: NDArray[Any], shape: tuple[int, int]
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Yield the rows of a block of X, and its images in float32, until the next overwrites them.

    Raises
    ------
    ValueError
        If X has values too large for float32.
    """
    memory = np.empty((_rows_at_once(X), X.shape[1]), dtype=np.float32)
    for rows in _row_slices(X):
        block = memory[: rows.stop - rows.start]
        with overflow_ignored():
            block[:] = X[rows]
        check_float32(block)
        yield rows, block.reshape(-1, *shape)


def resolve_shape(image_shape: Any, n_features: int) -> tuple[int, int]:
    """Height and width of images with ``n_features`` pixels.

    ``image_shape`` is None for square images; -1 for one of the two is inferred from the other.

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
