"""Random warps of images, so that a network is not trained on the same ones every epoch."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# Knots of the bending field along each side; on MNIST they are nine pixels apart.
_N_KNOTS = 6


class Warp(NamedTuple):
    """Random warps of images; for the parameters see ``SequentialClassifier``."""

    image_shape: tuple[int, int]
    shift: float
    rotation: float
    stretch: float
    bend: float

    def read(
        self, X: NDArray[Any], rows: NDArray[np.intp], rng: np.random.Generator
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

        Returns
        -------
        ndarray of X's dtype, shape (m, height·width)

        References
        ----------
        P. Y. Simard, D. Steinkraus and J. C. Platt, "Best Practices for Convolutional Neural
        Networks Applied to Visual Document Analysis", ICDAR 2003. They smooth a field of random
        displacements; here it is a spline with random coefficients, which is smooth already.
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
        """Random affine maps minus the identity, (n, 2, 3): stretch, slant, rotate and shift."""
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
    """The (n_pixels, n_knots) weight of each knot at each pixel: uniform cubic B-splines."""
    knots = np.arange(-1, _N_KNOTS - 1)
    distance = np.abs(np.linspace(0, _N_KNOTS - 3, n_pixels)[:, None] - knots)
    inner = 2 / 3 - distance**2 + distance**3 / 2
    outer = np.clip(2 - distance, 0, None) ** 3 / 6
    return np.where(distance < 1, inner, outer).astype(np.float32)
