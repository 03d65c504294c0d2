"""The images of the reported rows, checked."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Images:
    """Pixels of the reported rows, scaled to images when they are indexed.

    Parameters
    ----------
    pixels : array-like or DataFrame, shape (n, height·width) or (n, height, width)
        From 0 (paper) to 255 (ink), or from 0 to 1.
    n_rows : int
        The number of reported rows.
    tested : bool
        Whether these are the rows of a test set.

    Raises
    ------
    ValueError
        If ``pixels`` are not such images, or not ``n_rows`` of them.
    """

    def __init__(self, pixels: Any, n_rows: int, tested: bool) -> None:
        array = np.asarray(pixels)
        wanted = "X_test, the rows of the test set" if tested else "X, the rows evaluated"
        if array.ndim not in (2, 3) or 0 in array.shape[1:] or array.dtype.kind not in "buif":
            raise ValueError(
                "images must be numbers of shape (n, height·width) or (n, height, width): pass "
                f"{wanted}. Got {array.dtype} of shape {array.shape} instead."
            )
        if len(array) != n_rows:
            raise ValueError(
                f"images must hold the {n_rows} rows that are reported on: pass {wanted}. "
                f"Got {len(array)} rows instead."
            )
        self._array = array.reshape(n_rows, *_shape(array))
        self._full_ink = _full_ink(array)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        _, height, width = self._array.shape
        return height, width

    def __getitem__(self, rows: NDArray[np.intp] | int) -> NDArray[np.float32]:
        """The images of these rows, from 0 (paper) to 1 (ink)."""
        return self._array[rows].astype(np.float32) / np.float32(self._full_ink)


def _shape(array: NDArray[Any]) -> tuple[int, int]:
    if array.ndim == 3:
        return array.shape[1], array.shape[2]
    side = round(array.shape[1] ** 0.5)
    if side * side != array.shape[1]:
        raise ValueError(
            "images must be square where their rows are flat, so a square number of pixels. Got "
            f"{array.shape[1]} pixels instead. Pass them with shape (n, height, width)."
        )
    return side, side


def _full_ink(array: NDArray[Any]) -> float:
    """The value of full ink: the highest, for there are scales to 1, to 16 and to 255."""
    low, high = float(array.min()), float(array.max())
    if not 0 <= low <= high <= 255:  # NaN too
        raise ValueError(
            "images must hold pixels from 0 (paper) to 255 (ink), or from 0 to 1. Got values "
            f"from {low:g} to {high:g}: pass the pixels as they were before they were scaled."
        )
    return high or 1.0
