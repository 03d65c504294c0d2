"""Handwritten digits: MNIST, scikit-learn's own, or any IDX files.

Every function returns an :class:`ImageDataset`: one row of 8-bit pixels per image and one label per
row, as scikit-learn expects them, and the shape of the images.
"""

import operator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state

from mnist_models._data import mnist
from mnist_models._data.frames import lay_into_frame
from mnist_models._data.idx import read_idx
from mnist_models._data.mnist_pins import N_TRAIN
from mnist_models._names import check_name
from mnist_models.exceptions import DatasetFormatError

Split = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[Any], NDArray[Any]]


@dataclass(frozen=True, eq=False, repr=False)
class ImageDataset:
    """Images and their labels, as read-only views of the given arrays.

    Parameters
    ----------
    data : ndarray of uint8, shape (n_images, height * width)
        One image per row, pixels from 0 (paper) to 255 (ink), row by row from the top left.
        Read-only; may be a memory map of a file.
    target : ndarray, shape (n_images,)
        The label of each image. Read-only.
    image_shape : tuple of int
        (height, width) in pixels.
    name : str
        What the data set is called in reports.
    n_official_train : int or None, default=None
        How many of the images, from the first, the authors set apart for training; None if they
        named no test set.

    Attributes
    ----------
    images : ndarray of uint8, shape (n_images, height, width)
        A view of ``data``.

    Raises
    ------
    TypeError
        If ``data`` or ``target`` is no array.
    ValueError
        If the parts do not fit together.

    Examples
    --------
    >>> from mnist_models import load_sample_digits
    >>> digits = load_sample_digits()
    >>> digits
    ImageDataset('sample digits', 1797 images of 28x28, 10 classes)
    >>> X_train, X_test, y_train, y_test = digits.split("report")
    >>> X_train.shape, X_test.shape
    ((1437, 784), (360, 784))
    """

    data: NDArray[np.uint8]
    target: NDArray[Any]
    image_shape: tuple[int, int]
    name: str
    n_official_train: int | None = None

    def __post_init__(self) -> None:
        if len(self.image_shape) != 2:
            raise ValueError(
                f"image_shape must be (height, width). Got {self.image_shape} instead."
            )
        for field in ("data", "target"):
            if not isinstance(getattr(self, field), np.ndarray):
                kind = type(getattr(self, field)).__name__
                raise TypeError(f"{field} must be a NumPy array. Got a {kind} instead.")
        n_pixels = self.image_shape[0] * self.image_shape[1]
        expected = (len(self.target), n_pixels)
        if self.data.shape != expected or self.data.dtype != np.uint8 or self.target.ndim != 1:
            raise ValueError(
                f"data must be uint8 of shape {expected}: a row for each of {len(self.target)} "
                f"labels, a column for each of {n_pixels} pixels. "
                f"Got {self.data.dtype} of shape {self.data.shape} instead."
            )
        if self.n_official_train is not None and not 0 < self.n_official_train < len(self.data):
            raise ValueError(
                "n_official_train must leave both training and test images: from 1 to "
                f"{len(self.data) - 1} of {len(self.data)}. "
                f"Got {self.n_official_train} instead."
            )
        for field in ("data", "target"):
            view = getattr(self, field).view()
            view.flags.writeable = False
            object.__setattr__(self, field, view)

    def __len__(self) -> int:
        return len(self.data)

    def __repr__(self) -> str:
        size = "x".join(map(str, self.image_shape))
        n_classes = len(np.unique(self.target))
        return f"ImageDataset({self.name!r}, {len(self)} images of {size}, {n_classes} classes)"

    @property
    def images(self) -> NDArray[np.uint8]:
        """The images as a view of shape (n_images, height, width)."""
        return self.data.reshape(-1, *self.image_shape)

    def split(self, kind: Literal["report", "official"] = "report") -> Split:
        """Divide into training and test rows, the same way every time.

        Parameters
        ----------
        kind : {"report", "official"}, default="report"
            ``"report"`` is the split of the report this library grew from, ``train_test_split``
            with ``test_size=0.2, random_state=42``: 56,000 and 14,000 of MNIST's digits.
            ``"official"`` is the authors' own: 60,000 and 10,000.

        Returns
        -------
        X_train, X_test, y_train, y_test : ndarray
            In the order of ``sklearn.model_selection.train_test_split``.

        Raises
        ------
        ValueError
            If ``kind`` is neither, or the data set has no official split.
        """
        check_name(kind, ("report", "official"), "kind")
        if kind == "report":
            train, test = train_test_split(np.arange(len(self)), test_size=0.2, random_state=42)
            return self.data[train], self.data[test], self.target[train], self.target[test]
        n_train = self.n_official_train
        if n_train is None:
            raise ValueError(
                f"{self.name!r} has no official split: its authors named no test set. "
                "Use split('report')."
            )
        data, target = self.data, self.target
        return data[:n_train], data[n_train:], target[:n_train], target[n_train:]

    def sample(
        self, n: int, random_state: int | np.random.RandomState | None = None
    ) -> "ImageDataset":
        """A smaller data set with the classes in the same proportions.

        Parameters
        ----------
        n : int
            How many images to keep, at least one for each class.
        random_state : int, RandomState or None, default=None
            Which ones are kept. The same int always keeps the same images.

        Returns
        -------
        ImageDataset
            The chosen images in their original order, without an official split.

        Raises
        ------
        TypeError
            If ``n`` is not a whole number.
        ValueError
            If ``n`` is larger than the data set or smaller than its number of classes.
        """
        n = operator.index(n)
        if n == len(self):
            chosen = np.arange(len(self))
        else:
            n_classes = len(np.unique(self.target))
            if not n_classes <= n < len(self):
                raise ValueError(
                    f"n must be from {n_classes}, the number of classes, to {len(self)}, the "
                    f"number of images. Got {n} instead."
                )
            chosen = _stratified_rows(self.target, n, check_random_state(random_state))
        return ImageDataset(
            self.data[chosen], self.target[chosen], self.image_shape, f"{n} of {self.name}"
        )


