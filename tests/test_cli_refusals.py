"""Input that a command cannot use is refused in one line, soon, and nothing is written."""

import contextlib
import io
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from mnist_models import load_sample_digits
from mnist_models.cli import main

from .commands import idx_header, run_command

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
    """A folder with one of everything that is refused; most also as .npy, .png and .csv."""
    folder = tmp_path_factory.mktemp("everything")
    (folder / "model").write_bytes(model_file.read_bytes())
    np.save(folder / "images.npy", load_sample_digits().images[:2])
    header = idx_header(2**30, 28, 28)
    (folder / "tall-idx").write_bytes(header)
    os.truncate(folder / "tall-idx", len(header) + 2**30 * 784)
    with (folder / "tall.npy").open("wb") as file:
        described = {"descr": "<f8", "fortran_order": False, "shape": (2**30, 784)}
        np.lib.format.write_array_header_1_0(file, described)
        file.truncate(file.tell() + 8 * 2**30 * 784)
    for kind in ("", ".npy", ".png", ".csv"):
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
        path.name: (path.lstat().st_mode, path.lstat().st_size, path.lstat().st_mtime_ns)
        for path in folder.rglob("*")
    }


def _assert_refused(capsys: Capture, *words: Any) -> str:
    """Its one line on standard error."""
    code, out, err = run_command(capsys, *words)
    assert (code, out) == (2, ""), (words, err)
    assert err.startswith("mnist-models: ")
    assert err.endswith((".\n", "?\n", " --help)\n")), err
    assert err[:-1].isprintable()  # so it is one line
    assert len(err) < 1200
    assert "Errno" not in err
    assert list(Path.cwd().iterdir()) == []
    return err


# -- files to read ---------------------------------------------------------------------------------

_KINDS = ["missing", "folder", "pipe", "empty", "huge", "rubbish", "page", "loop", "zeros"]
_NO_TABLES = [f"{kind}.csv" for kind in _KINDS]
_NO_MODELS = [*_KINDS, "picture", "images.npy", "tall-idx", "rubbish/below", _LONG_NAME]
_NO_IMAGES = [
    *(f"{kind}{suffix}" for kind in _KINDS for suffix in ("", ".npy", ".png", ".csv")),
    *("picture", "model", "tall-idx", "tall.npy", "rubbish/below", _LONG_NAME),
]


def test_what_a_file_is_is_said(capsys: Capture, odd: Path) -> None:
    for name, kind in {
        "picture": "a PNG picture",
        "images.npy": "a NumPy .npy file",
        "page": "text",
        "rubbish": "of an unknown kind",
        "empty": "empty",
    }.items():
        assert f"that is {kind}." in _assert_refused(capsys, "inspect", odd / name)
        words = "train", "logistic", "--output", "new", "--data", odd / name
        assert f"It is {kind}." in _assert_refused(capsys, *words)
    predict = "predict", odd / "model", odd / "model"
    assert "it is a model file" in _assert_refused(capsys, *predict)


@pytest.mark.parametrize("command", ["inspect", "predict"])
def test_a_file_that_is_no_model_is_refused(capsys: Capture, odd: Path, command: str) -> None:
    images = [odd / "images.npy"] if command == "predict" else []
    for name in _NO_MODELS:
        assert str(odd / name) in _assert_refused(capsys, command, odd / name, *images)


def test_a_file_without_images_is_refused(capsys: Capture, odd: Path) -> None:
    """Nor is anything printed for the good file before it: a list with holes looks like a whole."""
    for name in _NO_IMAGES:
        words = ("predict", odd / "model", odd / "images.npy", odd / name)
        assert str(odd / name) in _assert_refused(capsys, *words)


@pytest.mark.parametrize("command", ["compare", "evaluate", "train"])
def test_a_folder_without_digits_is_refused(capsys: Capture, odd: Path, command: str) -> None:
    words = {
        "compare": ("--models", "logistic"),
        "evaluate": ("logistic",),
        "train": ("logistic", "--output", "new"),
    }[command]
    for name in [*_NO_MODELS, *_NO_TABLES, "model", ""]:
        assert str(odd / name) in _assert_refused(capsys, command, *words, "--data", odd / name)


