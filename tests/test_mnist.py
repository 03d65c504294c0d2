"""fetch_mnist and its like: found, downloaded, checked, kept, repaired, or a good error.

Most tests call for four small files of 60 digits, and take them for the published ones.
"""

import gzip
import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mnist_models import (
    _mnist,
    fetch_fashion_mnist,
    fetch_kmnist,
    fetch_mnist,
    load_sample_digits,
)
from mnist_models.exceptions import DatasetFormatError, DatasetUnavailableError

from .commands import write_idx
from .servers import Server, serving

NAMES = [f"{pinned.name}.gz" for pinned in _mnist.SETS["mnist"].files]
LARGEST = NAMES[0]
KEPT = ["mnist-images.npy", "mnist-labels.npy"]


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_cache: Path) -> Path:
    """A folder with four small files, which are now taken for MNIST's, and for each other set's."""
    folder = tmp_path / "published"
    folder.mkdir()
    digits = load_sample_digits()
    write_idx(folder, "train", digits.images[:50], digits.target[:50])
    write_idx(folder, "t10k", digits.images[50:60], digits.target[50:60])
    for key, real in _mnist.SETS.items():
        pins = []
        for pinned, n in zip(real.files, (50, 50, 10, 10), strict=True):
            packed = (folder / f"{pinned.name}.gz").read_bytes()
            content = hashlib.sha256(gzip.decompress(packed)).hexdigest()
            changed = {"gzip_sha256": hashlib.sha256(packed).hexdigest()}
            changed |= {"sha256": content} if pinned.sha256 else {}
            pins.append(pinned._replace(shape=(n, *pinned.shape[1:]), **changed))
        monkeypatch.setitem(_mnist.SETS, key, real._replace(files=tuple(pins), mirrors=()))
    return folder


def _serve_from(monkeypatch: pytest.MonkeyPatch, mirrors: tuple[str, ...]) -> None:
    for key, published in _mnist.SETS.items():
        monkeypatch.setitem(_mnist.SETS, key, published._replace(mirrors=mirrors))


def test_all_seventy_thousand(mnist_folder: Path, empty_cache: Path) -> None:
    for _ in range(2):  # from the four files, then from the kept copy
        mnist = fetch_mnist(data_home=mnist_folder)
        assert mnist.data.shape == (70_000, 784)
        assert mnist.data.dtype == np.uint8
        assert not mnist.data.flags.writeable
        assert isinstance(mnist.data.base, np.memmap)
        np.testing.assert_array_equal(mnist.target[:5], [5, 0, 4, 1, 9])
        X_train, _, _, y_test = mnist.split("official")
        assert len(X_train) == 60_000
        np.testing.assert_array_equal(y_test[:5], [7, 2, 1, 0, 4])
    _, X_test, _, y_test = mnist.split("classic")
    supports = [1343, 1600, 1380, 1433, 1295, 1273, 1396, 1503, 1357, 1420]
    np.testing.assert_array_equal(np.bincount(y_test), supports)
    assert len(X_test) == 14_000


@pytest.fixture(scope="module")
def fashion_folder() -> Path:
    """The folder with Fashion-MNIST's real files."""
    folder = os.environ.get("MNIST_MODELS_FASHION", "/usr/share/datasets/fashion-mnist")
    if not Path(folder).is_dir():
        pytest.skip(
            "needs the real Fashion-MNIST: install Debian's package dataset-fashion-mnist, or set "
            "MNIST_MODELS_FASHION to the folder with its four files"
        )
    return Path(folder).resolve()


def test_all_of_fashion_mnist(fashion_folder: Path, empty_cache: Path) -> None:
    for _ in range(2):  # from the four files, then from the kept copy
        fashion = fetch_fashion_mnist(data_home=fashion_folder, download_if_missing=False)
        assert isinstance(fashion.data.base, np.memmap)
        assert fashion.class_names is not None
        assert len(set(fashion.class_names)) == 10
        numbers = [fashion.class_names.index(name) for name in fashion.target[:5]]
        assert numbers == [9, 0, 0, 3, 0]
        names, counts = np.unique(fashion.target, return_counts=True)
        assert dict(zip(names, counts, strict=True)) == dict.fromkeys(fashion.class_names, 7000)
        assert len(fashion.split("official")[0]) == 60_000


def test_the_published_gz_files_of_fashion_mnist(fashion_folder: Path) -> None:
    """Debian's differ in their header only, which has neither a name nor the time of 2017."""
    for pinned in _mnist.SETS["fashion-mnist"].files:
        packed = (fashion_folder / f"{pinned.name}.gz").read_bytes()
        time_of_it = 1504176606 if "train" in pinned.name else 1504176627
        if not packed[3] & 8:  # the flag for a name
            header = b"\x1f\x8b\x08\x08" + time_of_it.to_bytes(4, "little") + b"\0\3"
            packed = header + pinned.name.encode() + b"\0" + packed[10:]
        assert hashlib.sha256(packed).hexdigest() == pinned.gzip_sha256


