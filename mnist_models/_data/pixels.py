"""Reading images to be classified, from IDX, .npy and PNG files."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_models._data.frames import lay_into_frame
from mnist_models._data.idx import read_idx
from mnist_models._files import open_file, open_npy

# The pixels of a photograph. Without a limit, a small file could decompress to gigabytes.
_MOST_PIXELS = 25_000_000
_LONGEST_SIDE = 10_000
# Some 700,000 digits. A sparse file can be longer than the memory and take no space on disk.
_MOST_VALUES = 2**29
# Marks fainter than this share of the strongest one are taken for the paper's grain or shadows.
_FAINTEST_INK = 0.2
_LEAST_CONTRAST = 32

_OTHER_PICTURES = {".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".heic", ".pdf"}


def read_pixels(path: Path, n_features: int) -> NDArray[np.generic]:
    """The images of a file as rows of ``n_features`` pixels, ink high and paper 0.

    Parameters
    ----------
    path : pathlib.Path
        An IDX file of images (plain or gzip); a NumPy ``.npy`` file of shape (n, h, w), (n, h·w)
        or (h, w), on the scale the model was fitted on (MNIST's: 0 paper, 255 ink); or a ``.png``
        of one digit, dark on light or light on dark, which is cropped and framed as MNIST's digits
        were, unless it has the model's size already.
    n_features : int
        Pixels of each image that the model was fitted on.

    Returns
    -------
    ndarray of numbers, shape (n, n_features)

    Raises
    ------
    ValueError
        If the file holds something else, or images of another size.
    OSError
        If it cannot be read.
    """
    kind = path.suffix.lower()
    if kind == ".npy":
        pixels = _read_npy(path, n_features)
    elif kind == ".png":
        pixels = _read_png(path, n_features)
    elif kind in _OTHER_PICTURES:
        raise ValueError(f"{path} must be an IDX, .npy or .png file. Save the picture as PNG.")
    else:
        pixels = read_idx(path, ndim=3)
    n_images, n_pixels = len(pixels), int(np.prod(pixels.shape[1:]))
    if n_pixels != n_features or n_images == 0:
        raise ValueError(
            f"{path} must hold images of {n_features} pixels, as the model was fitted on. "
            f"Got {n_images} images of {n_pixels} pixels instead."
        )
    return pixels.reshape(n_images, n_pixels)


def _read_npy(path: Path, n_features: int) -> NDArray[Any]:
    pixels = open_npy(path)
    if pixels.dtype.kind not in "buif" or pixels.ndim == 0:
        raise ValueError(
            f"{path} must hold an array of numbers, one image or several. "
            f"Got {pixels.dtype} of shape {pixels.shape} instead."
        )
    if pixels.size > _MOST_VALUES:
        raise ValueError(
            f"{path} must hold at most {_MOST_VALUES:,} pixels. Got {pixels.size:,}: split it."
        )
    if not np.isfinite(pixels).all():
        raise ValueError(f"{path} must hold finite numbers. Got NaN or infinity among them.")
    return pixels.reshape(1, -1) if pixels.size == n_features else pixels


def _read_png(path: Path, n_features: int) -> NDArray[Any]:
    grey = _read_grey(path)
    ink = find_ink(grey)
    if ink is None:
        raise ValueError(
            f"{path} must show a digit, dark on light or light on dark. Got a page on which no "
            f"mark differs from the paper by {_LEAST_CONTRAST} levels of 255."
        )
    side = round(n_features**0.5)
    if side * side != n_features or ink.shape == (side, side):
        return ink[None]
    return lay_into_frame(strengthen(ink), side)[None]


def find_ink(grey: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """The picture with high values for ink: unchanged if light on dark, otherwise inverted.

    Parameters
    ----------
    grey : ndarray of uint8, shape (height, width)
        A digit on paper of any shade. The border is taken to be mostly paper.

    Returns
    -------
    ndarray of uint8, shape (height, width), or None
        None if nothing stands out from the paper.
    """
    mark = grey.astype(np.int16) - np.int16(_paper(grey))
    if max(mark.max(), -mark.min()) < _LEAST_CONTRAST:
        return None
    return grey if mark.max() > -mark.min() else 255 - grey


def strengthen(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Stretch the contrast: paper and its grain become 0, the strongest mark 255.

    Parameters
    ----------
    ink : ndarray of uint8, shape (height, width)
        A digit with high values for ink.

    Returns
    -------
    ndarray of uint8, shape (height, width)
    """
    mark = (ink.astype(np.float64) - _paper(ink)).clip(min=0)
    mark[mark < _FAINTEST_INK * mark.max()] = 0
    strong: NDArray[np.uint8] = np.rint(mark * (255 / mark.max())).astype(np.uint8)
    return strong


def _paper(picture: NDArray[np.uint8]) -> float:
    """The shade of the paper: the median of the border."""
    sides = (picture[0], picture[-1], picture[:, 0], picture[:, -1])
    return float(np.median(np.concatenate(sides)))


def _read_grey(path: Path) -> NDArray[np.uint8]:
    """A PNG file as 8-bit grey values; transparent pixels become white."""
    from PIL import Image

    with open_file(path):  # a missing file is an OSError, not a broken picture
        pass
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(path, formats=["PNG"])
        with image:
            if image.width * image.height > _MOST_PIXELS or max(image.size) > _LONGEST_SIDE:
                raise ValueError(f"of {image.width} x {image.height} pixels")
            if image.mode.startswith("I"):  # 16 bits: convert() would clip them at 255
                return (np.asarray(image) // 257).astype(np.uint8)
            paper = Image.new("RGBA", image.size, "white")
            return np.asarray(Image.alpha_composite(paper, image.convert("RGBA")).convert("L"))
    except (
        SyntaxError,  # raised by Pillow for a broken chunk
        OSError,
        ValueError,
        Image.DecompressionBombWarning,
        Image.DecompressionBombError,
    ) as error:
        raise ValueError(
            f"{path} must be a valid PNG image of at most {_MOST_PIXELS:,} pixels and "
            f"{_LONGEST_SIDE:,} to a side: {error}. Save the picture again, or a smaller one."
        ) from error
