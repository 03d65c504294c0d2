"""How a command ends: by Ctrl-C, or with standard streams that are closed, full or not read."""

import io
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from .commands import run_command

Capture = pytest.CaptureFixture[str]

_COMMAND = [sys.executable, "-m", "mnist_models"]
_LINE = "mnist-models: interrupted\n"


# -- Ctrl-C ----------------------------------------------------------------------------------------


def _interrupted_after(library: str, seconds: float, *words: str) -> tuple[int, str, str]:
    """A command whose process group gets Ctrl-C some time after it began to load a library."""
    process = subprocess.Popen(
        [*_COMMAND, *words],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    maps = Path(f"/proc/{process.pid}/maps")
    while library not in maps.read_text():
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@pytest.mark.parametrize("library", ["numpy", "tensorflow"])
def test_ctrl_c_while_libraries_are_loaded_is_no_traceback(library: str) -> None:
    assert _interrupted_after(library, 0.3, "compare", "--cv", "100") == (130, "", _LINE)


@pytest.mark.slow
@pytest.mark.parametrize("attempt", range(3))
def test_ctrl_c_at_any_instant_is_no_traceback(attempt: int) -> None:
    seconds = random.uniform(0, 15)
    words = ("compare", "--cv", "100", *(["--jobs", "2"] if attempt else []))
    assert _interrupted_after("numpy", seconds, *words) == (130, "", _LINE), seconds


def _interrupt(*_: Any, **__: Any) -> Any:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(1)  # it comes before
    pytest.fail("the signal did not come")


@pytest.mark.parametrize("where", ["mnist_models.make_model", "os.fsync"])
def test_ctrl_c_leaves_the_file_as_it_was(
    capsys: Capture, tmp_path: Path, idx_folder: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    (tmp_path / "old").write_bytes(b"old")
    words = ("train", "forest", "--data", idx_folder, "--output", tmp_path / "old")
    monkeypatch.setattr(where, _interrupt)
    # whoever starts tests in the background may have told them to ignore it
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert run_command(capsys, *words) == (130, "", _LINE)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"old": b"old"}


def test_ctrl_c_says_how_to_go_on(
    capsys: Capture, tmp_path: Path, idx_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mnist_models.compare", _interrupt)
    words = ("evaluate", "forest", "--data", idx_folder, "--memory", tmp_path)
    said = f"mnist-models: interrupted; the same command goes on from {tmp_path}\n"
    assert run_command(capsys, *words) == (130, "", said)


_STUBBORN = """
import sys, time
from mnist_models import cli

def stubborn(options):
    while True:
        try:
            print("ready", flush=True)
            time.sleep(60)
        except KeyboardInterrupt:
            pass  # as a destructor or native code would have it

cli._version = stubborn
sys.exit(cli.main(["version"]))
"""


def test_a_second_ctrl_c_is_obeyed_where_the_first_was_lost() -> None:
    command = [sys.executable, "-c", _STUBBORN]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for _ in range(2):
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, _LINE)


# -- streams ---------------------------------------------------------------------------------------

# How the shell hands a stream over, and nobody reads it.
_UNREAD = {"closed": "{}>&-", "full": "{}>/dev/full", "unread": "{}>&3"}


def _run(words: list[str], stream: int, kind: str) -> tuple[int, str, str]:
    """The exit code, and what came on standard output and standard error."""
    redirected = _UNREAD[kind].format(stream)
    # unbuffered, argparse would meet the error first, and keeps it to itself
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirected} 3>&-', "sh", *_COMMAND, *words],
        capture_output=True,
        text=True,
        timeout=300,
        env=environment,
        preexec_fn=lambda: os.dup2(writer, 3),
        close_fds=False,
    )
    os.close(writer)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("kind", _UNREAD)
def test_streams_that_nobody_reads(kind: str) -> None:
    """An error does not turn up on standard output, and the exit code tells."""
    full = "mnist-models: No space left on device.\n"
    code, said = {"closed": (0, ""), "full": (2, full), "unread": (141, "")}[kind]
    assert _run(["version"], 1, kind) == (code, "", said)
    assert _run(["--help"], 1, kind) == (code, "", said)
    assert _run(["no-command"], 2, kind) == (2, "", "")


@pytest.mark.slow
def test_a_closed_pipe_does_not_lose_the_page(idx_folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    words = ["evaluate", "logistic", "--data", str(idx_folder), "--cv", "2", "--html", str(page)]
    assert _run(words, 1, "unread") == (141, "", "")
    assert page.is_file()


def test_output_to_a_terminal_without_accents(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture, idx_folder: Path
) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        words = ("evaluate", "logistic", "--data", idx_folder, "--cv", 2)
        assert run_command(capsys, *words) == (0, "", "")
    out.seek(0)
    assert "accuracy: 0." in out.read()