# -- the other sets --------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["fashion-mnist", "kmnist"])
def test_another_set_lies_in_a_folder_of_its_own(
    key: str, published: Path, empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files have the names of MNIST's."""
    fetch = {"fashion-mnist": fetch_fashion_mnist, "kmnist": fetch_kmnist}[key]
    with serving(published) as server:
        _serve_from(monkeypatch, (server.mirror("good"),))
        fetch_mnist()
        found = fetch()
    assert sorted(path.name for path in (empty_cache / key).glob("*.gz")) == sorted(NAMES)
    assert (len(found), len(fetch_mnist())) == (60, 60)
    assert found.class_names == _mnist.SETS[key].class_names
    numbers = [_mnist.SETS[key].class_names.index(name) for name in found.target]  # type: ignore[union-attr]
    np.testing.assert_array_equal(numbers, load_sample_digits().target[:60])
    assert found.sample(20, random_state=0).class_names == found.class_names
    shutil.rmtree(empty_cache)
    monkeypatch.setenv("MNIST_MODELS_DATA", str(published.parent))
    with pytest.raises(DatasetUnavailableError, match=f"{key} in the folder that the environment"):
        fetch(download_if_missing=False)
    published.rename(published.parent / key)
    assert len(fetch(download_if_missing=False)) == 60


def test_only_the_published_gz_files_are_taken_for_kmnist(
    published: Path, empty_cache: Path
) -> None:
    """Its content is not pinned. So no uncompressed copy is kept, which could not be checked."""
    assert len(fetch_kmnist(data_home=published)) == 60
    assert not empty_cache.exists()
    labels = published / NAMES[1]
    labels.write_bytes(gzip.compress(gzip.decompress(labels.read_bytes()), mtime=1))
    with pytest.raises(DatasetFormatError, match=r"KMNIST's train-labels.*\.gz file.*SHA-256"):
        fetch_kmnist(data_home=published)


# -- folders ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("variable", [True, False])
def test_a_folder_of_plain_files_is_named_by_an_argument_or_a_variable(
    variable: bool, published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for packed in published.iterdir():
        packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
        packed.unlink()
    monkeypatch.setenv("HOME", str(published.parent))
    folder = f"~/{published.name}"
    if variable:
        monkeypatch.setenv("MNIST_MODELS_DATA", folder)
    home = None if variable else folder
    assert len(fetch_mnist(data_home=home, download_if_missing=False)) == 60
    assert len(fetch_mnist(download_if_missing=False)) == 60, "from the kept copy"


def test_other_digits_under_mnists_names_are_refused(published: Path, empty_cache: Path) -> None:
    labels = published / NAMES[1]
    sound = gzip.decompress(labels.read_bytes())
    labels.write_bytes(gzip.compress(sound[:-1] + b"\7"))
    with pytest.raises(DatasetFormatError, match=r"train-labels.*SHA-256.*Delete it"):
        fetch_mnist(data_home=published)
    labels.write_bytes(gzip.compress(sound[:4] + b"\0\0\0\1" + sound[8:9]))
    with pytest.raises(DatasetFormatError, match=r"is not MNIST's.*expected uint8 of shape \(50,"):
        fetch_mnist(data_home=published)
    assert not empty_cache.exists()


@pytest.mark.parametrize("offline", [True, False])
def test_nothing_anywhere_is_an_error_that_helps(
    published: Path, server: Server, tmp_path: Path, offline: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nobody is asked where that is forbidden."""
    _serve_from(monkeypatch, (server.mirror("good"),))
    if offline:
        monkeypatch.setenv("MNIST_MODELS_OFFLINE", "1")
    with pytest.raises(DatasetUnavailableError) as error:
        fetch_mnist(data_home=tmp_path, download_if_missing=offline)
    tried = "MNIST_MODELS_OFFLINE is set" if offline else "download_if_missing=False"
    for part in (str(tmp_path), tried, "MNIST_MODELS_DATA", "data_home", "load_sample_digits"):
        assert part in str(error.value)
    assert server.asked == []


# -- the kept copy ---------------------------------------------------------------------------------


@pytest.mark.parametrize("harm", ["a byte", "the tail", "everything", "the type", "the shape"])
def test_a_damaged_copy_is_made_again_with_a_warning(
    published: Path, empty_cache: Path, harm: str
) -> None:
    expected = fetch_mnist(data_home=published).data.copy()
    kept = empty_cache / KEPT[0]
    content = bytearray(kept.read_bytes())
    if harm == "a byte":
        content[5000] ^= 1
    kept.write_bytes({"the tail": bytes(content[:-9]), "everything": b""}.get(harm, bytes(content)))
    if harm == "the shape":
        np.save(kept, np.uint8(3))
    if harm == "the type":
        np.save(kept, np.zeros((60, 28, 28)))
    with pytest.warns(RuntimeWarning, match="damaged and will be made again") as heard:
        repaired = fetch_mnist(data_home=published)
    assert heard[0].filename == __file__, "it points at the line that called fetch_mnist"
    np.testing.assert_array_equal(repaired.data, expected)
    assert len(fetch_mnist(download_if_missing=False)) == 60


def test_a_cache_that_cannot_be_written_is_no_error(published: Path, empty_cache: Path) -> None:
    empty_cache.write_text("a file where the folder would be")
    mnist = fetch_mnist(data_home=published)
    assert len(mnist) == 60
    assert not mnist.data.flags.writeable


# -- downloads -------------------------------------------------------------------------------------

# How a server misbehaves, and what is said of it.
MISBEHAVING = {
    "altered": "hash of downloaded file",
    "cut": "IncompleteRead",
    "html": "hash of downloaded file",
    "missing": "404",
    "garbled": "BadStatusLine",
    "silent": "timed out",
    "endless": "too slow",
}


@pytest.fixture
def server(published: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(_mnist, "_SILENCE_SECONDS", 0.3)
    monkeypatch.setattr(_mnist, "_MOST_SECONDS", 0.3)
    with serving(published) as server:
        yield server


@pytest.mark.parametrize("manner", MISBEHAVING)
def test_a_mirror_that_serves_rubbish_is_named_and_the_next_one_asked(
    manner: str, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / LARGEST).write_bytes(b"what was there before")
    bad = server.mirror(manner), server.mirror("missing")
    _serve_from(monkeypatch, bad)
    with pytest.raises(DatasetUnavailableError) as error:
        fetch_mnist(data_home=home)
    message = str(error.value)
    for part in (*bad, MISBEHAVING[manner], "404", "MNIST_MODELS_DATA", str(home)):
        assert part in message
    assert [path.name for path in home.iterdir()] == [LARGEST], "nothing bad is left there"
    assert (home / LARGEST).read_bytes() == b"what was there before"

    _serve_from(monkeypatch, (bad[0], server.mirror("good")))
    assert len(fetch_mnist(data_home=home)) == 60
    assert f"/good/{LARGEST}" in server.asked


def test_what_was_downloaded_is_left_for_the_next_time(
    server: Server,
    published: Path,
    tmp_path: Path,
    empty_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    _serve_from(monkeypatch, (server.mirror("good"),))
    home = tmp_path / "home"
    assert len(fetch_mnist(data_home=home)) == 60
    assert capfd.readouterr() == ("", "")
    assert sorted(path.name for path in home.iterdir()) == sorted(NAMES)
    shutil.rmtree(empty_cache)
    (home / NAMES[2]).unlink()
    assert len(fetch_mnist(data_home=home)) == 60
    assert server.asked[4:] == [f"/good/{NAMES[2]}"], "only what is not there is asked for"


def test_a_damaged_file_in_the_cache_is_downloaded_again(
    server: Server, published: Path, empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _serve_from(monkeypatch, (server.mirror("good"),))
    assert len(fetch_mnist()) == 60
    assert sorted(path.name for path in empty_cache.iterdir()) == sorted([*NAMES, *KEPT])
    for name in KEPT:
        (empty_cache / name).unlink()
    (empty_cache / LARGEST).write_bytes(b"damaged")
    with pytest.raises(DatasetFormatError, match="not a valid IDX file"):
        fetch_mnist(download_if_missing=False)
    assert len(fetch_mnist()) == 60
    assert server.asked[4:] == [f"/good/{LARGEST}"]


def test_without_a_network_it_is_an_error_soon(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirrors = ("https://nowhere.invalid/", "https://127.0.0.1:9/")
    _serve_from(monkeypatch, mirrors)
    start = time.monotonic()
    with pytest.raises(DatasetUnavailableError) as error:
        fetch_mnist(data_home=tmp_path / "home")
    assert time.monotonic() - start < 10
    for part in (*mirrors, "MNIST_MODELS_DATA", "load_sample_digits"):
        assert part in str(error.value)


def test_a_folder_that_cannot_be_written_is_an_error(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _serve_from(monkeypatch, (server.mirror("good"),))
    (tmp_path / "file").touch()
    with pytest.raises(DatasetUnavailableError, match=f"{tmp_path / 'file'}.*pass it as data_home"):
        fetch_mnist(data_home=tmp_path / "file" / "below")
