"""Place a digit of any size in a square frame, as MNIST does."""

import functools

import numpy as np
from numpy.typing import NDArray


def lay_into_frame(ink: NDArray[np.uint8], frame: int = 28) -> NDArray[np.uint8]:
    """Crop one digit to its ink and place it in a square frame, as MNIST's digits were.

    Those were scaled to fit a 20×20 box, keeping their proportions, and centred by mass in 28×28.

    Parameters
    ----------
    ink : ndarray of uint8, shape (height, width)
        A picture of one digit; 0 is paper.
    frame : int, default=28
        Height and width of the result; the box is 20/28 of it.

    Returns
    -------
    ndarray of uint8, shape (frame, frame)
        All 0 if ``ink`` is.
    """
    framed = np.zeros((frame, frame), dtype=np.uint8)
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if len(rows) == 0:
        return framed
    digit = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = 20 / 28 * frame / max(digit.shape)
    height, width = (max(1, round(side * scale)) for side in digit.shape)
    resized = _resampling(digit.shape[0], height) @ digit @ _resampling(digit.shape[1], width).T
    resized = np.rint(resized)
    mass = np.array([_centre(resized.sum(axis=1)), _centre(resized.sum(axis=0))])
    room = np.array([frame - height, frame - width])
    top, left = np.clip(np.rint(frame / 2 - mass).astype(int), 0, room)
    framed[top : top + height, left : left + width] = resized
    return framed


def _centre(profile: NDArray[np.float64]) -> float:
    """The centre of mass of a sequence of weights, in pixels from its start."""
    return float(profile @ (np.arange(len(profile)) + 0.5) / max(profile.sum(), 1))


@functools.lru_cache(maxsize=64)
def _resampling(n_from: int, n_to: int) -> NDArray[np.float64]:
    """The (n_to, n_from) matrix that resamples a line of pixels; its rows sum to 1.

    Each new pixel is the weighted mean of the old ones under a triangle whose half-width is the
    larger of the two pixel sizes: enlarging interpolates linearly, shrinking averages.
    """
    width = max(1.0, n_from / n_to)
    position = (np.arange(n_to) + 0.5) * n_from / n_to - 0.5
    distance = np.abs(position[:, None] - np.arange(n_from)) / width
    weights = np.maximum(0.0, 1.0 - distance)
    normalized: NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
    return normalized
