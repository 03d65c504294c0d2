"""A digit of any size comes to lie in the frame as MNIST's do."""

import numpy as np
import pytest

from mnist_models._data.frames import lay_into_frame


@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (20, 20), (28, 28), (100, 30), (10, 100)])
def test_ink_of_any_shape_fits_the_box(shape: tuple[int, int]) -> None:
    framed = lay_into_frame(np.full(shape, 200, dtype=np.uint8))
    rows, columns = np.flatnonzero(framed.any(axis=1)), np.flatnonzero(framed.any(axis=0))
    assert max(len(rows), len(columns)) == 20
    assert (np.ptp(rows) + 1) / (np.ptp(columns) + 1) == pytest.approx(shape[0] / shape[1], rel=0.5)
    assert framed.max() == 200


def test_where_it_was_in_the_picture_does_not_matter() -> None:
    digit = np.zeros((60, 60), dtype=np.uint8)
    digit[10:30, 5:15] = 255
    moved = np.roll(digit, (25, 30), axis=(0, 1))
    np.testing.assert_array_equal(lay_into_frame(digit), lay_into_frame(moved))


def test_blank_paper_stays_blank() -> None:
    assert not lay_into_frame(np.zeros((9, 9), dtype=np.uint8)).any()


def test_a_frame_of_another_size() -> None:
    assert lay_into_frame(np.full((5, 5), 255, dtype=np.uint8), frame=14).shape == (14, 14)
