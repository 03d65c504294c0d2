"""Histograms of oriented gradients, in compiled loops.

Importing this module imports numba, so it is imported inside the method that calls it.
"""

import math
from typing import Any

import numpy as np
from numpy.polynomial import Chebyshev, Polynomial
from numpy.typing import NDArray

from mnist_models._compiled import kernel

# The coefficients of p, highest first, in atan(t) = t + t·(1 - t)·p(t), in eighths of a turn, for t
# in [0, 1]. Exact at 0 and 1, so that horizontal, vertical and diagonal edges fall exactly on the
# boundaries of bins; within 1e-8 elsewhere.
_ARC: tuple[float, ...] = tuple(
    Chebyshev.interpolate(
        lambda t: (np.arctan(t) * 4 / np.pi - t) / (t * (1 - t)), deg=12, domain=[0, 1]
    )
    .convert(kind=Polynomial)
    .coef[::-1]
    .tolist()
)


@kernel
def hog_images(
    images: NDArray[np.float32],
    orientations: int,
    signed: bool,
    interpolate: bool,
    row_windows: NDArray[np.float64],
    column_windows: NDArray[np.float64],
    block_size: int,
    square_root: bool,
    clip: float,
    epsilon: float,
    features: NDArray[np.float32],
) -> None:
    """Compute histograms of gradient orientations in windows over images.

    Parameters
    ----------
    images : ndarray of float32, shape (n, height, width)
        Finite values.
    orientations : int
        Number of bins, over half a turn, or a full one if ``signed``.
    signed : bool
        Whether an edge from dark to light differs from one from light to dark.
    interpolate : bool
        Whether an edge is shared by the two directions nearest to it, at which bins begin.
    row_windows, column_windows : ndarray of float64, shapes (height, n_down) and (width, n_across)
        The weight of each row or column of pixels in each row or column of windows.
    block_size : int
        Rows and columns of windows that are normalized together.
    square_root : bool
        If True, blocks are divided by their sum and the square roots taken; otherwise they are
        divided by their Euclidean length.
    clip : float
        Values are clipped there and the block is normalized again; 1 does neither.
    epsilon : float
        Share of the image's contrast that is added to each block's sum or, squared, to its squared
        length.
    features : ndarray of float32, shape (n, n_features)
        Filled with the result, in this order: blocks, the windows in each, their orientations.
    """
    n, height, width = images.shape
    n_down, n_across = row_windows.shape[1], column_windows.shape[1]
    row_ranges, column_ranges = _window_ranges(row_windows), _window_ranges(column_windows)
    edges = np.empty((2, height * width))
    columns = np.empty(height * width, dtype=np.int64)
    ends = np.empty(height, dtype=np.int64)  # how many edges there are up to the end of each row
    votes = np.empty((n_across, orientations))
    cells = np.empty((n_down, n_across, orientations))
    bins_per_eighth = orientations / 8 if signed else orientations / 4
    for i in range(n):
        _find_edges(images[i], edges, columns, ends)
        if ends[-1] == 0:
            features[i] = 0.0
            continue
        _orient(edges, ends[-1], bins_per_eighth, orientations)
        cells[:] = 0.0
        for r in range(height):
            begin = ends[r - 1] if r > 0 else 0
            if begin == ends[r]:
                continue
            _vote(edges, columns, begin, ends[r], interpolate, column_windows, column_ranges, votes)
            for down in range(row_ranges[r, 0], row_ranges[r, 1]):
                _add_votes(votes, row_windows[r, down], cells, down)
        offset = epsilon * _contrast(images[i])
        _normalize(cells, block_size, square_root, clip, epsilon, offset, features[i])


@kernel
def _window_ranges(windows: Any) -> Any:
    """The range of windows, first and one past the last, over each pixel of a line."""
    length, count = windows.shape
    ranges = np.zeros((length, 2), dtype=np.int64)
    for pixel in range(length):
        for window in range(count - 1, -1, -1):
            if windows[pixel, window] > 0.0:
                ranges[pixel, 0] = window
                ranges[pixel, 1] = max(ranges[pixel, 1], window + 1)
    return ranges


