"""Images moved and bent, in compiled loops.

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
    """Read images at places that are moved and bent, bilinearly; beyond an edge lies the edge.

    Parameters
    ----------
    images : ndarray of uint8 or float32, shape (n, height, width)
        At least two pixels high and wide.
    rows : ndarray of int, shape (m,)
        Which of the images to warp.
    moves : ndarray of float32, shape (m, 2, 3)
        How far below, and right of, a pixel its value is read: what each row and each column away
        from the middle adds to that, in pixels, and what all pixels share.
    bends : ndarray of float32, shape (m, 2, n_knots, n_knots)
        The same as a smooth field: how far, in pixels, at each of a grid of knots.
    down, across : ndarray of float32, shape (height, n_knots) and (width, n_knots)
        What each knot counts in each row and in each column.
    rounding : float32
        Added to every value: 0.5 where the answer is whole numbers.
    warped : ndarray of uint8 or float32, shape (m, height, width)
        Filled with the answer.
    """
    height, width = images.shape[1:]
    n_knots = down.shape[1]
    lines = np.empty((2, n_knots, width), np.float32)
    away = np.empty((2, width), np.float32)
    for i in range(len(rows)):
        _bend_columns(bends[i], across, lines)
        for r in range(height):
            _places(moves[i], lines, down[r], r - np.float32((height - 1) / 2), away)
            _read_row(images[rows[i]], away, r, rounding, warped[i, r])


@kernel
def _bend_columns(bend: Any, across: Any, lines: Any) -> None:
    """The field in every column, at the knots of each."""
    width, n_knots = across.shape
    for axis in range(2):
        for p in range(n_knots):
            for c in range(width):
                total = np.float32(0)
                for q in range(n_knots):
                    total += across[c, q] * bend[axis, p, q]
                lines[axis, p, c] = total


@kernel
def _places(move: Any, lines: Any, down: Any, y: Any, away: Any) -> None:
    """How far from each pixel of one row, y below the middle, its value is to be read."""
    width = lines.shape[2]
    for axis in range(2):
        for c in range(width):
            x = c - np.float32((width - 1) / 2)
            total = move[axis, 0] * y + move[axis, 1] * x + move[axis, 2]
            for p in range(len(down)):
                total += down[p] * lines[axis, p, c]
            away[axis, c] = total


@kernel
def _read_row(image: Any, away: Any, r: Any, rounding: Any, line: Any) -> None:
    height, width = image.shape
    one = np.float32(1)
    for c in range(width):
        y = min(max(r + away[0, c], np.float32(0)), np.float32(height - 1))
        x = min(max(c + away[1, c], np.float32(0)), np.float32(width - 1))
        top, left = min(int(y), height - 2), min(int(x), width - 2)
        lower, later = y - np.float32(top), x - np.float32(left)
        above = image[top, left] * (one - later) + image[top, left + 1] * later
        below = image[top + 1, left] * (one - later) + image[top + 1, left + 1] * later
        line[c] = above * (one - lower) + below * lower + rounding
