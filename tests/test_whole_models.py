"""A model is saved whole or not at all: killed, failing, full disk, two at once."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sklearn.neighbors import KNeighborsClassifier

from mnist_models import (
    LogisticRegression,
    save_model,
)


def test_a_failing_save_leaves_the_old_file(table: tuple[Any, Any], tmp_path: Path) -> None:
    X, y = table
    path = tmp_path / "model"
    save_model(LogisticRegression().fit(X, y), path)
    before = path.read_bytes()
    with pytest.raises(TypeError):
        save_model(KNeighborsClassifier().fit(X, y), path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["model"]


_TWO_MODELS = """
import os, signal, sys, time
from pathlib import Path
import numpy as np
from mnist_models import RandomForestClassifier, load_model, save_model
path, rng = Path(sys.argv[1]), np.random.default_rng(0)
X, y = rng.random((2000, 9)), np.arange(2000) % 7
models = [RandomForestClassifier(10, random_state=seed).fit(X, y) for seed in (0, 1)]
contents = []
for model in models:
    save_model(model, path)
    contents.append(path.read_bytes())
assert len(set(contents)) == 2

def saving(models):
    child = os.fork()
    while not child:
        for model in models:
            save_model(model, path)
    return child
"""

_KILL = (
    _TWO_MODELS
    + """
for delay in rng.uniform(0, 0.06, 50):
    child = saving(models)
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert path.read_bytes() in contents
load_model(path)
"""
)


def test_kill_9_at_fifty_instants_of_saving_leaves_a_good_file(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _KILL, str(tmp_path / "model")], stderr=subprocess.PIPE, text=True
    )
    assert done.returncode == 0, done.stderr


_AT_ONCE = (
    _TWO_MODELS
    + """
children, found = [saving([model]) for model in models], []
try:
    while len(found) < 500 or len(set(found)) < 2:
        content = path.read_bytes()
        assert content in contents
        found.append(content)
finally:
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
"""
)


def test_two_processes_save_to_one_path_and_a_third_reads_whole_files(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _AT_ONCE, str(tmp_path / "model")],
        stderr=subprocess.PIPE,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr


_FULL = """
import resource, sys
import numpy as np
from mnist_models import LogisticRegression, load_model, save_model
model = LogisticRegression().fit(np.eye(2, 5000), [0, 1])
save_model(model, sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    save_model(model, sys.argv[1])
except OSError as error:
    print(error)
load_model(sys.argv[1])
"""


def test_a_disk_that_is_full_leaves_the_old_file(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FULL, str(tmp_path / "model")], capture_output=True, text=True
    )
    said = f"[Errno 27] File too large: '{tmp_path / 'model'}'\n"
    assert (done.stdout, done.stderr) == (said, "")
    assert [each.name for each in tmp_path.iterdir()] == ["model"]
