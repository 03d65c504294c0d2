"""fetch_mnist: found, checked, kept, healed, downloaded from a real server, or a good error."""

import functools
import gzip
import http.server
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mnist_models import _mnist, fetch_mnist
from mnist_models._idx import idx_header
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
    with pytest.warns(RuntimeWarning, match="damaged and will be made anew"):
        healed = fetch_mnist(data_home=mnist_folder)
    np.testing.assert_array_equal(healed.data[:100], expected)
    assert len(fetch_mnist(download_if_missing=False)) == 70_000


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
    for pinned in _mnist.FILES:
        shape = (3, *(14,) * (len(pinned.shape) - 1)) if "t10k" in pinned.name else pinned.shape
        content = idx_header(shape) + bytes(int(np.prod(shape)))
        (tmp_path / pinned.name).write_bytes(content)
    with pytest.raises(DatasetFormatError, match="is not MNIST's"):
        fetch_mnist(data_home=tmp_path)


def test_a_folder_that_cannot_be_made_is_an_error_that_helps(
    empty_cache: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DatasetUnavailableError, match="MNIST_MODELS_DATA"):
        fetch_mnist(data_home=tmp_path / "file" / "below")


def test_nothing_anywhere_is_an_error_that_helps(empty_cache: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetUnavailableError) as error:
        fetch_mnist(data_home=tmp_path, download_if_missing=False)
    for hint in (str(tmp_path), "MNIST_MODELS_DATA", "data_home", "load_sample_digits"):
        assert hint in str(error.value)


# -- downloads -------------------------------------------------------------------------------------


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """A test has no use for a server's log."""


@pytest.fixture
def serve() -> Iterator[object]:
    """Serve folders over HTTP on this machine; the function returns a folder's address."""
    servers = []

    def start(folder: Path) -> str:
        handler = functools.partial(_Quiet, directory=str(folder))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_the_next_mirror_serves_what_the_first_does_not(
    mnist_folder: Path,
    empty_cache: Path,
    tmp_path: Path,
    serve: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    missing, wrong = tmp_path / "missing", tmp_path / "wrong"
    missing.mkdir()
    wrong.mkdir()
    for pinned in _mnist.FILES:
        (wrong / f"{pinned.name}.gz").write_bytes(b"<html>please log in</html>")
    mirrors = tuple(serve(folder) for folder in (missing, wrong, mnist_folder))  # type: ignore[operator]
    monkeypatch.setattr(_mnist, "MIRRORS", mirrors)
    home = tmp_path / "home"
    assert len(fetch_mnist(data_home=home)) == 70_000
    assert sorted(path.name for path in home.iterdir()) == sorted(
        f"{pinned.name}.gz" for pinned in _mnist.FILES
    )


def test_no_mirror_is_an_error_that_lists_them_all(
    empty_cache: Path, tmp_path: Path, serve: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = "http://127.0.0.1:9/"  # nobody listens on the discard port
    empty = serve(tmp_path)  # type: ignore[operator]
    monkeypatch.setattr(_mnist, "MIRRORS", (gone, empty))
    home = tmp_path / "home"
    with pytest.raises(DatasetUnavailableError) as error:
        fetch_mnist(data_home=home)
    for part in (gone, empty, "404", "MNIST_MODELS_DATA"):
        assert part in str(error.value)
    assert list(home.iterdir()) == []
