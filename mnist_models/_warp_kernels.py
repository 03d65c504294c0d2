"""Random warps of images, so that a network is not trained on the same ones every epoch.

Importing this module imports numba, so it is imported inside the function that calls it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_models._compiled import kernel

# Knots of the bending field along each side; on MNIST they are nine pixels apart.
_N_KNOTS = 6


def warp_rows(
    X: NDArray[Any],
    rows: NDArray[np.intp],
    rng: np.random.Generator,
    *,
    image_shape: tuple[int, int],
    amounts: tuple[float, float, float, float, float],
) -> NDArray[Any]:
    """Read some rows of X, each warped in its own random way.

    Parameters
    ----------
    X : ndarray of uint8 or float32, shape (n, height·width)
        Images, a row of pixels each.
    rows : ndarray of int, shape (m,)
        The rows to read; a row that occurs twice is warped in two ways.
    rng : Generator
        Draws the warps.
    image_shape : tuple (height, width) of int
    amounts : tuple of float
        Shift, rotation, stretch, bend and erase, as parameters of ``SequentialClassifier``.

    Returns
    -------
    ndarray of X's dtype, shape (m, height·width)

    References
    ----------
    P. Y. Simard, D. Steinkraus and J. C. Platt, "Best Practices for Convolutional Neural Networks
    Applied to Visual Document Analysis", ICDAR 2003. They smooth a field of random displacements;
    here it is a spline with random coefficients, which is smooth already. Z. Zhong, L. Zheng,
    G. Kang, S. Li and Y. Yang, "Random Erasing Data Augmentation", AAAI 2020.
    """
    height, width = image_shape
    *affine, bend, erase = amounts
    warped = np.empty((len(rows), height, width), dtype=X.dtype)
    knots = (len(rows), 2, _N_KNOTS, _N_KNOTS)
    bends = np.float32(bend) * rng.standard_normal(knots, dtype=np.float32)
    warp_images(
        X.reshape(-1, height, width),
        rows,
        _moves(len(rows), rng, *affine),
        bends,
        splines(height),
        splines(width),
        np.float32(0.5 if X.dtype.kind == "u" else 0.0),
        warped,
    )
    if erase:
        _erase(warped, rng, erase)
    return warped.reshape(len(rows), -1)


def _erase(images: NDArray[Any], rng: np.random.Generator, probability: float) -> None:
    """Set a rectangle to 0 in some images: one to two sevenths of it high and wide, or a pixel."""
    chosen = np.flatnonzero(rng.random(len(images)) < probability)
    sides = np.array(images.shape[1:])
    least, most = np.maximum(1, sides // 7), np.maximum(1, 2 * sides // 7)
    sizes = rng.integers(least, most + 1, size=(len(chosen), 2))
    corners = rng.integers(0, sides - sizes + 1)
    for i, (height, width), (top, left) in zip(chosen, sizes, corners, strict=True):
        images[i, top : top + height, left : left + width] = 0


def _moves(
    n: int, rng: np.random.Generator, shift: float, rotation: float, stretch: float
) -> NDArray[np.float32]:
    """Random affine maps minus the identity, (n, 2, 3): stretch, slant, rotate and shift."""
    angle = np.deg2rad(rng.uniform(-rotation, rotation, n))
    slant, *stretches = rng.uniform(-stretch, stretch, (3, n))
    sine, cosine = np.sin(angle), np.cos(angle)
    high, wide = np.exp(stretches)
    moves = np.empty((n, 2, 3), dtype=np.float32)
    moves[:, 0, 0] = high * (cosine - slant * sine) - 1
    moves[:, 0, 1] = -wide * sine
    moves[:, 1, 0] = high * (sine + slant * cosine)
    moves[:, 1, 1] = wide * cosine - 1
    moves[:, :, 2] = rng.uniform(-shift, shift, (n, 2))
    return moves


def splines(n_pixels: int) -> NDArray[np.float32]:
    """The (n_pixels, n_knots) weight of each knot at each pixel: uniform cubic B-splines."""
    knots = np.arange(-1, _N_KNOTS - 1)
    distance = np.abs(np.linspace(0, _N_KNOTS - 3, n_pixels)[:, None] - knots)
    inner = 2 / 3 - distance**2 + distance**3 / 2
    outer = np.clip(2 - distance, 0, None) ** 3 / 6
    return np.where(distance < 1, inner, outer).astype(np.float32)


@kernel
def warp_images(
    images: NDArray[Any],
    rows: NDArray[np.intp],
    moves: NDArray[np.float32],
    bends: NDArray[np.float32],
    down: NDArray[np.float32],
    across: NDArray[np.float32],
    rounding: Any,
    warped: NDArray[Any],
) -> None:
    """Resample images at displaced positions, bilinearly; beyond an edge lies the edge's value.

    Parameters
    ----------
    images : ndarray of uint8 or float32, shape (n, height, width)
        At least two pixels high and wide.
    rows : ndarray of int, shape (m,)
        Which of the images to warp.
    moves : ndarray of float32, shape (m, 2, 3)
        An affine displacement of each image, in pixels: for (down, right), the coefficients of a
        pixel's row and column, both from the middle, and a constant.
    bends : ndarray of float32, shape (m, 2, n_knots, n_knots)
        A smooth displacement in addition: the coefficients of its splines, in pixels.
    down, across : ndarray of float32, shape (height, n_knots) and (width, n_knots)
        The weight of each knot in each row and in each column.
    rounding : float32
        Added to every value: 0.5 if the result is cast to integers.
    warped : ndarray of uint8 or float32, shape (m, height, width)
        Filled with the result.
    """
    height, width = images.shape[1:]
    n_knots = down.shape[1]
    lines = np.empty((2, n_knots, width), np.float32)
    offsets = np.empty((2, width), np.float32)
    for i in range(len(rows)):
        _bend_columns(bends[i], across, lines)
        for r in range(height):
            _find_offsets(moves[i], lines, down[r], r - np.float32((height - 1) / 2), offsets)
            _read_row(images[rows[i]], offsets, r, rounding, warped[i, r])


@kernel
def _bend_columns(bend: Any, across: Any, lines: Any) -> None:
    """Evaluate the bending field along each row of knots, in every column of pixels."""
    width, n_knots = across.shape
    for axis in range(2):
        for p in range(n_knots):
            for c in range(width):
                total = np.float32(0)
                for q in range(n_knots):
                    total += across[c, q] * bend[axis, p, q]
                lines[axis, p, c] = total


@kernel
def _find_offsets(move: Any, lines: Any, down: Any, y: Any, offsets: Any) -> None:
    """The displacement of each pixel of one row, which is ``y`` below the middle."""
    width = lines.shape[2]
    for axis in range(2):
        for c in range(width):
            x = c - np.float32((width - 1) / 2)
            total = move[axis, 0] * y + move[axis, 1] * x + move[axis, 2]
            for p in range(len(down)):
                total += down[p] * lines[axis, p, c]
            offsets[axis, c] = total


@kernel
def _read_row(image: Any, offsets: Any, r: Any, rounding: Any, line: Any) -> None:
    """Fill one row of the result, bilinearly."""
    height, width = image.shape
    one = np.float32(1)
    for c in range(width):
        y = min(max(r + offsets[0, c], np.float32(0)), np.float32(height - 1))
        x = min(max(c + offsets[1, c], np.float32(0)), np.float32(width - 1))
        top, left = min(int(y), height - 2), min(int(x), width - 2)
        lower, later = y - np.float32(top), x - np.float32(left)
        above = image[top, left] * (one - later) + image[top, left + 1] * later
        below = image[top + 1, left] * (one - later) + image[top + 1, left + 1] * later
        line[c] = above * (one - lower) + below * lower + rounding
