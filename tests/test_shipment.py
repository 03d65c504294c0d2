"""Rows in a folder for a while, and what becomes of it when the run is killed."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mnist_models._running.shipment import Shipment, scratch_folder, unpack

_KILLED = """
import os, signal
from mnist_models._running.shipment import scratch_folder
with scratch_folder() as folder:
    (folder / "rows").write_bytes(b"many")
    print(folder, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def _an_hour_ago(folder: Path) -> None:
    os.utime(folder, times=(time.time() - 3600,) * 2)


@pytest.mark.skipif(sys.platform == "win32", reason="kills as POSIX does")
def test_the_next_run_clears_what_a_killed_one_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", _KILLED],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    left = Path(done.stdout.strip())
    assert (left / "rows").is_file(), done.stderr
    strange = tmp_path / "mnist_models-of-another-machine-x"
    strange.mkdir()
    with scratch_folder() as living:
        _an_hour_ago(living)
        _an_hour_ago(left)
        _an_hour_ago(strange)
        with scratch_folder():
            assert not left.exists()
            assert living.is_dir()
            assert strange.is_dir()
    assert list(tmp_path.iterdir()) == [strange]


def test_a_worker_that_cannot_see_the_rows_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="set TMPDIR to a folder that all workers share"):
        unpack(Shipment("of another machine", tmp_path / "rows"))
