"""Straightening images, in compiled loops.

Importing this module imports numba, so it is imported inside the method that calls it.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_models._compiled import kernel

# The least vertical variance, in pixels squared: below it all mass is in one row, up to rounding.
_MIN_VARIANCE = 1e-9
# Columns per row, so 45 degrees: what slants more is a horizontal stroke, not slanted writing.
_MAX_SLANT = 1.0


@kernel
def deskew_images(images: NDArray[np.float32], straight: NDArray[np.float32]) -> None:
    """Straighten images by their second moments and centre them by their mass.

    Parameters
    ----------
    images : ndarray of float32, shape (n, height, width)
        Finite values.
    straight : ndarray of float32, shape (n, height, width)
        Filled with the result.
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
