"""Images moved and bent at random: what a network is shown in place of the same ones again."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# Knots of the bending field along each side: on MNIST one every nine pixels, about a stroke's bow.
_N_KNOTS = 6


class Warp(NamedTuple):
    """How far images of one shape are warped at the most, as ``SequentialClassifier`` has it."""

    image_shape: tuple[int, int]
    shift: float
    rotation: float
    stretch: float
    bend: float

    def read(
        self, X: NDArray[Any], rows: NDArray[np.intp], rng: np.random.Generator
    ) -> NDArray[Any]:
        """Some rows of X, each warped in its own way.

        Parameters
        ----------
        X : ndarray of uint8 or float32, shape (n, height·width)
            Images, in rows one after the other.
        rows : ndarray of int, shape (m,)
            Which of them; the same one twice is warped in two ways.
        rng : Generator
            Decides how.

        Returns
        -------
        ndarray of X's dtype, shape (m, height·width)

        References
        ----------
        P. Y. Simard, D. Steinkraus and J. C. Platt, "Best Practices for Convolutional Neural
        Networks Applied to Visual Document Analysis", ICDAR 2003. Theirs is a field of noise
        smoothed pixel by pixel; this one is smooth from the start, being spanned by splines.
        """
        from mnist_models._network.warp_kernels import warp_images

        height, width = self.image_shape
        images = X.reshape(-1, height, width)
        warped = np.empty((len(rows), height, width), dtype=X.dtype)
        bends = np.float32(self.bend) * rng.standard_normal(
            (len(rows), 2, _N_KNOTS, _N_KNOTS), dtype=np.float32
        )
        rounding = np.float32(0.5 if X.dtype.kind == "u" else 0.0)
        down, across = _splines(height), _splines(width)
        warp_images(
            images, rows, self._moves(len(rows), rng), bends, down, across, rounding, warped
        )
        return warped.reshape(len(rows), -1)

    def _moves(self, n: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Random rotations of random slants of random stretches, and shifts; the identity is 0."""
        angle = np.deg2rad(rng.uniform(-self.rotation, self.rotation, n))
        slant, *stretches = rng.uniform(-self.stretch, self.stretch, (3, n))
        sine, cosine = np.sin(angle), np.cos(angle)
        high, wide = np.exp(stretches)
        moves = np.empty((n, 2, 3), dtype=np.float32)
        moves[:, 0, 0] = high * (cosine - slant * sine) - 1
        moves[:, 0, 1] = -wide * sine
        moves[:, 1, 0] = high * (sine + slant * cosine)
        moves[:, 1, 1] = wide * cosine - 1
        moves[:, :, 2] = rng.uniform(-self.shift, self.shift, (n, 2))
        return moves


def _splines(n_pixels: int) -> NDArray[np.float32]:
    """What each knot counts at each pixel of a side: uniform cubic B-splines."""
    at = np.linspace(0, _N_KNOTS - 3, n_pixels)[:, None] - np.arange(-1, _N_KNOTS - 1)
    far = np.abs(at)
    near = 2 / 3 - far**2 + far**3 / 2
    return np.where(far < 1, near, np.clip(2 - far, 0, None) ** 3 / 6).astype(np.float32)
