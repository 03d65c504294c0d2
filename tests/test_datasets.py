"""Data sets: what they hold, how they divide, and that nothing changes them."""

import dataclasses
import gzip
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_models import ImageDataset, load_idx, load_sample_digits
from mnist_models._data.idx import idx_header
from mnist_models.exceptions import DatasetFormatError


@pytest.fixture(scope="module")
def sample() -> ImageDataset:
    return load_sample_digits()


def test_the_sample_digits(sample: ImageDataset) -> None:
    assert sample.data.shape == (1797, 784)
    assert sample.data.dtype == np.uint8
    assert sample.images.shape == (1797, 28, 28)
    assert set(sample.target) == set(range(10))
    assert sample.data.max() == 255


def test_the_sample_digits_lie_as_mnists_do(sample: ImageDataset) -> None:
    """In a 20×20 box, the centre of mass in the middle of the frame."""
    images = sample.images.astype(float)
    weights = np.arange(28) + 0.5
    mass = images.sum(axis=(1, 2))
    for axis in (1, 2):
        centre = images.sum(axis=3 - axis) @ weights / mass
        assert np.abs(centre - 14).max() <= 0.6
        extent = np.array([np.ptp(np.flatnonzero(each.any(axis=2 - axis))) + 1 for each in images])
        assert extent.max() <= 20


def test_nothing_about_it_can_be_changed(sample: ImageDataset) -> None:
    with pytest.raises(ValueError, match="read-only"):
        sample.data[0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        sample.images[0, 0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        sample.target[0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        sample.name = "other"  # type: ignore[misc]


def test_images_are_a_view(sample: ImageDataset) -> None:
    assert np.shares_memory(sample.images, sample.data)


def test_an_array_given_to_it_stays_writeable() -> None:
    data = np.zeros((2, 4), dtype=np.uint8)
    ImageDataset(data, np.array([0, 1]), (2, 2), "two")
    data[0, 0] = 1


def test_the_reports_split_is_the_same_every_time(sample: ImageDataset) -> None:
    first, second = sample.split("report"), sample.split("report")
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)
    assert [len(part) for part in first] == [1437, 360, 1437, 360]


def test_splits_that_are_not_there(sample: ImageDataset) -> None:
    with pytest.raises(ValueError, match="no official split"):
        sample.split("official")
    with pytest.raises(ValueError, match="Did you mean 'report'"):
        sample.split("raport")  # type: ignore[arg-type]


def test_a_sample_keeps_the_proportions(sample: ImageDataset) -> None:
    half = sample.sample(900, random_state=0)
    assert len(half) == 900
    for label, count in Counter(sample.target.tolist()).items():
        assert Counter(half.target.tolist())[label] == pytest.approx(count * 900 / 1797, abs=1)


@pytest.mark.parametrize("n", [10, 11, 17, 1796, 1797])
def test_a_sample_has_the_size_asked_for_and_every_class(sample: ImageDataset, n: int) -> None:
    small = sample.sample(n, random_state=0)
    assert len(small) == n
    assert set(small.target) == set(range(10))
    again = sample.sample(n, random_state=0)
    np.testing.assert_array_equal(small.data, again.data)


@pytest.mark.parametrize("n", [0, 9, 1798, -5])
def test_samples_that_cannot_be(sample: ImageDataset, n: int) -> None:
    with pytest.raises(ValueError, match=f"from 10, the number of classes, to 1797.*Got {n}"):
        sample.sample(n)


def test_a_sample_of_no_whole_number_is_an_error(sample: ImageDataset) -> None:
    with pytest.raises(TypeError):
        sample.sample(100.5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "target", "image_shape"),
    [
        (np.zeros((4, 784), np.uint8), np.zeros(9), (28, 28)),
        (np.zeros((4, 784), np.uint8), np.zeros(4), (14, 14)),
        (np.zeros((4, 784)), np.zeros(4), (28, 28)),
        (np.zeros((4, 28, 28), np.uint8), np.zeros(4), (28, 28)),
        (np.zeros((4, 784), np.uint8), np.zeros((4, 1)), (28, 28)),
    ],
)
def test_parts_that_do_not_fit_together(data: Any, target: Any, image_shape: Any) -> None:
    with pytest.raises(ValueError, match="data must be uint8 of shape"):
        ImageDataset(data, target, image_shape, "odd")


def test_data_and_target_are_arrays() -> None:
    images = np.zeros((2, 4), np.uint8)
    with pytest.raises(TypeError, match=r"target must be a NumPy array\. Got a list instead"):
        ImageDataset(images, [0, 1], (2, 2), "odd")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"data must be a NumPy array\. Got a list instead"):
        ImageDataset(images.tolist(), np.array([0, 1]), (2, 2), "odd")  # type: ignore[arg-type]


def test_images_have_a_height_and_a_width() -> None:
    with pytest.raises(ValueError, match=r"image_shape must be \(height, width\). Got \(2, 2, 1\)"):
        ImageDataset(np.zeros((4, 4), np.uint8), np.zeros(4), (2, 2, 1), "odd")  # type: ignore[arg-type]


def test_an_official_split_leaves_rows_on_both_sides() -> None:
    with pytest.raises(ValueError, match="from 1 to 3 of 4"):
        ImageDataset(np.zeros((4, 4), np.uint8), np.zeros(4), (2, 2), "odd", n_official_train=4)


def test_load_idx_reads_a_pair_of_any_size(tmp_path: Path) -> None:
    images = np.arange(2 * 3 * 5, dtype=np.uint8).reshape(2, 3, 5)
    (tmp_path / "images.gz").write_bytes(gzip.compress(idx_header((2, 3, 5)) + images.tobytes()))
    (tmp_path / "labels").write_bytes(idx_header((2,)) + bytes([7, 61]))
    dataset = load_idx(tmp_path / "images.gz", tmp_path / "labels")
    np.testing.assert_array_equal(dataset.images, images)
    np.testing.assert_array_equal(dataset.target, [7, 61])
    assert dataset.name == "images.gz"
    assert dataset.n_official_train is None


def test_a_pair_that_does_not_belong_together(tmp_path: Path) -> None:
    (tmp_path / "images").write_bytes(idx_header((2, 1, 1)) + bytes(2))
    (tmp_path / "labels").write_bytes(idx_header((3,)) + bytes(3))
    with pytest.raises(DatasetFormatError, match="one label for each of 2 images, found 3"):
        load_idx(tmp_path / "images", tmp_path / "labels")
    with pytest.raises(DatasetFormatError, match="3 dimensions"):
        load_idx(tmp_path / "labels", tmp_path / "images")


def test_no_images_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "images").write_bytes(idx_header((0, 28, 28)))
    (tmp_path / "labels").write_bytes(idx_header((0,)))
    with pytest.raises(DatasetFormatError, match="no pixels"):
        load_idx(tmp_path / "images", tmp_path / "labels")