@pytest.mark.parametrize("part", ["images-idx3", "labels-idx1"])
def test_a_folder_with_a_bad_file_is_refused(
    capsys: Capture, odd: Path, tmp_path_factory: pytest.TempPathFactory, part: str
) -> None:
    folder = tmp_path_factory.mktemp("digits")
    (folder / "train-images-idx3-ubyte").write_bytes(idx_header(40, 28, 28) + bytes(40 * 784))
    (folder / "train-labels-idx1-ubyte").write_bytes(idx_header(40) + bytes(40))
    for name in [*_NO_MODELS, "model"]:
        (folder / f"train-{part}-ubyte").unlink()
        (folder / f"train-{part}-ubyte").symlink_to(odd / name)
        assert str(folder) in _assert_refused(capsys, "evaluate", "logistic", "--data", folder)


def test_mnist_that_cannot_be_found_is_refused(capsys: Capture, odd: Path) -> None:
    before = _state(odd)
    for name in [*_NO_MODELS, "model"]:
        assert str(odd / name) in _assert_refused(capsys, "fetch", "--data-home", odd / name)
    for command in (["fetch"], ["reproduce"], ["compare", "--data", "mnist"]):
        assert "MNIST_MODELS_DATA" in _assert_refused(capsys, *command)
    assert _state(odd) == before


# -- places to write -------------------------------------------------------------------------------


def test_a_file_that_cannot_be_written_is_refused(capsys: Capture, odd: Path) -> None:
    """It is refused before the fits that would be lost."""
    before = _state(odd)
    commands = [("train", "network", "--output"), ("evaluate", "network", "--html")]
    for name in ("folder", "pipe", "zeros", "missing/below", "rubbish/below", "/proc/new"):
        for command in commands:
            _assert_refused(capsys, *command, odd / name)
    _assert_refused(capsys, "compare", "--html", odd / _LONG_NAME)
    assert _state(odd) == before


@pytest.mark.parametrize("option", ["--plots", "--memory"])
def test_a_folder_that_cannot_be_written_is_refused(
    capsys: Capture, odd: Path, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _state(odd)
    for name in ("model", "pipe", "zeros", "rubbish/below", "loop", "/proc/new", _LONG_NAME):
        _assert_refused(capsys, "evaluate", "network", option, odd / name)
    monkeypatch.setattr("mnist_models.fetch_mnist", load_sample_digits)
    assert str(odd / "model") in _assert_refused(capsys, "reproduce", "--plots", odd / "model")
    assert _state(odd) == before


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("evaluate logistic --data minst", "mnist"),
        ("evaluate logistic --data fashion", "fashion-mnist"),
        ("evaluate forrest", "forest"),
        ("compare --recipe acurate", "accurate"),
    ],
)
def test_a_misspelt_word_is_guessed(capsys: Capture, words: str, meant: str) -> None:
    assert f"Did you mean {meant!r}?" in _assert_refused(capsys, *words.split())


