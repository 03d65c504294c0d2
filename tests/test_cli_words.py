"""Whatever words stand behind ``mnist-models``, it answers, or refuses them in one line."""

import contextlib
import io
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mnist_models import load_sample_digits
from mnist_models.cli import main

_COMMANDS = [
    "compare", "evaluate", "reproduce", "fetch", "train", "predict", "inspect", "version",
]  # fmt: skip
_OPTIONS = [
    "--models", "--cv", "--jobs", "--timeout", "--checkpoint", "--data", "--recipe", "--seed",
    "--json", "--plots", "--html", "--data-home", "--output", "-o", "-h", "--help", "--",
]  # fmt: skip
_VALUES = [
    "logistic", "forest", "network", "sample", "mnist", "report", "accurate", "0", "1", "2", "-1",
    "1e9", "nan", "--cv=3", "--json=", "-ox", "@words", ".", "..", "~", "new", "model",
    "images.npy",
]  # fmt: skip
# Any character, surrogates and what moves a cursor among them; no path leads out of the folder.
_odd = st.text(st.characters(exclude_categories=(), exclude_characters="/"), max_size=12)
_harmful = st.sampled_from(["\x1b[2J", "a\nb", "a\rb", "\0", "\ud800", "%s", "%(prog)s", "{}", ""])
_word = st.sampled_from(_VALUES) | st.sampled_from(_OPTIONS) | _harmful | _odd
_words = st.builds(
    lambda command, words: [command, *words],
    st.sampled_from(_COMMANDS) | _word,
    st.lists(_word, max_size=8),
)


@pytest.fixture(scope="module")
def files(model_file: Path) -> Iterator[dict[str, bytes]]:
    """A model and two images: what predict and inspect could do something with."""
    images = io.BytesIO()
    np.save(images, load_sample_digits().images[:2])
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MNIST_MODELS_DATA", raising=False)
        patch.setenv("MNIST_MODELS_OFFLINE", "1")
        patch.setattr("mnist_models._data.mnist_cache.user_cache", lambda: Path("no-cache"))
        yield {"model": model_file.read_bytes(), "images.npy": images.getvalue()}


def _answer(words: list[str]) -> tuple[int, str, str]:
    """As a process would have it: standard output and standard error are UTF-8 files."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace")
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(words)
        except SystemExit as stop:
            code = int(stop.code or 0)
    return code, _content(out), _content(err)


def _content(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()


@settings(max_examples=150)
@example(["version"])
@example(["inspect", "model"])
@example(["predict", "model", "images.npy", "--json"])
@example(["inspect", "\0"])
@example(["compare", "a\nb", "\x1b[31m"])
@example(["compare", "--seed", "9" * 5000])
@given(_words)
def test_any_words_are_answered_or_refused(files: dict[str, bytes], words: list[str]) -> None:
    if words[:1] != [] and words[0] in ("compare", "evaluate", "train"):
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
        assert {each.name: each.read_bytes() for each in Path(folder).iterdir()} == files
    if code == 0:
        assert (bool(out), err) == (True, "")
    else:
        assert (code, out) == (2, "")
        assert err.startswith("mnist-models: ")
        assert err.endswith("\n")
        assert err[:-1].isprintable()  # so it is one line
