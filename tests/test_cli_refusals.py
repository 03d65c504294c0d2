"""What a command cannot work with ends it: one line, exit code 2, nothing written, and soon."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mnist_models import load_sample_digits
from mnist_models._data.idx import idx_header

from .commands import run_command

Capture = pytest.CaptureFixture[str]

_TERABYTE = 2**40
_LONG_NAME = "n" * 300


@pytest.fixture(autouse=True)
def _offline_and_soon(
    empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """In a folder with nothing in it, without a network, and for a minute at most."""

    def stop(*_: object) -> None:
        pytest.fail("waits for ever")

    monkeypatch.setenv("MNIST_MODELS_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory, model_file: Path) -> Path:
    """A folder with one of everything that no command wants; most also as .npy and as .png."""
    folder = tmp_path_factory.mktemp("everything")
    (folder / "model").write_bytes(model_file.read_bytes())
    np.save(folder / "images.npy", load_sample_digits().images[:2])
    header = idx_header((2**30, 28, 28))
    (folder / "tall-idx").write_bytes(header)
    os.truncate(folder / "tall-idx", len(header) + 2**30 * 784)
    with (folder / "tall.npy").open("wb") as file:
        told = {"descr": "<f8", "fortran_order": False, "shape": (2**30, 784)}
        np.lib.format.write_array_header_1_0(file, told)
        file.truncate(file.tell() + 8 * 2**30 * 784)
    for kind in ("", ".npy", ".png"):
        (folder / f"folder{kind}").mkdir()
        os.mkfifo(folder / f"pipe{kind}")
        (folder / f"empty{kind}").touch()
        (folder / f"huge{kind}").touch()
        os.truncate(folder / f"huge{kind}", _TERABYTE)
        (folder / f"rubbish{kind}").write_bytes(np.random.default_rng(0).bytes(5000))
        (folder / f"page{kind}").write_text("<!DOCTYPE html><title>404</title>")
        (folder / f"loop{kind}").symlink_to(folder / f"loop{kind}")
        (folder / f"zeros{kind}").symlink_to("/dev/zero")
    Image.new("L", (28, 28)).save(folder / "picture", format="PNG")
    return folder


def _state(folder: Path) -> dict[str, Any]:
    """What would differ if something had been written."""
    return {
        each.name: (each.lstat().st_mode, each.lstat().st_size, each.lstat().st_mtime_ns)
        for each in folder.rglob("*")
    }


def _assert_refused(capsys: Capture, *words: Any) -> str:
    code, out, err = run_command(capsys, *words)
    assert (code, out) == (2, ""), err
    assert err.startswith("mnist-models: ")
    assert err.endswith((".\n", " --help)\n"))
    assert err[:-1].isprintable()  # so it is one line
    assert "Errno" not in err
    assert list(Path.cwd().iterdir()) == []
    return err


# -- files to read ---------------------------------------------------------------------------------

_KINDS = ["missing", "folder", "pipe", "empty", "huge", "rubbish", "page", "loop", "zeros"]
_NO_MODELS = [*_KINDS, "picture", "images.npy", "tall-idx", "rubbish/below", _LONG_NAME]
_NO_IMAGES = [
    *(f"{kind}{suffix}" for kind in _KINDS for suffix in ("", ".npy", ".png")),
    *("picture", "model", "tall-idx", "tall.npy", "rubbish/below", _LONG_NAME),
]


@pytest.mark.parametrize("name", _NO_MODELS)
@pytest.mark.parametrize("command", ["inspect", "predict"])
def test_what_is_no_model(capsys: Capture, odd: Path, command: str, name: str) -> None:
    images = [odd / "images.npy"] if command == "predict" else []
    assert str(odd / name) in _assert_refused(capsys, command, odd / name, *images)


@pytest.mark.parametrize("name", _NO_IMAGES)
def test_what_is_no_images(capsys: Capture, odd: Path, name: str) -> None:
    """Nor is the good file before it read: a list with holes would pass for a whole one."""
    words = ("predict", odd / "model", odd / "images.npy", odd / name)
    assert str(odd / name) in _assert_refused(capsys, *words)


_FIT = [("compare", "--models", "logistic"), ("evaluate", "logistic"), ("train", "logistic")]


@pytest.mark.parametrize("name", [*_NO_MODELS, "model", ""])
@pytest.mark.parametrize("command", _FIT, ids=lambda words: words[0])
def test_what_is_no_folder_of_digits(
    capsys: Capture, odd: Path, command: tuple[str, ...], name: str
) -> None:
    output = ["--output", "new"] if command[0] == "train" else []
    assert str(odd / name) in _assert_refused(capsys, *command, "--data", odd / name, *output)


@pytest.mark.parametrize("name", [*_NO_MODELS, "model"])
@pytest.mark.parametrize("part", ["images-idx3", "labels-idx1"])
def test_a_folder_of_digits_that_are_none(
    capsys: Capture, odd: Path, tmp_path_factory: pytest.TempPathFactory, part: str, name: str
) -> None:
    folder = tmp_path_factory.mktemp("digits")
    (folder / "train-images-idx3-ubyte").write_bytes(idx_header((40, 28, 28)) + bytes(40 * 784))
    (folder / "train-labels-idx1-ubyte").write_bytes(idx_header((40,)) + bytes(40))
    (folder / f"train-{part}-ubyte").unlink()
    (folder / f"train-{part}-ubyte").symlink_to(odd / name)
    assert str(folder) in _assert_refused(capsys, "evaluate", "logistic", "--data", folder)


@pytest.mark.parametrize("name", [*_NO_MODELS, "model"])
def test_a_data_home_without_the_data(capsys: Capture, odd: Path, name: str) -> None:
    before = _state(odd)
    assert str(odd / name) in _assert_refused(capsys, "fetch", "--data-home", odd / name)
    assert _state(odd) == before


def test_mnist_that_is_not_to_be_had(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, odd: Path
) -> None:
    monkeypatch.delenv("MNIST_MODELS_OFFLINE")
    monkeypatch.setattr("mnist_models._data.mnist.MIRRORS", ("http://127.0.0.1:9/",))
    for command in (["fetch"], ["reproduce"], ["compare", "--data", "mnist"]):
        assert "MNIST_MODELS_DATA" in _assert_refused(capsys, *command)


# -- places to write -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["folder", "pipe", "zeros", "missing/below", "rubbish/below", "/proc/new", _LONG_NAME]
)
@pytest.mark.parametrize(
    "command",
    [("train", "network", "--output"), ("evaluate", "network", "--html"), ("compare", "--html")],
    ids=" ".join,
)
def test_where_no_file_can_be(
    capsys: Capture, odd: Path, command: tuple[str, ...], name: str
) -> None:
    """It is refused before the fits that would be lost."""
    before = _state(odd)
    _assert_refused(capsys, *command, odd / name)
    assert _state(odd) == before


@pytest.mark.parametrize(
    "name", ["model", "pipe", "zeros", "rubbish/below", "loop", "/proc/new", _LONG_NAME]
)
@pytest.mark.parametrize("option", ["--plots", "--checkpoint"])
def test_where_no_folder_can_be(capsys: Capture, odd: Path, option: str, name: str) -> None:
    before = _state(odd)
    _assert_refused(capsys, "evaluate", "network", option, odd / name)
    assert _state(odd) == before


def test_the_claims_need_a_folder_too(
    capsys: Capture, odd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mnist_models._commands.fetch_mnist", load_sample_digits)
    assert str(odd / "model") in _assert_refused(capsys, "reproduce", "--plots", odd / "model")


def test_what_is_refused_leaves_no_folder_that_it_would_have_filled(capsys: Capture) -> None:
    options = ("--plots", "pictures", "--checkpoint", "run")
    _assert_refused(capsys, "compare", "--data", "nowhere", *options)
    _assert_refused(capsys, "compare", "--html", "nowhere/page", *options)


def test_a_folder_of_other_things_is_no_checkpoint(capsys: Capture, odd: Path) -> None:
    before = _state(odd)
    assert "other files" in _assert_refused(capsys, "evaluate", "forest", "--checkpoint", odd)
    assert _state(odd) == before


# -- words -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["compere"],
        ["compare", "--cv"],
        ["compare", "--cv", "0"],
        ["compare", "--cv", "1"],
        ["compare", "--cv", "01"],
        ["compare", "--cv", "-2"],
        ["compare", "--cv", "many"],
        ["compare", "--cv", "2000", "--models", "logistic"],
        ["compare", "--cv", "4000000000", "--models", "logistic"],
        ["compare", "--cv", "9" * 5000],
        ["compare", "--seed", "-1"],
        ["compare", "--seed", "²"],
        ["compare", "--seed", str(2**32)],
        ["compare", "--models", "svm"],
        ["compare", "--models"],
        ["compare", "--recipe", "secret"],
        ["compare", "--timeout", "0"],
        ["compare", "--timeout", "-1"],
        ["compare", "--timeout", "1h"],
        ["compare", "--timeout", "nan"],
        ["compare", "--timeout", "inf"],
        ["compare", "--jobs", "0"],
        ["compare", "--jobs", "00"],
        ["compare", "--jobs", "-5"],
        ["compare", "--jobs", "1.5"],
        ["evaluate"],
        ["evaluate", "forrest"],
        ["evaluate", "forest", "--models", "network"],
        ["evaluate", "forest", "\x1b[2J\n"],
        ["reproduce", "--seed", "one"],
        ["reproduce", "--data", "sample"],
        ["train", "logistic"],
        ["train", "-o", "new"],
        ["train", "logistic", "forest", "-o", "new"],
        ["predict"],
        ["predict", "model"],
        ["inspect", "model", "model"],
        ["fetch", "--data-home"],
        ["fetch", "mnist"],
        ["version", "please"],
    ],
    ids=lambda words: ascii(" ".join(words))[:40],
)
def test_words_that_make_no_command(capsys: Capture, words: list[str]) -> None:
    _assert_refused(capsys, *words)


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("--cv", "expected a whole number from 2 up, got 'many'"),
        ("--jobs", "expected a whole number from 1 up, or -1, got 'many'"),
        ("--seed", "expected a whole number from 0 to 2**32 - 1, got 'many'"),
    ],
)
def test_a_number_is_expected_in_its_own_range(capsys: Capture, option: str, expected: str) -> None:
    assert expected in _assert_refused(capsys, "compare", option, "many")