def test_a_file_that_is_no_table_is_refused(
    capsys: Capture, model_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("tables")
    np.savetxt(folder / "test.csv", np.zeros((2, 784)), "%d", ",")
    (folder / "test.txt").write_bytes((folder / "test.csv").read_bytes())
    train = ("train", "forest", "--output", "new", "--data")
    assert "mnist-models predict" in _assert_refused(capsys, *train, folder / "test.csv")
    assert "name ends in .csv" in _assert_refused(capsys, *train, folder / "test.txt")
    predict = ("predict", model_file)
    assert "CSV file" in _assert_refused(capsys, *predict, folder / "test.txt")
    np.savetxt(folder / "test.csv", np.zeros((2, 64)), "%d", ",")
    assert "2 images of 64 pixels" in _assert_refused(capsys, *predict, folder / "test.csv")


def test_a_refused_command_makes_no_folder(capsys: Capture) -> None:
    options = ("--plots", "pictures", "--memory", "run")
    _assert_refused(capsys, "compare", "--data", "nowhere", *options)
    _assert_refused(capsys, "compare", "--html", "nowhere/page", *options)


# -- words -----------------------------------------------------------------------------------------

_NO_COMMANDS = """
|compere|compare --cv|compare --cv 0|compare --cv 1|compare --cv 01|compare --cv -2
|compare --cv 2000 --models logistic|compare --cv 4000000000 --models logistic
|compare --seed -1|compare --seed ²|compare --seed 4294967296|compare --models svm|compare --models
|compare --recipe secret|compare --timeout 0|compare --timeout -1|compare --timeout 1h
|compare --timeout nan|compare --timeout inf|compare --jobs 0|compare --jobs 00|compare --jobs -5
|compare --jobs 1.5|evaluate|evaluate forrest|evaluate forest --models network
|reproduce --seed one|reproduce --data sample|train logistic|train -o new
|train logistic forest -o new|predict|predict model|inspect model model|fetch --data-home
|fetch mnist|version please
"""


def test_words_that_are_no_command_are_refused(capsys: Capture) -> None:
    for line in _NO_COMMANDS.replace("\n", "").split("|"):
        _assert_refused(capsys, *line.split())
    _assert_refused(capsys, "compare", "--cv", "9" * 5000)
    _assert_refused(capsys, "evaluate", "forest", "\x1b[2J\n")
    said = _assert_refused(capsys, "compare", "--jobs", "many")
    assert "expected a whole number from 1 up, or -1, got 'many'" in said


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("Give memory=RUN. See /memory=1/b."), "Give --memory RUN. See /memory=1/b."),
        (RuntimeError("two\nlines\x1b[2J \ud800 ±."), "two lines\\x1b[2J \\ud800 ±."),
        (RuntimeError("a" * 10**6 + "Do that."), "a" * 700 + " [...] "),
        (RuntimeError(), "RuntimeError"),
        (MemoryError(), "Out of memory. "),
    ],
)  # fmt: skip
def test_an_error_is_one_short_line(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr("mnist_models.load_sample_digits", fail)
    code, out, err = run_command(capsys, "evaluate", "logistic")
    assert (code, out) == (2, "")
    assert err.startswith(f"mnist-models: {said}")
    assert err.count("\n") == 1
    assert len(err) < 1200


_COMMANDS = [
    "compare", "evaluate", "reproduce", "fetch", "train", "predict", "inspect", "version",
]  # fmt: skip
_VALUES = [
    "--models", "--cv", "--jobs", "--timeout", "--memory", "--data", "--recipe", "--seed", "--json",
    "--plots", "--html", "--data-home", "--output", "-o", "-h", "--help", "--", "logistic",
    "forest", "network", "sample", "mnist", "classic", "accurate", "0", "1", "2", "-1", "1e9",
    "nan", "--cv=3", "--json=", "-ox", "@words", ".", "..", "~", "new", "model", "images.npy",
    *_COMMANDS,
]  # fmt: skip
# Any character, surrogates and what moves a cursor among them; no path leads out of the folder.
_odd_text = st.text(st.characters(exclude_categories=(), exclude_characters="/"), max_size=12)
_harmful = st.sampled_from(["\x1b[2J", "a\nb", "a\rb", "\0", "\ud800", "%s", "%(prog)s", "{}", ""])
_word = st.sampled_from(_VALUES) | _harmful | _odd_text


def _answer(words: list[str]) -> tuple[int, str, str]:
    """As a process would have it: standard output and standard error are UTF-8 files."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace")
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(words)
        except SystemExit as stop:
            code = int(stop.code or 0)
    out.seek(0)
    err.seek(0)
    return code, out.read(), err.read()


@pytest.fixture(scope="module")
def files(odd: Path) -> dict[str, bytes]:
    """A model and two images: what predict and inspect could do something with."""
    return {name: (odd / name).read_bytes() for name in ("model", "images.npy")}


@settings(max_examples=60, deadline=None)
@example(["predict", "model", "images.npy", "--json"])
@example(["inspect", "\0"])
@example(["compare", "a\nb", "\x1b[31m"])
@given(
    st.builds(
        lambda word, more: [word, *more],
        st.sampled_from(_COMMANDS) | _word,
        st.lists(_word, max_size=8),
    )
)
def test_any_words_are_answered_or_refused(files: dict[str, bytes], words: list[str]) -> None:
    if words[0] in ("compare", "evaluate", "train"):
        words = [*words, "--data", "no-such-folder"]  # the last one counts: nothing is fitted
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            Path(folder, name).write_bytes(content)
        os.chdir(folder)
        try:
            code, out, err = _answer(words)
        finally:
            os.chdir(before)
        assert {path.name: path.read_bytes() for path in Path(folder).iterdir()} == files
    if code == 0:
        assert (bool(out), err) == (True, "")
    else:
        assert (code, out) == (2, "")
        assert err.startswith("mnist-models: ")
        assert err.endswith("\n")
        assert err[:-1].isprintable()  # so it is one line
