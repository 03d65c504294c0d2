"""Where a model cannot be saved, the older file stays as it was, and nothing is left beside it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# Save a model, make the folder as it is to be, save one again; tell what came of it.
_SAVE = """
import contextlib, io, json, os, subprocess, sys
from pathlib import Path
import numpy as np
from mnist_models import LogisticRegression, load_model, save_model
from mnist_models.cli import main

folder, kind = Path(sys.argv[1]), sys.argv[2]
model = LogisticRegression().fit(np.eye(2), [0, 1])
mount = ["mount", "-t", "tmpfs", "-o"]
if kind != "permissions":
    subprocess.run([*mount, "size=64k", "tmpfs", folder], check=True)
path = folder / "model"
save_model(model, path)
if kind == "full":
    with contextlib.suppress(OSError), (folder / "others").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
if kind == "read-only":
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
if kind == "permissions":
    folder.chmod(0o555)
before = path.read_bytes()
found = {}
try:
    save_model(model, path)
except OSError as error:
    found["error"] = str(error)
with contextlib.redirect_stderr(io.StringIO()) as err, contextlib.redirect_stdout(io.StringIO()):
    found["code"] = main(["train", "logistic", "--output", str(path)])
    if kind != "full":  # there folders can be made
        main(["evaluate", "network", "--plots", str(folder / "new")])
found["said"] = err.getvalue()
found["same"] = path.read_bytes() == before
found["names"] = sorted(os.listdir(folder))
load_model(path)
print(json.dumps(found))
"""

_MOUNTS = ["unshare", "--mount"]  # what is mounted is seen by this process only
# root, but for its right to write where nobody may
_MORTAL = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-all"]


def _can_mount() -> bool:
    command = [*_MOUNTS, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return (
        shutil.which("unshare") is not None
        and subprocess.run(command, capture_output=True).returncode == 0
    )


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that can be cleared away afterwards, whatever rights it was given."""
    folder = tmp_path / "models"
    folder.mkdir()
    yield folder
    folder.chmod(0o755)


def _saved(folder: Path, kind: str) -> dict[str, Any]:
    if kind != "permissions" and not _can_mount():
        pytest.skip("needs the right to mount a file system: run as root")
    unprivileged = _MORTAL if os.getuid() == 0 else []
    before = unprivileged if kind == "permissions" else _MOUNTS
    done = subprocess.run(
        [*before, sys.executable, "-c", _SAVE, str(folder), kind],
        capture_output=True,
        text=True,
        env={**os.environ, "XDG_CACHE_HOME": str(folder)},
    )
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("permissions", "Permission denied"),
        ("read-only", "Read-only file system"),
        ("full", "No space left on device"),
    ],
)
def test_the_older_file_stays(folder: Path, kind: str, reason: str) -> None:
    found = _saved(folder, kind)
    assert f"{reason}: '{folder / 'model'}'" in found["error"]
    assert found["same"]
    assert set(found["names"]) - {"others"} == {"model"}
    assert found["code"] == 2
    for line in found["said"].splitlines():
        assert line.startswith("mnist-models: ")
        assert reason in line
        assert str(folder) in line
