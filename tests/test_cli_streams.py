"""Standard output and standard error as a shell may hand them over: closed, full, unread."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mnist_models import load_sample_digits

# How the shell hands a stream over, and nobody reads it.
_UNREAD = {"closed": "{}>&-", "full": "{}>/dev/full", "unread": "{}>&3"}


def _run(words: list[str], stream: int, kind: str) -> tuple[int, str, str]:
    """The exit code, and what came on standard output and standard error."""
    redirected = _UNREAD[kind].format(stream)
    # unbuffered, argparse would meet the error first, and keeps it to itself
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    reader, writer = os.pipe()
    os.close(reader)
    command = ["sh", "-c", f'exec "$@" {redirected} 3>&-', "sh", sys.executable, "-m"]
    done = subprocess.run(
        [*command, "mnist_models", *words],
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
@pytest.mark.parametrize("words", [["version"], ["--help"], ["inspect"]], ids=" ".join)
def test_output_that_nobody_reads(words: list[str], kind: str, model_file: Path) -> None:
    if words == ["inspect"]:
        words = ["inspect", str(model_file)]
    full = "mnist-models: No space left on device. Make room, or name another place.\n"
    code, said = {"closed": (0, ""), "full": (2, full), "unread": (141, "")}[kind]
    assert _run(words, 1, kind) == (code, "", said)


@pytest.mark.parametrize("kind", _UNREAD)
def test_errors_that_nobody_reads(kind: str) -> None:
    """They do not turn up on standard output, and the exit code tells."""
    assert _run(["inspect", "/nowhere/model"], 2, kind) == (2, "", "")
    assert _run(["no-command"], 2, kind) == (2, "", "")


def test_a_closed_pipe_is_no_traceback(model_file: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "many.npy", np.tile(load_sample_digits().data, (20, 1)))
    command = f"{sys.executable} -m mnist_models predict {model_file} {tmp_path}/many.npy --json"
    done = subprocess.run(
        f"{command} | head -c 100", shell=True, capture_output=True, text=True, timeout=120
    )
    assert done.stderr == ""


@pytest.mark.slow
@pytest.mark.parametrize("options", [("--json",), ()])
def test_a_closed_pipe_costs_no_page(
    options: tuple[str, ...], idx_folder: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    words = ["evaluate", "logistic", "--data", str(idx_folder), "--cv", "2", "--html", str(page)]
    command = [sys.executable, "-m", "mnist_models", *words, *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert process.returncode == 141
    assert page.is_file()


def test_output_goes_where_no_accents_go(idx_folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mnist_models", "evaluate", "logistic", "--data", str(idx_folder)],
        capture_output=True,
        timeout=120,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert (done.returncode, done.stderr) == (0, b"")
