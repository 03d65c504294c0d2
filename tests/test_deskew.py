"""Deskew: shears undone, centres found, the pixels of an affine transform."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import affine_transform

from mnist_models import Deskew, load_sample_digits


@pytest.fixture(scope="module")
def digits() -> NDArray[np.uint8]:
    return load_sample_digits().data[:300]


def _moments(row: NDArray[Any], shape: tuple[int, int] = (28, 28)) -> NDArray[np.float64]:
    """Centre of mass (down, right) about the middle of the frame, and slant."""
    image = row.reshape(shape).astype(np.float64)
    y, x = (np.arange(side) - (side - 1) / 2 for side in shape)
    down, right = image.sum(axis=1) @ y / image.sum(), image.sum(axis=0) @ x / image.sum()
    covariance = (y - down) @ image @ (x - right)
    return np.array([down, right, covariance / (image.sum(axis=1) @ (y - down) ** 2)])


def test_a_shear_is_undone() -> None:
    """Whole pixels moved by whole pixels come back to the last one."""
    upright = np.zeros((9, 9), dtype=np.uint8)
    upright[1:8, 3:6] = [40, 200, 40]
    leaning = np.stack([np.roll(upright[r], 4 - r) for r in range(9)])
    straight = Deskew().transform(leaning.reshape(1, -1))
    np.testing.assert_array_equal(straight.reshape(9, 9)[1:8], upright[1:8])


def test_a_blob_comes_to_the_middle() -> None:
    image = np.zeros((9, 11))
    image[1:3, 6:10] = 1
    centred = Deskew((9, 11)).transform(image.reshape(1, -1))
    np.testing.assert_allclose(_moments(centred, (9, 11))[:2], 0, atol=1e-6)
    np.testing.assert_allclose(centred.sum(), 8)


def test_digits_stand_upright_in_the_middle(digits: NDArray[np.uint8]) -> None:
    before = np.array([_moments(row) for row in digits])
    straight = Deskew().transform(digits.astype(np.float32))
    after = np.array([_moments(row) for row in straight])
    np.testing.assert_allclose(after[:, :2], 0, atol=0.05)
    assert np.abs(after[:, 2]).mean() < 0.1 * np.abs(before[:, 2]).mean()


def _by_scipy(image: NDArray[np.float64], paper: float) -> NDArray[np.float64]:
    """A bilinear resampling of the sheared frame, with paper outside."""
    down, right, slant = _moments(image - paper, image.shape)
    matrix = np.array([[1, 0], [np.clip(slant, -1, 1), 1]])
    middle = (np.array(image.shape) - 1) / 2
    offset = middle + np.array([down, right]) - matrix @ middle
    straight: NDArray[np.float64] = affine_transform(
        image, matrix, offset, order=1, mode="grid-constant", cval=paper
    )
    return straight


@pytest.mark.parametrize("shape", [(28, 28), (14, 56), (56, 14), (98, 8)])
def test_pixels_are_those_of_scipys_affine_transform(
    digits: NDArray[np.uint8], shape: tuple[int, int]
) -> None:
    images = digits[:30].astype(np.float64) + 5
    ours = Deskew(shape).transform(images).reshape(-1, *shape)
    theirs = [_by_scipy(row.reshape(shape), 5) for row in images]
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.parametrize("step", [1, -1])
def test_rows_may_leave_the_frame(rng: np.random.Generator, step: int) -> None:
    """Faint rows far above and below a steep slant move by more than the frame is wide."""
    image = rng.random((61, 7))
    image[0, 0] = 0
    image[27:34] += 1000 * np.eye(7)[::step]
    ours = Deskew((61, 7)).transform(image.reshape(1, -1)).reshape(61, 7)
    np.testing.assert_allclose(ours, _by_scipy(image, 0), atol=1e-3)
    assert not ours[[0, -1]].any()


def test_rounding_is_all_that_uint8_changes(digits: NDArray[np.uint8]) -> None:
    whole, exact = Deskew().transform(digits), Deskew().transform(digits.astype(np.float32))
    assert whole.dtype == np.dtype(np.uint8)
    assert exact.dtype == np.dtype(np.float32)
    np.testing.assert_array_equal(whole, np.rint(exact))


def test_a_flat_stroke_stays_flat() -> None:
    image = np.zeros((9, 9), dtype=np.uint8)
    image[4, 1:5], image[3, 5:8] = 200, 200
    straight = Deskew().transform(image.reshape(1, -1)).reshape(9, 9)
    assert straight.any(axis=1).sum() <= 3
    assert straight.any(axis=0).sum() >= 6
