"""MNIST from real HTTPS servers that misbehave: the right digits, or an error that says all."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mnist_models import fetch_mnist
from mnist_models._data import download, mnist
from mnist_models._data.mnist_pins import FILES
from mnist_models.exceptions import DatasetUnavailableError
from tests.servers import Server, serving

NAMES = sorted(f"{pinned.name}.gz" for pinned in FILES)

# How a server misbehaves, and what is said of it.
MISBEHAVING = {
    "cut": "IncompleteRead",
    "html": "expected 00000803",
    "403": "403",
    "404": "404",
    "500": "500",
    "503": "503",
    "drip": "too slow",
    "silent": "timed out",
    "plain": "http://localhost:9",
    "circle": "redirects",
    "short": "the end of the file",
    "endless": "expected at most",
    "altered": "expected",
    "garbled": "BadStatusLine",
}


@pytest.fixture
def server(
    mnist_folder: Path, tmp_path: Path, empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Server]:
    with serving(mnist_folder, tmp_path) as server:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(server.authority))
        monkeypatch.setattr(download, "_SILENCE_SECONDS", 1.0)
        monkeypatch.setattr(download, "_MOST_SECONDS", 2.0)
        yield server


@pytest.mark.parametrize("manner", MISBEHAVING)
def test_the_next_mirror_serves_what_one_does_not(
    manner: str, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked for one file only, for time's sake; which is the largest."""
    url = [server.mirror(each) + NAMES[2] for each in (manner, "good")]
    assert NAMES[2] == "train-images-idx3-ubyte.gz"
    content, part = download.first_good(
        url, 47_040_000, lambda content: mnist._read_content(FILES[0], content)
    )
    assert part.shape == (60_000, 28, 28)
    assert len(content) < 10_000_000
    assert f"/good/{NAMES[2]}" in server.asked


@pytest.mark.parametrize("manner", MISBEHAVING)
def test_no_mirror_is_an_error_that_lists_each_with_its_reason(
    manner: str, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirrors = server.mirror(manner), server.mirror("404")
    monkeypatch.setattr(mnist, "MIRRORS", mirrors)
    home = tmp_path / "home"
    with pytest.raises(DatasetUnavailableError) as error:
        fetch_mnist(data_home=home)
    message = str(error.value)
    for part in (*mirrors, MISBEHAVING[manner], "404", "MNIST_MODELS_DATA", str(home)):
        assert part in message
    assert not home.exists()


def test_what_was_downloaded_is_left_for_the_next_time(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mnist, "MIRRORS", (server.mirror("404"), server.mirror("good")))
    home = tmp_path / "home"
    assert len(fetch_mnist(data_home=home)) == 70_000
    assert sorted(path.name for path in home.iterdir()) == NAMES
    assert home.stat().st_mode & 0o077 == 0
    asked = len(server.asked)
    assert len(fetch_mnist(data_home=home)) == 70_000
    assert len(server.asked) == asked


def test_a_certificate_that_nobody_vouches_for_is_refused(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    monkeypatch.setattr(mnist, "MIRRORS", (server.mirror("good"),))
    with pytest.raises(DatasetUnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
        fetch_mnist(data_home=tmp_path / "home")
    assert server.asked == []


def test_plain_http_is_refused(
    empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mnist, "MIRRORS", ("http://localhost:9/",))
    with pytest.raises(DatasetUnavailableError, match="No connection adapters"):
        fetch_mnist(data_home=tmp_path / "home")


def test_a_dead_proxy_is_named_and_can_be_gone_round(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mnist, "MIRRORS", (server.mirror("good"),))
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", "http://localhost:9")
    with pytest.raises(DatasetUnavailableError, match="proxy"):
        fetch_mnist(data_home=tmp_path / "home")
    monkeypatch.setenv("no_proxy", "localhost")
    assert len(fetch_mnist(data_home=tmp_path / "home")) == 70_000


def test_a_folder_that_cannot_be_written_is_a_warning(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mnist, "MIRRORS", (server.mirror("good"),))
    (tmp_path / "file").touch()
    with pytest.warns(RuntimeWarning, match="could not be kept in"):
        assert len(fetch_mnist(data_home=tmp_path / "file" / "below")) == 70_000


# -- other processes -------------------------------------------------------------------------------

_FETCH = """
import sys
from pathlib import Path
from mnist_models import fetch_mnist
from mnist_models._data import mnist
from mnist_models._data import mnist_cache
cache, mnist.MIRRORS = Path(sys.argv[1]), tuple(sys.argv[2:])
mnist_cache.user_cache = lambda: cache
print(len(fetch_mnist()))
"""


def _start(cache: Path, server: Server, manner: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if name != "MNIST_MODELS_DATA"}
    return subprocess.Popen(
        [sys.executable, "-c", _FETCH, str(cache), server.mirror(manner)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment | {"REQUESTS_CA_BUNDLE": str(server.authority)},
    )


@pytest.mark.slow
def test_eight_at_once_of_which_three_are_killed(server: Server, tmp_path: Path) -> None:
    cache = tmp_path / "shared"
    started = [_start(cache, server, "slow") for _ in range(8)]
    while len(server.asked) < 12:  # in the middle of it
        time.sleep(0.05)
    for each in started[:3]:
        each.kill()
        each.communicate()
    for each in started[3:]:
        out, err = each.communicate(timeout=300)
        assert (out.strip(), err) == ("70000", "")
    assert _start(cache, server, "404").communicate()[0].strip() == "70000"
    assert sorted(path.name for path in cache.glob("[!.]*")) == sorted(
        [*NAMES, "mnist-images.npy", "mnist-labels.npy"]
    )


@pytest.mark.slow
def test_kill_9_at_any_moment_leaves_nothing_that_is_not_whole(
    server: Server, tmp_path: Path
) -> None:
    cache = tmp_path / "shared"
    for delay in (0.3, 0.6, 0.9, 1.2, 1.5, 1.8, 2.1, 2.4, 2.7):
        process = _start(cache, server, "good")
        time.sleep(delay)
        process.kill()
        process.communicate()
    out, err = _start(cache, server, "good").communicate(timeout=100)
    assert (out.strip(), err) == ("70000", "")


_OFFLINE = (
    """
import sys
def refuse(event, _):
    assert not event.startswith("socket"), event
sys.addaudithook(refuse)
"""
    + _FETCH
)


@pytest.mark.parametrize("kept", [True, False])
def test_offline_no_socket_is_opened(
    kept: bool, mnist_folder: Path, tmp_path: Path, empty_cache: Path
) -> None:
    if kept:
        fetch_mnist(data_home=mnist_folder)
    environment = {name: value for name, value in os.environ.items() if name != "MNIST_MODELS_DATA"}
    done = subprocess.run(
        [sys.executable, "-c", _OFFLINE, str(empty_cache), "https://localhost:9/"],
        env=environment | {"MNIST_MODELS_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    if kept:
        assert (done.stdout.strip(), done.stderr) == ("70000", "")
    else:
        assert "not tried (MNIST_MODELS_OFFLINE is set)" in done.stderr
