"""Where a new user runs the library: in a notebook, with a home folder that cannot be written."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import mnist_models

ROOT = Path(mnist_models.__file__).parents[1]
TUTORIAL = ROOT / "docs" / "tutorial.md"
# What the page says that its code prints.
PRINTED = [
    "accuracy: 0.9652 ± 0.0103 over 5 folds, 95 % interval 0.9437 to 0.9867",
    "test accuracy: 0.9694, 95 % interval 0.9461 to 0.9829",
    "forest    0.9652 ± 0.0103  0.9694 (0.9461 to 0.9829)",
    "pixels 0.9694, strokes 0.9944",
]

pytestmark = pytest.mark.slow


def _as_notebook(page: str) -> Any:
    """A page of Markdown as a notebook: a cell for each block of Python, and what is between."""
    from nbformat import v4

    cells = []
    for number, part in enumerate(re.split(r"^```python\n(.*?)^```$", page, flags=re.M | re.S)):
        make = v4.new_code_cell if number % 2 else v4.new_markdown_cell
        cells.append(make(part.strip()))
    return v4.new_notebook(cells=cells)


@pytest.mark.skipif(not TUTORIAL.is_file(), reason="this is no checkout")
def test_the_tutorial_runs_as_a_notebook_and_leaves_no_noise(tmp_path: Path) -> None:
    from nbclient import NotebookClient

    notebook = _as_notebook(TUTORIAL.read_text(encoding="utf-8"))
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources=resources).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    outputs = [output for cell in cells for output in cell.outputs]
    text = "".join(output.get("text", "") for output in outputs)
    for words in ["Confusion matrix", *PRINTED]:
        assert words in text
    assert [output for output in outputs if output.get("name") == "stderr"] == []


_FIT = """
import warnings
warnings.simplefilter("error")
from mnist_models import load_sample_digits, make_model
X, _, y, _ = load_sample_digits().sample(300, random_state=0).split()
make_model("network", random_state=0, epochs=1).fit(X, y)
make_model("forest", random_state=0, recipe="accurate", n_estimators=2).fit(X, y)
"""


@pytest.mark.skipif(os.name != "posix", reason="other systems know home folders by other names")
def test_a_home_that_cannot_be_written_goes_unnoticed() -> None:
    chosen = {"MPLCONFIGDIR", "NUMBA_CACHE_DIR", "TF_CPP_MIN_LOG_LEVEL"}
    ours = {name: v for name, v in os.environ.items() if name not in chosen and "XDG" not in name}
    done = subprocess.run(
        [sys.executable, "-c", _FIT],
        env=ours | {"HOME": "/dev/null/home"},  # not even root can make that
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
