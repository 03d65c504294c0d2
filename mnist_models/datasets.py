"""Handwritten digits: MNIST and sets like it, scikit-learn's own, IDX and CSV files, folders.

Every function returns an :class:`ImageDataset`: one row of 8-bit pixels per image and one label per
row, as scikit-learn expects them, and the shape of the images.
"""

import math
import operator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state

from mnist_models import _mnist
from mnist_models._csv import read_csv
from mnist_models._files import kind_of, open_file
from mnist_models._idx import read_idx
from mnist_models._validation import check_name, current_name, some, warn_user
from mnist_models.exceptions import DatasetFormatError
from mnist_models.pictures import is_picture, lay_into_frame, read_images, visible

# What folders are called that hold a part of a data set, not a class.
_PARTS = {"train", "training", "test", "testing", "val", "valid", "validation"}

Split = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[Any], NDArray[Any]]


@dataclass(frozen=True, eq=False, repr=False)
class ImageDataset:
    """Images and their labels, as read-only views of the given arrays.

    Parameters
    ----------
    data : ndarray of uint8, shape (n_images, height * width), (n_images, height, width) or \
            (n_images, height, width, 1)
        Pixels from 0 (paper) to 255 (ink), row by row from the top left. Kept as one image per row,
        read-only; may be a memory map of a file.
    target : ndarray, shape (n_images,)
        The label of each image, a number or text. Read-only.
    image_shape : tuple of int, optional
        (height, width) in pixels. Without it, rows are taken for square images.
    name : str, default="images"
        What the data set is called in reports.
    n_official_train : int or None, default=None
        How many of the images, from the first, the authors set apart for training; None if they
        named no test set.
    class_names : tuple of str or None, default=None
        All labels, each at the number that the authors gave it, if the labels are names.

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
    >>> import numpy as np
    >>> from mnist_models import ImageDataset, load_sample_digits
    >>> X, y = np.zeros((60, 28, 28), np.uint8), np.arange(60) % 10  # as Keras has them
    >>> ImageDataset(X, y)
    ImageDataset('images', 60 images of 28x28, 10 classes)
    >>> digits = load_sample_digits()
    >>> digits
    ImageDataset('sample digits', 1797 images of 28x28, 10 classes)
    >>> X_train, X_test, y_train, y_test = digits.split("classic")
    >>> X_train.shape, X_test.shape
    ((1437, 784), (360, 784))
    """

    data: NDArray[np.uint8]
    target: NDArray[Any]
    image_shape: tuple[int, int] = None  # type: ignore[assignment]  # told from data
    name: str = "images"
    n_official_train: int | None = None
    class_names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for name, array in {"data": self.data, "target": self.target}.items():
            if not isinstance(array, np.ndarray):
                kind = type(array).__name__
                raise TypeError(f"{name} must be a NumPy array. Got a {kind} instead.")
        _check_labels(self.target)
        if self.image_shape is None:
            object.__setattr__(self, "image_shape", _tell_image_shape(self.data))
        if len(self.image_shape) != 2:
            raise ValueError(
                f"image_shape must be (height, width). Got {self.image_shape} instead."
            )
        n, (height, width) = len(self.target), self.image_shape
        if self.data.dtype != np.uint8:
            raise ValueError(
                f"data must be uint8, from 0 (paper) to 255 (ink). Got {self.data.dtype} instead: "
                "convert it with (data * 255).round().astype('uint8') if it goes from 0 to 1, with "
                "data.round().astype('uint8') if it goes to 255."
            )
        expected = (n, height * width), (n, height, width), (n, height, width, 1)
        if self.data.shape not in expected:
            shapes = f"{expected[0]}, {expected[1]} or {expected[2]}"
            raise ValueError(
                f"data must have the shape {shapes}, for {n} labels and images of {height}x{width} "
                f"pixels. Got the shape {self.data.shape} instead."
            )
        if self.class_names is not None and not np.isin(self.target, self.class_names).all():
            unknown = np.setdiff1d(self.target, self.class_names).tolist()
            raise ValueError(f"class_names must hold every label. Missing are {some(unknown)}.")
        for name, array in {"data": self.data.reshape(expected[0]), "target": self.target}.items():
            view = array.view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)
        if self.n_official_train is not None and not 0 < self.n_official_train < len(self.data):
            raise ValueError(
                "n_official_train must leave both training and test images: from 1 to "
                f"{len(self.data) - 1} of {len(self.data)}. "
                f"Got {self.n_official_train} instead."
            )

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

    def split(self, kind: Literal["classic", "official"] = "classic") -> Split:
        """Divide into training and test rows, the same way every time.

        Parameters
        ----------
        kind : {"classic", "official"}, default="classic"
            ``"classic"`` is the split of the report this library grew from, ``train_test_split``
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
        check_name(current_name(kind), ("classic", "official"), "kind")
        if kind != "official":
            train, test = train_test_split(np.arange(len(self)), test_size=0.2, random_state=42)
            return self.data[train], self.data[test], self.target[train], self.target[test]
        data, target, n_train = self.data, self.target, self.n_official_train
        if n_train is None:
            raise ValueError(
                f"{self.name!r} has no official split: its authors named no test set. "
                "Use split('classic')."
            )
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
        n, n_classes = operator.index(n), len(np.unique(self.target))
        if not n_classes <= n <= len(self):
            raise ValueError(
                f"n must be from {n_classes}, the number of classes, to {len(self)}, the "
                f"number of images. Got {n} instead."
            )
        chosen = stratified_rows(self.target, n, check_random_state(random_state))
        return ImageDataset(
            self.data[chosen],
            self.target[chosen],
            self.image_shape,
            f"{n} of {self.name}",
            class_names=self.class_names,
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
    return _fetch("mnist", data_home, download_if_missing)


def fetch_fashion_mnist(
    *, data_home: str | PathLike[str] | None = None, download_if_missing: bool = True
) -> ImageDataset:
    """Fashion-MNIST: 70,000 pictures of clothes, in MNIST's format and harder to tell apart.

    Found, checked and kept as :func:`fetch_mnist` does it, except that its files, which have the
    same names, lie in the folder ``fashion-mnist`` below ``MNIST_MODELS_DATA``. The download has
    31 MB.

    Parameters
    ----------
    data_home : str or path-like, default=None
        A folder to look for the four files in, such as ``"/usr/share/datasets/fashion-mnist"``,
        where Debian's package ``dataset-fashion-mnist`` puts them. None: the user's cache.
    download_if_missing : bool, default=True
        If False, or if ``MNIST_MODELS_OFFLINE`` is set to anything, never open a connection.

    Returns
    -------
    ImageDataset
        ``data`` is (70000, 784), ``target`` has names such as ``"Sneaker"``, ``class_names`` has
        them in the order of the authors' numbers, ``n_official_train`` is 60,000.

    Raises
    ------
    DatasetUnavailableError
        If the files are in none of the folders and cannot, or may not, be downloaded.
    DatasetFormatError
        If a file that is found is not the published one.

    References
    ----------
    H. Xiao, K. Rasul and R. Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking
    Machine Learning Algorithms", arXiv:1708.07747, 2017.

    Examples
    --------
    >>> from mnist_models import fetch_fashion_mnist
    >>> fashion = fetch_fashion_mnist()  # doctest: +SKIP
    >>> fashion.target[0], fashion.class_names.index(fashion.target[0])  # doctest: +SKIP
    (np.str_('Ankle boot'), 9)
    """
    return _fetch("fashion-mnist", data_home, download_if_missing)


def fetch_kmnist(
    *, data_home: str | PathLike[str] | None = None, download_if_missing: bool = True
) -> ImageDataset:
    """KMNIST (Kuzushiji-MNIST): 70,000 characters of old Japanese writing, in MNIST's format.

    Found and checked as :func:`fetch_mnist` does it, except that its files, which have the same
    names, lie in the folder ``kmnist`` below ``MNIST_MODELS_DATA``. They must be the four published
    ``.gz`` files, which are read anew by each call: no SHA-256 of their content is published with
    which an uncompressed copy could be checked. The download has 21 MB.

    Parameters
    ----------
    data_home : str or path-like, default=None
        A folder to look for the four files in. None: the user's cache.
    download_if_missing : bool, default=True
        If False, or if ``MNIST_MODELS_OFFLINE`` is set to anything, never open a connection.

    Returns
    -------
    ImageDataset
        ``data`` is (70000, 784), ``target`` the sounds of ten hiragana, from ``"o"`` to ``"wo"``,
        ``class_names`` has them in the order of the authors' numbers, ``n_official_train`` is
        60,000.

    Raises
    ------
    DatasetUnavailableError
        If the files are in none of the folders and cannot, or may not, be downloaded.
    DatasetFormatError
        If a file that is found is not the published one.

    References
    ----------
    T. Clanuwat, M. Bober-Irizar, A. Kitamoto, A. Lamb, K. Yamamoto and D. Ha, "Deep Learning for
    Classical Japanese Literature", arXiv:1812.01718, 2018.

    Examples
    --------
    >>> from mnist_models import fetch_kmnist
    >>> kmnist = fetch_kmnist()  # doctest: +SKIP
    >>> kmnist.class_names[:3]  # doctest: +SKIP
    ('o', 'ki', 'su')
    """
    return _fetch("kmnist", data_home, download_if_missing)


def _fetch(key: str, data_home: str | PathLike[str] | None, download: bool) -> ImageDataset:
    published = _mnist.SETS[key]
    home = None if data_home is None else Path(data_home).expanduser()
    images, labels = _mnist.load_published(published, home, download)
    n_train, names = published.files[0].shape[0], published.class_names
    if names is None:
        return _dataset(images, labels, published.name, n_train)
    # names as labels are shown by every table, plot, page and saved model without further ado
    return ImageDataset(images, np.array(names)[labels], (28, 28), published.name, n_train, names)


def load_idx(
    images: str | PathLike[str], labels: str | PathLike[str], *, transposed: bool = False
) -> ImageDataset:
    """Any data set in MNIST's own file format: EMNIST, QMNIST, or yours.

    Parameters
    ----------
    images : str or path-like
        An IDX file of unsigned bytes with shape (n, height, width), gzip-compressed or plain.
    labels : str or path-like
        An IDX file of unsigned bytes with shape (n,), gzip-compressed or plain.
    transposed : bool, default=False
        True if the file has each image column by column, as EMNIST's do.

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
    >>> letters = load_idx("emnist-letters-train-images-idx3-ubyte.gz",
    ...                    "emnist-letters-train-labels-idx1-ubyte.gz",
    ...                    transposed=True)  # doctest: +SKIP
    """
    pictures = read_idx(images, ndim=3)
    if transposed:
        pictures = pictures.transpose(0, 2, 1)
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


def load_csv(
    path: str | PathLike[str], *, image_shape: tuple[int, int] | None = None
) -> ImageDataset:
    """A table of pixels with the label of each image, as Kaggle's ``train.csv``.

    There is a line for each image: whole numbers from 0 to 255, separated by commas, semicolons or
    tabs. With a header,
    the label is the first or the last column, under the name ``label``, ``class`` or ``target``;
    without one, it is the first.

    Parameters
    ----------
    path : str or path-like
        A CSV file, plain or gzip-compressed.
    image_shape : tuple of int, optional
        (height, width) in pixels. Without it, images are taken for square.

    Returns
    -------
    ImageDataset
        Named after the file. ``target`` holds whole numbers if all labels are, otherwise text.

    Raises
    ------
    DatasetFormatError
        If the table has no labels, or a line is not as it should be: the message names it.
    ValueError
        If the images do not have this shape, or are not square.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from mnist_models import load_csv
    >>> lines = "label,pixel0,pixel1,pixel2,pixel3", "7,0,0,255,0", "1,0,128,0,0"
    >>> with tempfile.TemporaryDirectory() as home:
    ...     path = pathlib.Path(home, "train.csv")
    ...     _ = path.write_text("\\n".join(lines))
    ...     print(load_csv(path))
    ImageDataset('train.csv', 2 images of 2x2, 2 classes)
    """
    pixels, labels = read_csv(path)
    if labels is None:
        raise DatasetFormatError(
            f"{path} must have a column of labels, the first or the last, named label, class or "
            "target. It has none. To predict its images, give it to mnist-models predict, or read "
            f"it with np.loadtxt({Path(path).name!r}, np.uint8, delimiter=',', skiprows=1), "
            "where skiprows is 0 if there is no header."
        )
    shape: Any = image_shape
    return ImageDataset(pixels, _as_labels(labels), shape, Path(path).name)


def load_folder(
    folder: str | PathLike[str], *, image_shape: tuple[int, int] = (28, 28)
) -> ImageDataset:
    """A folder of pictures for each class, as in ``digits/7/scan12.jpg``.

    Keras's ``image_dataset_from_directory`` and torchvision's ``ImageFolder`` read the same: a
    picture belongs to the class of the outermost of its folders. Hidden files are left out; other
    files that are no pictures too, with a warning. Each picture is read by
    :func:`mnist_models.read_images`: it stays as it is if it has this shape already, and
    is otherwise cropped and framed as MNIST's digits were.

    Parameters
    ----------
    folder : str or path-like
        The folder that holds the classes' folders.
    image_shape : tuple of int, default=(28, 28)
        (height, width) of the images, in pixels.

    Returns
    -------
    ImageDataset
        Named after the folder, in the order of class and file names. ``target`` holds whole numbers
        if all folders are named so, otherwise text.

    Raises
    ------
    DatasetFormatError
        If there are not at least two classes with pictures in each.
    ValueError
        If a picture cannot be read.
    OSError
        If the folder cannot be read.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from PIL import Image
    >>> from mnist_models import load_folder, load_sample_digits
    >>> digits = load_sample_digits()
    >>> with tempfile.TemporaryDirectory() as home:
    ...     for number in range(20):
    ...         folder = pathlib.Path(home, str(digits.target[number]))
    ...         folder.mkdir(exist_ok=True)
    ...         Image.fromarray(digits.images[number]).save(folder / f"{number}.png")
    ...     print(load_folder(home).target)
    [0 0 1 1 2 2 3 3 4 4 5 5 6 6 7 7 8 8 9 9]
    """
    home = Path(folder)
    folders = {path.name for path in home.iterdir() if path.is_dir() and path.name[0] != "."}
    pictures, labels, others = [], [], []
    for path in visible(home):
        parts = path.relative_to(home).parts
        if path.is_dir():
            continue
        if len(parts) > 1 and is_picture(path):
            pictures.append(path)
            labels.append(parts[0])
        else:
            others.append(path)
    _check_classes(home, folders, set(labels))
    if others:
        warn_user(
            UserWarning(
                f"{home}: what is no picture (PNG, JPEG, TIFF, BMP or WebP) in the folder of a "
                f"class is left out: {some(others)}."
            )
        )
    images = read_images(pictures, image_shape=image_shape)
    return ImageDataset(images, _as_labels(labels), image_shape, home.resolve().name)


def _check_classes(home: Path, folders: set[str], classes: set[str]) -> None:
    """Raise DatasetFormatError unless a folder holds classes; those with pictures are given."""
    if folders and {name.lower() for name in folders} <= _PARTS:
        found = f"{some(sorted(folders))}, which look like its parts: load each by itself"
    elif folders - classes:
        found = f"no picture in {some(sorted(folders - classes))}: add some, or remove the folder"
    elif len(classes) < 2:
        found = f"only {classes.pop()}: name the folder above" if classes else "no folder in it"
    else:
        return
    raise DatasetFormatError(
        f"{home} must hold a folder of pictures for each of at least two classes, as in "
        f"{home / '7' / 'scan12.jpg'}. Got {found}."
    )


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


def _load_path(path: Path) -> ImageDataset:
    """What ``--data`` names: a CSV file, a folder of IDX files, or one of pictures by class."""
    if path.is_dir():
        has_idx = any("-ubyte" in each.name for each in path.iterdir())
        has_classes = any(each.is_dir() for each in path.iterdir())
        return load_folder(path) if has_classes and not has_idx else _load_idx_folder(path)
    if path.name.lower().endswith((".csv", ".csv.gz")):
        return load_csv(path)
    with open_file(path) as file:
        kind = kind_of(file.read(16))
    raise DatasetFormatError(
        f"{path} must be a folder, of IDX files or of pictures by class, or a table of pixels with "
        f"labels whose name ends in .csv or .csv.gz. It is {kind}."
    )


def _load_idx_folder(folder: Path) -> ImageDataset:
    """A folder of IDX files with MNIST's names, plain or gzip-compressed, as ``--data`` reads it.

    Without the two ``t10k`` files there is no official split.
    """
    names = [pinned.name for pinned in _mnist.SETS["mnist"].files]
    train_images, train_labels, test_images, test_labels = (
        _find_one(folder, name) for name in names
    )
    if train_images is None or train_labels is None:
        inside = some(sorted(path.name for path in folder.iterdir()))
        raise DatasetFormatError(
            f"{folder} must hold a folder of pictures for each class, as in {folder / '7'}, or "
            f"{names[0]} and {names[1]}, plain or .gz. Got {inside or 'nothing'} in it."
        )
    train = load_idx(train_images, train_labels)
    if test_images is None and test_labels is None:
        return train
    if test_images is None or test_labels is None:
        raise DatasetFormatError(
            f"{folder} must hold both {names[2]} and {names[3]}, or neither. It holds only "
            f"{test_images or test_labels}: add the other, or remove it to test on a part of the "
            "training images."
        )
    test = load_idx(test_images, test_labels)
    if test.image_shape != train.image_shape:
        raise DatasetFormatError(
            f"{test_images} must hold images of {train.image_shape} pixels, as {train_images} "
            f"does. Got {test.image_shape} instead."
        )
    unknown = np.setdiff1d(test.target, train.target)
    if len(unknown):
        raise DatasetFormatError(
            f"{test_labels} must hold only labels that {train_labels} holds too, for no model can "
            f"learn others. Got {some(unknown.tolist())} besides: add training images of them, or "
            "remove their test images."
        )
    data, target = np.concatenate([train.data, test.data]), np.append(train.target, test.target)
    return ImageDataset(data, target, train.image_shape, folder.resolve().name, len(train))


def _find_one(folder: Path, name: str) -> Path | None:
    """The plain or gzip-compressed file of this name, or None; an error if two differ."""
    paths = [path for path in (folder / name, folder / f"{name}.gz") if path.is_file()]
    if len(paths) == 2:
        plain, packed = (read_idx(path, ndim=3 if "images" in name else 1) for path in paths)
        if not np.array_equal(plain, packed):
            raise DatasetFormatError(
                f"{paths[0]} and {paths[1]} must hold the same. They differ: remove the wrong one."
            )
    return paths[0] if paths else None


def _as_labels(names: list[str]) -> NDArray[Any]:
    """Names as whole numbers if they all are, otherwise as text."""
    are_numbers = all(name.isascii() and name.isdigit() and len(name) <= 18 for name in names)
    return np.array(names, dtype=np.int64 if are_numbers else np.str_)


def _check_labels(target: NDArray[Any]) -> None:
    """Raise ValueError for labels that are no sequence, and say what makes one of them."""
    if target.ndim == 1:
        return
    remedy = ""
    if target.ndim == 2:
        is_column = target.shape[1] == 1
        remedy = (
            "Pass target.ravel()."
            if is_column
            else "If it is one-hot, with a column for each class, pass target.argmax(axis=1)."
        )
    raise ValueError(
        "target must have one label for each image, in one dimension. "
        f"Got the shape {target.shape} instead. {remedy}".rstrip()
    )


def _tell_image_shape(data: NDArray[Any]) -> tuple[int, int]:
    """(height, width) of images, or of rows if they are square; otherwise ValueError."""
    if data.ndim in (3, 4):
        return data.shape[1], data.shape[2]
    side = math.isqrt(data.shape[1]) if data.ndim == 2 else 0
    if data.ndim != 2 or side * side != data.shape[1]:
        raise ValueError(
            "data must have the shape (n, height, width), or (n, pixels) of square images. "
            f"Got the shape {data.shape} instead: pass image_shape=(height, width)."
        )
    return side, side


def stratified_rows(
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
    images: NDArray[np.uint8], labels: NDArray[Any], name: str, n_train: int | None = None
) -> ImageDataset:
    # 64-bit labels: differences of 8-bit ones would wrap around in the caller's arithmetic
    n, height, width = images.shape
    data = images.reshape(n, height * width)
    return ImageDataset(data, labels.astype(np.int64), (height, width), name, n_train)
