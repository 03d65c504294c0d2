"""Warping images, in compiled loops.

Importing this module imports numba, so it is imported inside the function that calls it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_models._compiled import kernel


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
