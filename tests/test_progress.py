"""How far a run is: what is told, and where it is shown."""

import io
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from sklearn.dummy import DummyClassifier

from mnist_models import Step, compare, evaluate

from .misbehaving import Misbehaving, numbered_rows


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _lines(stream: io.StringIO) -> list[str]:
    """All lines that were shown at some time, without the codes that place and colour them."""
    return re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue()))


@pytest.mark.parametrize(
    ("stream", "progress", "shown"),
    [
        (_Terminal, None, "a display"),
        (_Terminal, True, "a display"),
        (_Terminal, False, "nothing"),
        (io.StringIO, None, "nothing"),
        (io.StringIO, False, "nothing"),
        (io.StringIO, True, "lines"),
        (lambda: None, True, "nothing"),
    ],
)
def test_a_display_on_a_terminal_and_no_codes_elsewhere(
    stream: Any, progress: bool | None, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stderr = stream()
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setenv("TERM", "xterm")
    for variable in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):  # rich obeys them
        monkeypatch.setenv(variable, "1")
    evaluate(DummyClassifier(), *numbered_rows(), progress=progress)
    text = stderr.getvalue() if stderr else ""
    assert ("\x1b" in text) == (shown == "a display")
    assert ("5 of 5" in text) == (shown != "nothing")
    if shown == "lines":
        assert [line.split(": ")[0] for line in text.splitlines()] == [
            f"DummyClassifier, fold {i}" for i in range(1, 6)
        ]


class Talking(DummyClassifier):
    """Prints while it is fitted."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "Talking":
        print("said by the model")
        return super().fit(X, y)


@pytest.mark.parametrize("to_file", [True, False])
def test_what_models_print_into_a_file_stays_there(
    to_file: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stdout, stderr = io.StringIO() if to_file else _Terminal(), _Terminal()
    monkeypatch.setattr(sys, "stdout", stdout)
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setenv("TERM", "xterm")
    evaluate(Talking(), *numbered_rows(), cv=2)
    assert (stdout.getvalue() == "said by the model\n" * 2) is to_file
    assert ("said by the model" in stderr.getvalue()) is not to_file  # above the display


@pytest.mark.parametrize("columns", [40, 80])
def test_a_fit_has_one_line_and_numbers_their_room(
    columns: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stderr = _Terminal()
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(columns))
    name = "a model of a rather long name [red]"
    # naps, so that the display is drawn meanwhile
    compare(
        {"short": DummyClassifier(), name: Misbehaving("nap", tmp_path)}, *numbered_rows(), cv=2
    )
    lines = _lines(stderr)
    assert any(re.match("fits .*[1-4] of 4", line) for line in lines)
    assert not any("…" in line for line in lines)
    assert max(map(len, lines)) <= columns
    assert "[red]" in stderr.getvalue()


def test_a_callable_hears_of_every_fit(tmp_path: Path) -> None:
    steps: list[Step] = []
    arguments: dict[str, Any] = {"cv": 3, "memory": tmp_path / "kept", "progress": steps.append}
    evaluate(Misbehaving("nothing", tmp_path), *numbered_rows(), **arguments)
    assert [(step.what, step.part, step.done) for step in steps] == [
        (what, f"fold {fold}", fold - (what == "begun"))
        for fold in (1, 2, 3)
        for what in ("begun", "finished")
    ]
    assert steps[0].seconds_left is None
    assert steps[-1].seconds_left == 0
    steps.clear()
    evaluate(Misbehaving("nothing", tmp_path), *numbered_rows(), **arguments)
    assert [(step.what, step.done, step.total) for step in steps] == [
        ("kept", fold, 3) for fold in (1, 2, 3)
    ]