def fetch_mnist(
    *, data_home: str | PathLike[str] | None = None, download_if_missing: bool = True
) -> ImageDataset:
    """MNIST, all 70,000 digits: the 60,000 for training, then the 10,000 for testing.

    The first good source is taken: the uncompressed copy in the user's cache; the four IDX files
    (gzip or plain) in ``data_home``, in the folder named by the environment variable
    ``MNIST_MODELS_DATA`` or in the user's cache; a download (11 MB). The content is checked
    against its SHA-256, so the digits are the same from every source. The uncompressed copy
    (55 MB) is made by the first call and opened as a read-only memory map from then on.

    Parameters
    ----------
    data_home : str or path-like, default=None
        A folder to look for the four files in, if the cache has no uncompressed copy yet;
        downloaded files are put there. None: the user's cache.
    download_if_missing : bool, default=True
        If False, or if the environment variable ``MNIST_MODELS_OFFLINE`` is set to anything, never
        open a connection.

    Returns
    -------
    ImageDataset
        ``data`` is (70000, 784), ``target`` the digits 0 to 9, ``n_official_train`` 60,000.

    Raises
    ------
    DatasetUnavailableError
        If the digits are in none of the folders and cannot, or may not, be downloaded.
    DatasetFormatError
        If a file that is found is not the published one.

    References
    ----------
    Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-based learning applied to document
    recognition", Proceedings of the IEEE 86(11), 1998.

    Examples
    --------
    >>> from mnist_models import fetch_mnist
    >>> mnist = fetch_mnist()  # doctest: +SKIP
    >>> mnist.data.shape, mnist.n_official_train  # doctest: +SKIP
    ((70000, 784), 60000)
    """
    home = None if data_home is None else Path(data_home).expanduser()
    images, labels = mnist.load_mnist(home, download=download_if_missing)
    return _dataset(images, labels, "MNIST", n_official_train=N_TRAIN)


