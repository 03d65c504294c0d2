"""How far a run is: what is told, and where it is shown."""

import io
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from sklearn.dummy import DummyClassifier

from mnist_models import Step, evaluate
from mnist_models._progress import ProgressTracker, track_progress

from .misbehaving import Misbehaving, numbered_rows


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class _Task:
    """What of a task is told."""

    def __init__(self, name: str, part: str) -> None:
        self.name, self.part = name, part


def _screen(stream: io.StringIO) -> list[str]:
    """The lines as a terminal shows them last, before the display is taken away."""
    rows, at, written = [""], 0, False
    last: list[str] = []
    codes = r"(\x1b\[[0-9;?]*[A-Za-z]|\r|\n)|([^\x1b\r\n]+)"
    for code, text in re.findall(codes, stream.getvalue()):
        if code == "\n":
            at += 1
            rows += [""] * (at + 1 - len(rows))
        elif code == "\x1b[1A":
            at -= 1
        elif code == "\x1b[2K":
            last, written = (rows.copy() if written else last), False
            rows[at] = ""
        rows[at] += text
        written = written or bool(text)
    return [row.rstrip() for row in last if row]


@pytest.mark.parametrize("variable", ["FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"])
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
    stream: Any, progress: bool | None, shown: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stderr = stream()
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv(variable, "1")
    evaluate(DummyClassifier(), *numbered_rows(), progress=progress)
    text = stderr.getvalue() if stderr else ""
    assert ("\x1b" in text) == (shown == "a display")
    assert ("5 of 5" in text) == (shown != "nothing")
    if shown == "lines":
        assert [line.split(": ")[0] for line in text.splitlines()] == [
            f"DummyClassifier, fold {i}" for i in range(1, 6)
        ]


@pytest.mark.parametrize("to_file", [True, False])
def test_what_models_print_into_a_file_stays_there(
    to_file: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stdout, stderr = io.StringIO() if to_file else _Terminal(), _Terminal()
    monkeypatch.setattr(sys, "stdout", stdout)
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setenv("TERM", "xterm")
    with track_progress(None, ["model"]):
        print("of the model's own")
    assert (stdout.getvalue() == "of the model's own\n") is to_file
    assert ("of the model's own" in stderr.getvalue()) is not to_file  # above the display


@pytest.mark.parametrize("columns", [40, 80])
def test_a_fit_that_is_tried_again_has_one_line_and_numbers_their_room(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    stderr = _Terminal()
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(columns))
    one, two = _Task("a model of a rather long name [red]", "fold 1"), _Task("short", "fold 2")
    with track_progress(None, ["short", one.name, "short"]) as notify:
        notify("begun", one)
        notify("begun", two)
        notify("epoch", two, 3, 20)
        notify("retried", two)
        notify("begun", two)
        notify("finished", _Task("short", "fold 1"))
        notify("epoch", one, 12, 20)
        notify("epoch", _Task("late", "fold 9"), 1, 2)  # word of a fit that is over
    lines = _screen(stderr)
    assert sum("short, fold 2" in line for line in lines) == 1
    assert any(re.match("short, fold 2 .*tried again", line) for line in lines)
    assert any("epoch 12 of 20" in line for line in lines)
    assert any(re.match("fits .*1 of 3", line) for line in lines)
    assert "[red]" in " ".join(lines)
    assert not any("late" in line or "…" in line for line in lines)
    assert max(map(len, lines)) <= columns


@pytest.mark.slow
def test_a_fit_tried_again_is_told_and_counted_once(tmp_path: Path) -> None:
    steps: list[Step] = []
    X, y = numbered_rows()
    evaluate(Misbehaving("die", tmp_path, times=1), X, y, cv=3, n_jobs=2, progress=steps.append)
    assert [step.done for step in steps if step.what == "finished"] == [1, 2, 3]
    (retried,) = [step for step in steps if step.what == "retried"]
    assert steps.index(retried) < [(step.what, step.part) for step in steps].index(
        ("finished", retried.part)
    )


def test_whatever_happens_only_ends_are_counted() -> None:
    steps: list[Step] = []
    notify = ProgressTracker(steps.append, ["model"] * 4)
    for i, what in enumerate(("kept", "finished", "lost", "finished")):
        task = _Task("model", f"fold {i}")
        if what != "kept":
            notify("begun", task)
            notify("epoch", task, 1, 2)
        if what == "lost":
            notify("retried", task)
            notify("begun", task)
        notify(what, task)
    assert [(step.what, step.done) for step in steps if step.what not in ("begun", "epoch")] == [
        ("kept", 1),
        ("finished", 2),
        ("retried", 2),
        ("lost", 3),
        ("finished", 4),
    ]
    assert steps[-1].seconds_left == 0
