"""How a command ends that is interrupted, or loses fits."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from .commands import run_command
from .misbehaving import Misbehaving

Capture = pytest.CaptureFixture[str]


def _wait_for_tensorflow(pid: int) -> None:
    """Until it is loaded, by when the command is well under way."""
    maps = Path(f"/proc/{pid}/maps")
    deadline = time.monotonic() + 120
    while "tensorflow" not in maps.read_text() and time.monotonic() < deadline:
        time.sleep(0.2)
    time.sleep(5)


def test_ctrl_c_is_exit_code_130_and_no_traceback() -> None:
    command = [sys.executable, "-m", "mnist_models", "compare", "--data", "sample", "--cv", "100"]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    _wait_for_tensorflow(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err == "mnist-models: interrupted\n"


def test_ctrl_c_while_libraries_are_loaded_is_no_traceback() -> None:
    command = [sys.executable, "-m", "mnist_models", "version"]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    maps = Path(f"/proc/{process.pid}/maps")
    while "numpy" not in maps.read_text():  # the first of them
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, "", "mnist-models: interrupted\n")


def _interrupt(*_: Any, **__: Any) -> Any:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(1)  # it comes before
    pytest.fail("the signal did not come")


@pytest.mark.parametrize(
    "where", ["_options._parser", "_commands.load_data", "_commands.make_model", "_files.os.fsync"]
)
def test_ctrl_c_at_any_moment_leaves_the_file_as_it_was(
    capsys: Capture, tmp_path: Path, idx_folder: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    (tmp_path / "old").write_bytes(b"old")
    words = ("train", "forest", "--data", idx_folder, "--output", tmp_path / "old")
    monkeypatch.setattr(f"mnist_models.{where}", _interrupt)
    # whoever starts tests in the background may have told them to ignore it
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert run_command(capsys, *words) == (130, "", "mnist-models: interrupted\n")
    finally:
        signal.signal(signal.SIGINT, before)
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == {"old": b"old"}


@pytest.mark.slow
def test_ctrl_c_tells_how_to_go_on_and_the_same_command_does(
    tmp_path: Path, idx_folder: Path
) -> None:
    command = [
        sys.executable,
        "-m",
        "mnist_models",
        "evaluate",
        "forest",
        "--data",
        str(idx_folder),
    ]
    command += ["--cv", "20", "--jobs", "2", "--checkpoint", str(tmp_path / "run")]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    while not list(tmp_path.glob("run/fit-*")):  # the first is finished
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    last = err.splitlines()[-1]
    assert last == f"mnist-models: interrupted; the same command goes on from {tmp_path / 'run'}"
    finished = {path: path.stat().st_mtime_ns for path in tmp_path.glob("run/fit-*")}
    assert 0 < len(finished) < 21
    again = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert again.returncode == 0, again.stderr
    assert "over 20 folds" in again.stdout
    for path, time_ns in finished.items():
        assert path.stat().st_mtime_ns == time_ns


@pytest.mark.slow
def test_fits_that_are_lost_cost_no_others(
    capsys: Capture, idx_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(name: str, **_: Any) -> Misbehaving:
        return Misbehaving("die" if name == "network" else "nothing", tmp_path, victim=999)

    monkeypatch.setattr("mnist_models._commands.make_model", make)
    words = ("--data", idx_folder, "--cv", 2, "--jobs", 2, "--html", tmp_path / "page.html")
    code, out, err = run_command(capsys, "compare", "--models", "logistic", "network", *words)
    assert (code, err.count("\n")) == (3, 1)
    assert err.startswith("mnist-models: 3 of 6 fits were lost. network, ")
    assert "Give --checkpoint FOLDER, so that" in err
    assert "\nlogistic " in out
    assert "network" not in out
    assert (tmp_path / "page.html").is_file()
    code, out, _ = run_command(
        capsys, "evaluate", "network", "--data", idx_folder, "--cv", 2, "--jobs", 2
    )
    assert (code, out) == (3, "")


@pytest.mark.slow
def test_a_fit_that_takes_too_long_is_given_up(
    capsys: Capture, idx_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs = Misbehaving("hang", tmp_path, victim=999)
    monkeypatch.setattr("mnist_models._commands.make_model", lambda name, **_: hangs)
    words = ("--data", idx_folder, "--cv", 2, "--jobs", 3, "--timeout", 0.5)
    code, out, err = run_command(capsys, "evaluate", "logistic", *words)
    assert (code, out) == (3, "")
    assert err.count("did not end within --timeout 0.5 seconds") == 3


_STUBBORN = """
import sys, time
from mnist_models import _commands, cli

def stubborn(options):
    print("ready", flush=True)
    while True:
        try:
            time.sleep(0.1)
        except KeyboardInterrupt:
            pass  # as a destructor or native code would have it

_commands.run_version = _commands.run_compare = stubborn
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["version"], "mnist-models: interrupted\n"),
        (
            ["compare", "--checkpoint", "run"],
            "mnist-models: interrupted; the same command goes on from run\n",
        ),
    ],
)
def test_ctrl_c_is_obeyed_even_where_the_exception_is_lost(words: list[str], said: str) -> None:
    command = [sys.executable, "-c", _STUBBORN, *words]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, said)


def test_a_command_leaves_the_signal_handler_as_it_was(capsys: Capture) -> None:
    before = signal.getsignal(signal.SIGINT)
    run_command(capsys, "version")
    assert signal.getsignal(signal.SIGINT) is before