def load_idx(images: str | PathLike[str], labels: str | PathLike[str]) -> ImageDataset:
    """Any data set in MNIST's own file format: Fashion-MNIST, KMNIST, EMNIST, or yours.

    Parameters
    ----------
    images : str or path-like
        An IDX file of unsigned bytes with shape (n, height, width), gzip-compressed or plain.
    labels : str or path-like
        An IDX file of unsigned bytes with shape (n,), gzip-compressed or plain.

    Returns
    -------
    ImageDataset
        Named after the images' file.

    Raises
    ------
    DatasetFormatError
        If a file is malformed in any way, or the two do not belong together.
    OSError
        If a file cannot be read.

    Examples
    --------
    >>> from mnist_models import load_idx
    >>> fashion = load_idx("train-images-idx3-ubyte.gz",
    ...                    "train-labels-idx1-ubyte.gz")  # doctest: +SKIP
    """
    pictures = read_idx(images, ndim=3)
    targets = read_idx(labels, ndim=1)
    if pictures.size == 0:
        raise DatasetFormatError(
            f"{images} holds no pixels: expected at least one image, found shape {pictures.shape}."
        )
    if len(pictures) != len(targets):
        raise DatasetFormatError(
            f"{images} and {labels} do not belong together: expected one label for each of "
            f"{len(pictures)} images, found {len(targets)} labels."
        )
    return _dataset(pictures, targets, Path(images).name)


def load_sample_digits() -> ImageDataset:
    """The 1,797 handwritten digits inside scikit-learn, in MNIST's 28×28 frame.

    Each 8×8 digit (ink from 0 to 16) is enlarged to the 20×20 box that MNIST's digits fit into and
    placed in a 28×28 frame with its centre of mass in the middle, as MNIST's were. It needs no
    network and no files, and takes a fraction of a second.

    Returns
    -------
    ImageDataset
        ``data`` is (1797, 784), ``target`` the digits 0 to 9; no official split.

    References
    ----------
    E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning
    Repository, 1998.

    Examples
    --------
    >>> from mnist_models import load_sample_digits
    >>> digits = load_sample_digits()
    >>> digits.images.shape, digits.data.dtype
    ((1797, 28, 28), dtype('uint8'))
    """
    from sklearn.datasets import load_digits  # here, to spare every import a twentieth of a second

    digits = load_digits()
    ink = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    framed = np.stack([lay_into_frame(image) for image in ink])
    return _dataset(framed, digits.target, "sample digits")


def _stratified_rows(
    target: NDArray[Any], n: int, random_state: np.random.RandomState
) -> NDArray[np.intp]:
    """``n`` rows, sorted, with each class kept in proportion and none lost."""
    _, codes, counts = np.unique(target, return_inverse=True, return_counts=True)
    share = counts * n / len(target)
    take = np.maximum(1, np.floor(share).astype(int))
    while take.sum() != n:  # correct the rounding, one row at a time, in the class furthest off
        step = 1 if take.sum() < n else -1
        room = np.where((take < counts) if step > 0 else (take > 1), step * (share - take), -np.inf)
        take[np.argmax(room)] += step
    chosen = [
        random_state.choice(np.flatnonzero(codes == code), size, replace=False)
        for code, size in enumerate(take)
    ]
    return np.sort(np.concatenate(chosen))


def _dataset(
    images: NDArray[np.uint8],
    labels: NDArray[Any],
    name: str,
    n_official_train: int | None = None,
) -> ImageDataset:
    # 64-bit labels: differences of 8-bit ones would wrap around in the caller's arithmetic
    n, height, width = images.shape
    data = images.reshape(n, height * width)
    return ImageDataset(data, labels.astype(np.int64), (height, width), name, n_official_train)
