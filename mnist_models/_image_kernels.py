"""The loops of CleanPaper, Deskew and HogFeatures, compiled by numba.

Importing this module imports numba, so it is imported inside the methods that call it.
"""

import math
from typing import Any

import numpy as np
from numpy.polynomial import Chebyshev, Polynomial
from numpy.typing import NDArray

from mnist_models._compiled import kernel

# -- paper and ink ---------------------------------------------------------------------------------

# As shares of an image's contrast. Chosen on 800 of MNIST's training digits with noise of many
# strengths, for models of 12,000 others. The edges of photos of clothes should not pass for noisy:
# of Fashion-MNIST's, 0.4 % do.
_NOISE_QUANTILE, _LEAST_NOISE = 0.6, 0.005
_PAPER_QUANTILE = 0.95
# A normal distribution with a standard deviation of 0.8 pixels.
_SMOOTHING: tuple[float, ...] = tuple(
    (weights := np.exp(-((np.arange(-3, 4) / 0.8) ** 2) / 2)) / weights.sum()
)


@kernel
def clean_images(images: NDArray[np.float32], cleaned: NDArray[np.uint8]) -> None:
    """Find the ink in images, stretch it from 0 to 255 and centre it by its mass.

    Both arrays have shape (n, height, width); ``cleaned`` is filled with the result.
    """
    ink = np.empty(images.shape[1:])
    for i in range(len(images)):
        ink[:] = images[i]
        ink -= np.median(_along_edge(ink))
        ink /= max(np.abs(ink).max(), np.finfo(np.float64).tiny)
        if (ink**3).sum() < 0:
            ink *= -1
        edge = _along_edge(ink)
        if np.quantile(np.abs(edge - np.roll(edge, 1)), _NOISE_QUANTILE) > _LEAST_NOISE:
            ink = _smooth(_smooth(ink).T).T
            ink -= np.quantile(_along_edge(ink), _PAPER_QUANTILE)
        _centre(ink, cleaned[i])


@kernel
def _along_edge(image: Any) -> Any:
    """The pixels along the edge, clockwise."""
    top, right = image[0], image[1:, -1]
    return np.concatenate((top, right, image[-1, :-1][::-1], image[1:-1, 0][::-1]))


@kernel
def _smooth(image: Any) -> Any:
    """Smoothed downward; the first and the last row go on outside."""
    height, width = image.shape
    smooth = np.zeros((height, width))
    for r in range(height):
        for k in range(len(_SMOOTHING)):
            source = min(max(r + k - len(_SMOOTHING) // 2, 0), height - 1)
            for c in range(width):
                smooth[r, c] += _SMOOTHING[k] * image[source, c]
    return smooth


@kernel
def _centre(ink: Any, centred: Any) -> None:
    """Fill ``centred`` with the ink, stretched to 255 and moved by whole pixels to the middle."""
    height, width = ink.shape
    unit = 255 / max(ink.max(), np.finfo(np.float64).tiny)
    whole = np.zeros((height, width), dtype=np.uint8)
    mass, down, right = 0, 0, 0  # in whole numbers, so that the order does not matter
    for r in range(height):
        for c in range(width):
            value = round(max(ink[r, c], 0.0) * unit)
            whole[r, c] = value
            mass += value
            down += value * r
            right += value * c
    centred[:] = 0
    if mass == 0:
        return
    lower, later = round(down / mass) - height // 2, round(right / mass) - width // 2
    for r in range(max(0, -lower), min(height, height - lower)):
        for c in range(max(0, -later), min(width, width - later)):
            centred[r, c] = whole[r + lower, c + later]


# -- straightening ---------------------------------------------------------------------------------

# The least vertical variance, in pixels squared: below it all mass is in one row, up to rounding.
_MIN_VARIANCE = 1e-9
# Columns per row, so 45 degrees: what slants more is a horizontal stroke, not slanted writing.
_MAX_SLANT = 1.0


@kernel
def deskew_images(images: NDArray[np.float32], straight: NDArray[np.float32]) -> None:
    """Straighten images by their second moments and centre them by their mass.

    Both arrays have shape (n, height, width); ``straight`` is filled with the result.
    """
    width = images.shape[2]
    sums = np.empty((3, width))
    line = np.empty(3 * width + 2)
    for i in range(len(images)):
        paper = _minimum(images[i])
        down, right, slant = _position_and_slant(images[i], paper, sums)
        _resample(images[i], paper, down, right, slant, line, straight[i])


@kernel
def _minimum(image: Any) -> Any:
    least = image[0, 0]
    for r in range(image.shape[0]):
        for c in range(image.shape[1]):
            least = min(least, image[r, c])
    return least


@kernel
def _position_and_slant(image: Any, paper: Any, sums: Any) -> Any:
    """The centre of mass, down and right of the middle, and the slant in columns per row.

    Mass is what exceeds the paper. Each column is summed first: that vectorizes, and the order of
    the additions stays fixed.
    """
    height, width = image.shape
    middle, centre = (height - 1) / 2, (width - 1) / 2
    sums[:] = 0.0
    for r in range(height):
        y = r - middle
        for c in range(width):
            mass = np.float64(image[r, c]) - paper
            sums[0, c] += mass
            sums[1, c] += mass * y
            sums[2, c] += mass * y * y
    total, y_sum, yy_sum, x_sum, xy_sum = 0.0, 0.0, 0.0, 0.0, 0.0
    for c in range(width):
        x = c - centre
        total += sums[0, c]
        y_sum += sums[1, c]
        yy_sum += sums[2, c]
        x_sum += sums[0, c] * x
        xy_sum += sums[1, c] * x
    if total == 0.0:
        return 0.0, 0.0, 0.0
    down, right = y_sum / total, x_sum / total
    variance = max(yy_sum / total - down * down, _MIN_VARIANCE)
    slant = (xy_sum / total - down * right) / variance
    return down, right, min(max(slant, -_MAX_SLANT), _MAX_SLANT)


@kernel
def _resample(
    image: Any, paper: Any, down: Any, right: Any, slant: Any, line: Any, straight: Any
) -> None:
    """Fill ``straight[r, c]`` from (r + down, c + right + slant·(r - middle)), bilinearly.

    Around the image is paper. The fractions of a pixel are the same along a row, so each row is a
    blend of two rows, shifted.
    """
    height, width = image.shape
    line[:] = paper
    for r in range(height):
        top = math.floor(r + down)
        lower = r + down - top
        for c in range(width):
            above = image[top, c] if 0 <= top < height else paper
            below = image[top + 1, c] if 0 <= top + 1 < height else paper
            line[width + 1 + c] = (1.0 - lower) * above + lower * below
        shift = right + slant * (r - (height - 1) / 2)
        left = math.floor(shift)
        later = shift - left
        start = width + 1 + min(max(left, -width - 1), width)
        for c in range(width):
            straight[r, c] = (1.0 - later) * line[start + c] + later * line[start + c + 1]


# -- histograms of oriented gradients --------------------------------------------------------------

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