@kernel
def _find_edges(image: Any, edges: Any, columns: Any, ends: Any) -> None:
    """List the pixels with a nonzero gradient (central differences, down and right), row by row.

    Most pixels have none. Every entry is written, and overwritten by the next if it has none: that
    is faster than a branch that is hard to predict.
    """
    height, width = image.shape
    found = 0
    for r in range(height):
        inside = 0 < r < height - 1
        for c in range(width):
            down = np.float64(image[r + 1, c]) - image[r - 1, c] if inside else 0.0
            right = np.float64(image[r, c + 1]) - image[r, c - 1] if 0 < c < width - 1 else 0.0
            edges[0, found] = down
            edges[1, found] = right
            columns[found] = c
            found += (down != 0.0) | (right != 0.0)
        ends[r] = found


@kernel
def _orient(edges: Any, count: Any, bins_per_eighth: Any, orientations: Any) -> None:
    """Turn each edge's (down, right) into (magnitude, orientation in bins)."""
    for k in range(count):
        down, right = edges[0, k], edges[1, k]
        y, x = abs(down), abs(right)
        t = np.divide(min(y, x), max(y, x))
        p = 0.0
        for coefficient in _ARC:
            p = p * t + coefficient
        eighths = t + t * (1.0 - t) * p
        eighths = 2.0 - eighths if y > x else eighths
        eighths = 4.0 - eighths if right < 0.0 else eighths
        eighths = -eighths if down < 0.0 else eighths
        bins = eighths * bins_per_eighth
        bins = bins + orientations if bins < 0.0 else bins
        bins = bins - orientations if bins >= orientations else bins
        edges[0, k] = math.sqrt(down * down + right * right)
        edges[1, k] = bins


@kernel
def _vote(
    edges: Any,
    columns: Any,
    begin: Any,
    end: Any,
    interpolate: Any,
    windows: Any,
    ranges: Any,
    votes: Any,
) -> None:
    """Sum the magnitudes of one row's edges by orientation, in each window over them."""
    orientations = votes.shape[1]
    votes[:] = 0.0
    for k in range(begin, end):
        magnitude, bins, c = edges[0, k], edges[1, k], columns[k]
        first = int(bins)
        second = first + 1 if first + 1 < orientations else 0
        shared = (bins - first) * magnitude if interpolate else 0.0
        for across in range(ranges[c, 0], ranges[c, 1]):
            votes[across, first] += windows[c, across] * (magnitude - shared)
            if interpolate:
                votes[across, second] += windows[c, across] * shared


@kernel
def _add_votes(votes: Any, weight: Any, cells: Any, down: Any) -> None:
    """Add one row's votes to a row of windows."""
    n_across, orientations = votes.shape
    for across in range(n_across):
        for o in range(orientations):
            cells[down, across, o] += weight * votes[across, o]


@kernel
def _contrast(image: Any) -> Any:
    """The greatest value minus the least."""
    least = greatest = image[0, 0]
    for r in range(image.shape[0]):
        for c in range(image.shape[1]):
            least = min(least, image[r, c])
            greatest = max(greatest, image[r, c])
    return np.float64(greatest) - least


@kernel
def _normalize(
    cells: Any,
    block_size: Any,
    square_root: Any,
    clip: Any,
    epsilon: Any,
    offset: Any,
    features: Any,
) -> None:
    """Write each block of cells, divided by its length, or the roots of its shares of the sum."""
    n_down, n_across, orientations = cells.shape
    place = 0
    for top in range(n_down - block_size + 1):
        for left in range(n_across - block_size + 1):
            scale = _scale(cells, top, left, block_size, square_root, offset)
            energy = epsilon**2
            begin = place
            for down in range(top, top + block_size):
                for across in range(left, left + block_size):
                    for o in range(orientations):
                        share = cells[down, across, o] * scale
                        share = min(math.sqrt(share) if square_root else share, clip)
                        energy += share * share
                        features[place] = share
                        place += 1
            if clip < 1.0:
                again = 1.0 / math.sqrt(energy)
                for k in range(begin, place):
                    features[k] = min(features[k] * again, 1.0)


@kernel
def _scale(cells: Any, top: Any, left: Any, block_size: Any, square_root: Any, offset: Any) -> Any:
    """The factor that normalizes a block: 1 over its sum, or over its length."""
    total, energy = 0.0, 0.0
    for down in range(top, top + block_size):
        for across in range(left, left + block_size):
            for o in range(cells.shape[2]):
                total += cells[down, across, o]
                energy += cells[down, across, o] ** 2
    return 1.0 / (total + offset if square_root else math.sqrt(energy + offset**2))
