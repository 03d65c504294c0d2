"""Histograms of oriented gradients, in compiled loops.

Importing this module imports numba, so it is imported inside the method that calls it.
"""

import math
from typing import Any

import numpy as np
from numpy.polynomial import Chebyshev, Polynomial
from numpy.typing import NDArray

from mnist_models._compiled import kernel

# atan(t) in eighths of a turn is t + t·(1 - t)·p(t) for t in [0, 1]: exact at 0 and 1, so that
# edges along the axes and diagonals fall on their boundaries exactly, and within 1e-8 between.
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
    """Describe images by the orientations of the gradients in windows over them.

    Parameters
    ----------
    images : ndarray of float32, shape (n, height, width)
        Finite values.
    orientations : int
        Bins of a half turn, or of a full one where ``signed``.
    signed : bool
        Whether an edge from dark to light is another than from light to dark.
    interpolate : bool
        Whether an edge is shared by the two nearest of the directions at which bins begin.
    row_windows, column_windows : ndarray of float64, shapes (height, n_down) and (width, n_across)
        The weight that each row or column of pixels has in each row or column of windows.
    block_size : int
        Rows and columns of windows that are normalized together.
    square_root : bool
        Whether blocks are brought to the sum 1 and their values to the square root, and not to the
        length 1.
    clip : float
        Values are cut there and the block is normalized again; 1 leaves them.
    epsilon : float
        Share of an image's contrast that is added to each block's sum or length.
    features : ndarray of float32, shape (n, n_features)
        Filled with the answer: blocks row by row, in each its windows, in those the orientations.
    """
    n, height, width = images.shape
    n_down, n_across = row_windows.shape[1], column_windows.shape[1]
    rows, columns = _reach(row_windows), _reach(column_windows)
    edges = np.empty((2, height * width))
    places = np.empty(height * width, dtype=np.int64)
    ends = np.empty(height, dtype=np.int64)
    strip = np.empty((n_across, orientations))
    cells = np.empty((n_down, n_across, orientations))
    bins_per_eighth = orientations / 8 if signed else orientations / 4
    for i in range(n):
        _find_edges(images[i], edges, places, ends)
        if ends[-1] == 0:
            features[i] = 0.0
            continue
        _orient(edges, ends[-1], bins_per_eighth, orientations)
        cells[:] = 0.0
        for r in range(height):
            begin = ends[r - 1] if r > 0 else 0
            if begin == ends[r]:
                continue
            _vote(edges, places, begin, ends[r], interpolate, column_windows, columns, strip)
            for down in range(rows[r, 0], rows[r, 1]):
                _add(strip, row_windows[r, down], cells, down)
        faintest = epsilon * _contrast(images[i])
        _normalize(cells, block_size, square_root, clip, epsilon, faintest, features[i])


@kernel
def _reach(windows: Any) -> Any:
    """The first window that weighs each pixel of a line, and the one after the last."""
    length, count = windows.shape
    reach = np.zeros((length, 2), dtype=np.int64)
    for place in range(length):
        for window in range(count - 1, -1, -1):
            if windows[place, window] > 0.0:
                reach[place, 0] = window
                reach[place, 1] = max(reach[place, 1], window + 1)
    return reach


@kernel
def _find_edges(image: Any, edges: Any, places: Any, ends: Any) -> None:
    """List the differences across each pixel, downwards and to the right, where there are any.

    Most pixels are blank, and a list without a branch costs less than to guess which.
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
            places[found] = c
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
        place = eighths * bins_per_eighth
        place = place + orientations if place < 0.0 else place
        place = place - orientations if place >= orientations else place
        edges[0, k] = math.sqrt(down * down + right * right)
        edges[1, k] = place


@kernel
def _vote(
    edges: Any,
    places: Any,
    begin: Any,
    end: Any,
    interpolate: Any,
    windows: Any,
    reach: Any,
    strip: Any,
) -> None:
    """Add the magnitudes of one row's edges to their orientations, in the windows over them."""
    orientations = strip.shape[1]
    strip[:] = 0.0
    for k in range(begin, end):
        magnitude, place, c = edges[0, k], edges[1, k], places[k]
        first = int(place)
        second = first + 1 if first + 1 < orientations else 0
        later = (place - first) * magnitude if interpolate else 0.0
        for across in range(reach[c, 0], reach[c, 1]):
            strip[across, first] += windows[c, across] * (magnitude - later)
            if interpolate:
                strip[across, second] += windows[c, across] * later


@kernel
def _add(strip: Any, weight: Any, cells: Any, down: Any) -> None:
    """Add one row's votes to a row of windows."""
    n_across, orientations = strip.shape
    for across in range(n_across):
        for o in range(orientations):
            cells[down, across, o] += weight * strip[across, o]


@kernel
def _contrast(image: Any) -> Any:
    """The greatest value less the least."""
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
    faintest: Any,
    features: Any,
) -> None:
    """Write each block of cells, brought to length 1 or to the roots of its shares of the sum."""
    n_down, n_across, orientations = cells.shape
    place = 0
    for top in range(n_down - block_size + 1):
        for left in range(n_across - block_size + 1):
            scale = _scale(cells, top, left, block_size, square_root, faintest)
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
def _scale(
    cells: Any, top: Any, left: Any, block_size: Any, square_root: Any, faintest: Any
) -> Any:
    """What a block is to be multiplied with: 1 over its sum, or over its length."""
    total, energy = 0.0, 0.0
    for down in range(top, top + block_size):
        for across in range(left, left + block_size):
            for o in range(cells.shape[2]):
                total += cells[down, across, o]
                energy += cells[down, across, o] ** 2
    return 1.0 / (total + faintest if square_root else math.sqrt(energy + faintest**2))
