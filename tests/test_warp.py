"""Images warped at random, against scipy reading the same places."""

from typing import Any

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from mnist_models import load_sample_digits
from mnist_models._warp_kernels import splines, warp_images, warp_rows

SHAPES = [(28, 28), (9, 14), (2, 2)]


def _images(shape: tuple[int, int], rng: np.random.Generator) -> Any:
    return rng.integers(0, 256, (20, shape[0] * shape[1]), dtype=np.uint8)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_nothing_asked_is_nothing_done(shape: Any, dtype: Any, rng: np.random.Generator) -> None:
    X = _images(shape, rng).astype(dtype)
    rows = rng.permutation(20)[:7]
    same = warp_rows(X, rows, rng, image_shape=shape, amounts=(0, 0, 0, 0, 0))
    assert same.dtype == dtype
    np.testing.assert_array_equal(same, X[rows])


@pytest.mark.parametrize("shape", SHAPES)
def test_values_are_read_where_moves_and_bends_say(shape: Any, rng: np.random.Generator) -> None:
    height, width = shape
    images = _images(shape, rng).reshape(-1, *shape).astype(np.float32)
    moves = rng.normal(0, 0.2, (20, 2, 3)).astype(np.float32)
    bends = rng.normal(0, 1, (20, 2, 6, 6)).astype(np.float32)
    down, across = splines(height), splines(width)
    warped = np.empty_like(images)
    warp_images(images, np.arange(20), moves, bends, down, across, np.float32(0), warped)
    r, c = np.mgrid[:height, :width].astype(float)
    for i in range(20):
        away = np.einsum("rp,apq,cq->arc", down, bends[i], across)
        y, x = r - (height - 1) / 2, c - (width - 1) / 2
        for axis in range(2):
            by_row, by_column, both = moves[i, axis]
            away[axis] += by_row * y + by_column * x + both
        expected = map_coordinates(images[i], [r + away[0], c + away[1]], order=1, mode="nearest")
        np.testing.assert_allclose(warped[i], expected, atol=2e-2)


def test_a_quarter_turn(rng: np.random.Generator) -> None:
    X = _images((9, 9), rng)

    class Extreme:
        """Draws the greatest of everything."""

        def uniform(self, low: float, high: float, size: Any) -> Any:
            return np.full(size, high)

        def standard_normal(self, size: Any, dtype: Any) -> Any:
            return np.zeros(size, dtype)

    generator: Any = Extreme()
    how: Any = {"image_shape": (9, 9), "amounts": (0, 90, 0, 0, 0)}
    turned = warp_rows(X, np.arange(20), generator, **how)
    expected = np.rot90(X.reshape(-1, 9, 9), -1, axes=(1, 2))
    np.testing.assert_array_equal(turned.reshape(-1, 9, 9), expected)


def testsplines_share_every_pixel_among_the_knots() -> None:
    for n in (2, 9, 28, 100):
        np.testing.assert_allclose(splines(n).sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize(
    "amounts",
    [(2, 0, 0, 0, 0), (0, 12, 0, 0, 0), (0, 0, 0.1, 0, 0), (0, 0, 0, 0.5, 0), (0, 0, 0, 0, 0.5)],
)
def test_each_part_moves_digits_a_little_and_otherwise_every_time(
    amounts: Any, rng: np.random.Generator
) -> None:
    X, rows = load_sample_digits().data[:50], np.arange(50)
    how: Any = {"image_shape": (28, 28), "amounts": amounts}
    once, again = (warp_rows(X, rows, rng, **how).astype(float) for _ in range(2))
    assert not np.array_equal(once, again)
    for warped, digit in zip(once, X.astype(float), strict=True):
        assert np.corrcoef(warped, digit)[0, 1] > 0.2
        assert warped.sum() == pytest.approx(digit.sum(), rel=0.4)
    one, other = (warp_rows(X, rows, np.random.default_rng(3), **how) for _ in range(2))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("shape", "most"), [((28, 28), 8 * 8), ((9, 14), 2 * 4), ((2, 2), 1)])
def test_a_rectangle_is_erased(shape: Any, most: int, rng: np.random.Generator) -> None:
    n = 1000
    X = np.full((n, shape[0] * shape[1]), 7, np.uint8)
    for probability in (0.3, 1.0):
        how: Any = {"image_shape": shape, "amounts": (0, 0, 0, 0, probability)}
        erased = warp_rows(X, np.arange(n), rng, **how).reshape(n, *shape) == 0
        sizes = erased.sum(axis=(1, 2))
        boxes = erased.any(axis=1).sum(axis=1) * erased.any(axis=2).sum(axis=1)
        np.testing.assert_array_equal(sizes, boxes)
        assert sizes.max() == most
        assert np.mean(sizes > 0) == pytest.approx(probability, abs=0.1)
