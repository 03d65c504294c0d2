"""Images to read, from the files people have: IDX, .npy and PNG."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_models._frames import lay_into_frame
from mnist_models._idx import read_idx

# A photograph's worth of pixels. Beyond that a small file could unfold into gigabytes.
_MOST_PIXELS = 25_000_000


def read_pixels(path: Path, n_features: int) -> NDArray[np.generic]:
    """The images of a file as rows of ``n_features`` pixels, ink high and paper 0.

    Parameters
    ----------
    path : pathlib.Path
        An IDX file of images (plain or gzip), a NumPy ``.npy`` file of shape (n, h, w), (n, h·w) or
        (h, w), or a ``.png`` of one digit. A PNG that is not exactly the model's size is cut to
        its ink and laid into the frame as MNIST's digits were; dark ink on light paper is
        inverted.
    n_features : int
        Pixels of an image the model was fitted on.

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
    if path.suffix == ".npy":
        pixels = _read_npy(path, n_features)
    elif path.suffix == ".png":
        pixels = _read_png(path, n_features)
    else:
        pixels = read_idx(path, ndim=3)
    rows = pixels.reshape(len(pixels), -1)
    if rows.shape[1] != n_features or len(rows) == 0:
        raise ValueError(
            f"{path} must hold images of {n_features} pixels, as the model was fitted on. "
            f"Got {len(rows)} images of {rows.shape[1]} pixels instead."
        )
    return rows


def _read_npy(path: Path, n_features: int) -> NDArray[Any]:
    try:
        pixels = np.load(path, allow_pickle=False, mmap_mode="r")
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path} is not a .npy file of numbers: {error}") from error
    if pixels.dtype.kind not in "buif" or pixels.ndim == 0:
        raise ValueError(
            f"{path} must hold an array of numbers, one image or several. "
            f"Got {pixels.dtype} of shape {pixels.shape} instead."
        )
    return pixels.reshape(1, -1) if pixels.size == n_features else pixels


def _to_grey(image: Any) -> NDArray[np.uint8]:
    """8-bit grey values; what is transparent is white paper."""
    from PIL import Image

    if image.mode.startswith("I"):  # 16 bits: convert() would cut them off at 255
        return (np.asarray(image) // 257).astype(np.uint8)
    paper = Image.new("RGBA", image.size, "white")
    return np.asarray(Image.alpha_composite(paper, image.convert("RGBA")).convert("L"))


def _read_png(path: Path, n_features: int) -> NDArray[Any]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path, formats=["PNG"]) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise ValueError(
                    f"{path} must have at most {_MOST_PIXELS} pixels. "
                    f"Got {image.width} x {image.height} instead."
                )
            grey = _to_grey(image)
    except (UnidentifiedImageError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} is not a sound PNG image: {error}") from error
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    ink = 255 - grey if np.median(border) > 127 else grey
    side = round(n_features**0.5)
    if side * side != n_features or ink.shape == (side, side):
        return ink[None]
    return lay_into_frame(ink, side)[None]
