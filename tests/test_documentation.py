"""What the README and the pages of the documentation say is true: code, commands, links."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import matplotlib
import pytest

from docs.make_extras import make_notebook
from tests.commands import run_command
from tests.run_page import python_blocks

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
_MADE = {"_build", "_made", "api", "gallery"}  # by Sphinx
PAGES = {
    str(path.relative_to(ROOT)): path
    for path in [README, *sorted((ROOT / "docs").rglob("*.md"))]
    if not _MADE & set(path.relative_to(ROOT / "docs" if path != README else ROOT).parts)
}
# What must have been printed, at least.
PRINTED = {
    "README.md": ["Confusion matrix"],
    "docs/data.md": ["MNIST was expected in one of these folders", "images-idx3-ubyte"],
    "docs/index.md": ["[7]"],
    "docs/exercises.md": ["of 30 found"],
    "docs/input.md": ["X has 784 masked values"],
    "docs/kaggle.md": ["bad.csv is no table of pixels: in line 3", "0.5"],
    "docs/keras-arrays.md": ["pass target.argmax(axis=1)"],
    "docs/onnx.md": ["network: probabilities differ by at most"],
    "docs/other-tools.md": ["logistic is better than network by"],
    "docs/running.md": ["logistic, fold 1: finished (1 of 6 fits done"],
    "docs/saving.md": ["cut.model", "SHA-256"],
}

# What must hold afterwards.
AFTERWARDS = {
    "README.md": """
from pathlib import Path
assert Path("confusion-matrix.png").stat().st_size > 10_000
""",
    "docs/data.md": "assert set(scans.target) == set(range(10))",
    "docs/kaggle.md": """
from pathlib import Path
assert Path("submission.csv").read_text(encoding="utf-8").startswith("ImageId,Label\\n1,")
assert (rows[:, 1] == y_new).mean() > 0.95
""",
    "docs/input.md": "assert weighted['logistic'].accuracy > 0.8",
    "docs/running.md": "assert best.predict(X).shape == y.shape",
    "docs/other-tools.md": """
from pathlib import Path
assert matrix.to_numpy().sum() == len(y_test)
assert report.loc["macro avg", "support"] == len(y_test)
assert len(history) == 5
client = mlflow.MlflowClient()
runs = client.search_runs([client.get_experiment_by_name("digits").experiment_id])
logged = {run.info.run_name: run for run in runs}
assert set(logged) == set(comparison)
for name, evaluation in comparison.items():
    entries, run = evaluation.to_mlflow(), logged[name]
    assert entries["metrics"].items() <= run.data.metrics.items()
    assert entries["params"] == run.data.params
    assert entries["tags"].items() <= run.data.tags.items()
    folder = Path(run.info.artifact_uri.removeprefix("file:"))
    assert (folder / "evaluation.md").read_text(encoding="utf-8") == evaluation.to_markdown()
