"""fetch_mnist: found, checked, kept, healed, or a good error."""

import gzip
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from mnist_models import fetch_mnist
from mnist_models._data.idx import idx_header
from mnist_models._data.mnist_pins import FILES
from mnist_models.exceptions import DatasetFormatError, DatasetUnavailableError


def test_all_seventy_thousand(mnist_folder: Path, empty_cache: Path) -> None:
    mnist = fetch_mnist(data_home=mnist_folder)
    assert mnist.data.shape == (70_000, 784)
    assert mnist.data.dtype == np.uint8
    assert not mnist.data.flags.writeable
    assert mnist.n_official_train == 60_000
    np.testing.assert_array_equal(mnist.target[:5], [5, 0, 4, 1, 9])
    np.testing.assert_array_equal(mnist.target[60_000:60_005], [7, 2, 1, 0, 4])


def test_the_reports_split_has_the_reports_supports(mnist_folder: Path, empty_cache: Path) -> None:
    _, X_test, _, y_test = fetch_mnist(data_home=mnist_folder).split("report")
    supports = [1343, 1600, 1380, 1433, 1295, 1273, 1396, 1503, 1357, 1420]
    np.testing.assert_array_equal(np.bincount(y_test), supports)
    assert len(X_test) == 14_000


def test_the_official_split(mnist_folder: Path, empty_cache: Path) -> None:
    X_train, X_test, *_ = fetch_mnist(data_home=mnist_folder).split("official")
    assert (len(X_train), len(X_test)) == (60_000, 10_000)


def test_the_variable_names_the_folder(
    mnist_folder: Path, empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MNIST_MODELS_DATA", str(mnist_folder))
    assert len(fetch_mnist(download_if_missing=False)) == 70_000


@pytest.mark.parametrize("variable", [True, False])
def test_a_folder_in_the_users_home_may_be_named_by_a_tilde(
    variable: bool, mnist_folder: Path, empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(mnist_folder.parent))
    folder = f"~/{mnist_folder.name}"
    if variable:
        monkeypatch.setenv("MNIST_MODELS_DATA", folder)
    home = None if variable else folder
    assert len(fetch_mnist(data_home=home, download_if_missing=False)) == 70_000


def test_plain_files_are_as_good(mnist_folder: Path, empty_cache: Path, tmp_path: Path) -> None:
    for packed in mnist_folder.glob("*.gz"):
        (tmp_path / packed.stem).write_bytes(gzip.decompress(packed.read_bytes()))
    assert len(fetch_mnist(data_home=tmp_path, download_if_missing=False)) == 70_000


def test_the_second_time_opens_the_kept_copy(mnist_folder: Path, empty_cache: Path) -> None:
    first = fetch_mnist(data_home=mnist_folder)
    start = time.perf_counter()
    second = fetch_mnist(download_if_missing=False)
    print(f"second open: {1000 * (time.perf_counter() - start):.1f} ms")  # told, never asserted
    assert isinstance(second.data.base, np.memmap) or isinstance(second.data, np.memmap)
    np.testing.assert_array_equal(first.data, second.data)


@pytest.mark.parametrize("harm", ["a byte", "the tail", "everything", "the type", "the shape"])
def test_a_damaged_copy_is_healed_with_a_warning(
    mnist_folder: Path, empty_cache: Path, harm: str
) -> None:
    expected = fetch_mnist(data_home=mnist_folder).data[:100].copy()
    kept = empty_cache / "mnist-images.npy"
    content = bytearray(kept.read_bytes())
    if harm == "a byte":
        content[5000] ^= 1
    kept.write_bytes({"the tail": bytes(content[:-9]), "everything": b""}.get(harm, bytes(content)))
    if harm == "the shape":
        np.save(kept, np.uint8(3))
    if harm == "the type":
        np.save(kept, np.zeros((70_000, 28, 28)))
    with pytest.warns(RuntimeWarning, match="damaged and will be made again") as heard:
        healed = fetch_mnist(data_home=mnist_folder)
    assert heard[0].filename == __file__, "it points at the line that called fetch_mnist"
    np.testing.assert_array_equal(healed.data[:100], expected)
    assert len(fetch_mnist(download_if_missing=False)) == 70_000


def test_a_link_in_the_caches_place_is_replaced_and_its_target_left_alone(
    mnist_folder: Path, empty_cache: Path, tmp_path: Path
) -> None:
    target = tmp_path / "elsewhere"
    target.write_bytes(b"precious")
    empty_cache.mkdir()
    (empty_cache / "mnist-images.npy").symlink_to(target)
    (empty_cache / "mnist-labels.npy").symlink_to(target)
    with pytest.warns(RuntimeWarning, match="damaged and will be made again"):
        assert len(fetch_mnist(data_home=mnist_folder)) == 70_000
    assert target.read_bytes() == b"precious"
    assert not (empty_cache / "mnist-images.npy").is_symlink()


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root may give away")
def test_a_copy_that_another_user_can_change_is_not_used(
    mnist_folder: Path, empty_cache: Path
) -> None:
    fetch_mnist(data_home=mnist_folder)
    kept = empty_cache / "mnist-images.npy"
    os.chown(kept, 12345, 12345)
    with pytest.warns(RuntimeWarning, match="belongs to user 12345"):
        assert len(fetch_mnist(data_home=mnist_folder)) == 70_000
    assert kept.stat().st_uid == 0


def test_a_cache_that_cannot_be_written_is_no_error(mnist_folder: Path, empty_cache: Path) -> None:
    empty_cache.write_text("a file where the folder would be")
    mnist = fetch_mnist(data_home=mnist_folder)
    assert len(mnist) == 70_000
    assert not mnist.data.flags.writeable


def test_other_digits_under_mnists_names_are_refused(
    mnist_folder: Path, empty_cache: Path, tmp_path: Path
) -> None:
    for packed in mnist_folder.glob("*.gz"):
        shutil.copy(packed, tmp_path)
    labels = tmp_path / "train-labels-idx1-ubyte.gz"
    content = bytearray(gzip.decompress(labels.read_bytes()))
    content[100] = (content[100] + 1) % 10
    labels.chmod(0o600)
    labels.write_bytes(gzip.compress(content))
    with pytest.raises(DatasetFormatError, match=r"train-labels.*SHA-256"):
        fetch_mnist(data_home=tmp_path, download_if_missing=False)
    assert not empty_cache.exists()


def test_files_of_another_shape_under_mnists_names_are_refused(
    empty_cache: Path, tmp_path: Path
) -> None:
    for pinned in FILES:
        shape = (3, *(14,) * (len(pinned.shape) - 1)) if "t10k" in pinned.name else pinned.shape
        content = idx_header(shape) + bytes(int(np.prod(shape)))
        (tmp_path / pinned.name).write_bytes(content)
    with pytest.raises(DatasetFormatError, match="is not MNIST's"):
        fetch_mnist(data_home=tmp_path)


def test_nothing_anywhere_is_an_error_that_helps(empty_cache: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetUnavailableError) as error:
        fetch_mnist(data_home=tmp_path, download_if_missing=False)
    for hint in (str(tmp_path), "MNIST_MODELS_DATA", "data_home", "load_sample_digits"):
        assert hint in str(error.value)