losses = client.get_metric_history(logged["network"].info.run_id, "history/loss")
assert [loss.value for loss in losses] == history["loss"].tolist()
assert skored.metrics.accuracy().loc["Accuracy", ("mean", "logistic")] > 0.8
""",
}


# Errors, but for what Keras's export to ONNX says of NumPy.
_WARNINGS = ["-W", "error", "-W", "ignore::FutureWarning:keras.src.export.tf2onnx_lib"]

TUTORIAL = PAGES["docs/tutorial.md"]
WITH_PYTHON = [
    name
    for name, page in PAGES.items()
    if any(wanted for _, wanted in python_blocks(page)) and page != TUTORIAL
]


@pytest.mark.slow
@pytest.mark.parametrize("name", WITH_PYTHON)
def test_the_python_runs(name: str, tmp_path: Path) -> None:
    """In a process of its own: what a page loads and sets stays there."""
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "MPLBACKEND": "agg",
        "MPLCONFIGDIR": matplotlib.get_cachedir(),  # fonts need not be looked for again
        "XDG_CACHE_HOME": str(tmp_path / "cache"),  # where no MNIST is
        "MLFLOW_TRACKING_URI": (tmp_path / "runs").as_uri(),
        "MLFLOW_ALLOW_FILE_STORE": "true",  # a database needs what mlflow-skinny leaves out
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    environment.pop("MNIST_MODELS_DATA", None)
    if name in ("README.md", "docs/index.md"):  # which are read in a checkout
        shutil.copytree(ROOT / "docs" / "images", tmp_path / "docs" / "images")
    last = AFTERWARDS.get(name, "")
    done = subprocess.run(
        [sys.executable, *_WARNINGS, "-m", "tests.run_page", str(PAGES[name]), last],
        capture_output=True,
        text=True,
        timeout=1200,
        cwd=tmp_path,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    for words in PRINTED.get(name, []):
        assert words in done.stdout


@pytest.mark.slow
def test_the_tutorial_runs_as_a_notebook_and_prints_no_noise(tmp_path: Path) -> None:
    import nbformat
    from nbclient import NotebookClient

    page = TUTORIAL.read_text(encoding="utf-8")
    notebook = nbformat.reads(make_notebook(page), as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources=resources).execute()
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    outputs = [output for cell in cells for output in cell.outputs]
    printed = "".join(output.get("text", "") for output in outputs)
    shown = re.findall(r"^(?:accuracy: |test accuracy: |forest  |logistic  ).*$", page, re.M)
    assert len(shown) == 4
    for line in ["Confusion matrix", "pixels 0.9722, strokes 0.9972", *shown]:
        assert line in printed
    assert [output for output in outputs if output.get("name") == "stderr"] == []


_FIT = """
import warnings
warnings.simplefilter("error")
from mnist_models import load_sample_digits, make_model
X, _, y, _ = load_sample_digits().sample(300, random_state=0).split()
make_model("network", random_state=0, epochs=1).fit(X, y)
make_model("forest", random_state=0, recipe="accurate", n_estimators=2).fit(X, y)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="other systems know home folders by other names")
def test_a_home_folder_that_cannot_be_written_goes_unnoticed() -> None:
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


def _commands() -> list[tuple[str, str]]:
    """(page, line) of every line of every block that calls mnist-models."""
    found = []
    for name, page in PAGES.items():
        text = page.read_text(encoding="utf-8")
        for block in re.findall(r"^```(?:bash|text)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
            found += [(name, line) for line in block.splitlines() if line.startswith("mnist-model")]
    return found


def test_every_command_and_option_exists(capsys: pytest.CaptureFixture[str]) -> None:
    commands = _commands()
    assert len(commands) > 10
    for page, line in commands:
        program, command, *words = shlex.split(line.split("  ")[0])  # then comes a comment
        assert program == "mnist-models", (page, line)
        code, help_text, _ = run_command(capsys, command, "--help")
        assert code == 0, (page, line)
        for word in words:
            assert not word.startswith("-") or word in help_text, (page, line)


def test_every_command_is_in_the_table_of_its_page(capsys: pytest.CaptureFixture[str]) -> None:
    _, help_text, _ = run_command(capsys, "--help")
    commands = re.findall(r"^    (\w+)", help_text, re.MULTILINE)
    assert len(commands) == 9
    text = PAGES["docs/cli.md"].read_text(encoding="utf-8")
    for command in commands:
        assert f"| `{command}` |" in text


def test_the_readme_has_two_commands_and_twelve_lines_of_python() -> None:
    text = README.read_text(encoding="utf-8")
    first, second = re.findall(r"^```bash\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert first.strip().endswith("mnist-models compare")
    assert second.strip().endswith("pytest")
    ((code, _),) = python_blocks(README)
    assert len([line for line in code.splitlines() if line]) <= 12


@pytest.mark.parametrize("name", PAGES)
def test_a_page_compiles_and_links_to_files_that_are_there(name: str) -> None:
    text = PAGES[name].read_text(encoding="utf-8")
    for code, _ in python_blocks(PAGES[name]):
        compile(code, name, "exec")
    for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        path = PAGES[name].parent / link
        if path.parent.name == "gallery":  # made of docs/examples/*.py
            path = ROOT / "docs" / "examples" / path.with_suffix(".py").name
            if path.stem == "index":
                path = path.with_name("GALLERY_HEADER.rst")
        assert path.is_file(), link
    assert not re.search(r"^%", text, re.MULTILINE)  # MyST takes it for a comment
