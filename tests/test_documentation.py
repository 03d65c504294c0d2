"""What the README and the pages of the documentation say, works."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import matplotlib
import pytest

from mnist_models._options import _parser
from tests.run_page import python_blocks

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
# What Sphinx makes there is no page of ours.
_MADE = {"_build", "_made", "api", "gallery"}
PAGES = {
    str(path.relative_to(ROOT)): path
    for path in [README, *sorted((ROOT / "docs").rglob("*.md"))]
    if not _MADE & set(path.relative_to(ROOT / "docs" if path != README else ROOT).parts)
}
# What must have been printed, at least.
PRINTED = {
    "README.md": ["Confusion matrix"],
    "docs/data.md": ["MNIST was expected in one of these folders", "images-idx3-ubyte"],
    "docs/input.md": ["X has 784 masked values"],
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
assert [each.value for each in losses] == history["loss"].tolist()
assert skored.metrics.accuracy().loc["Accuracy", ("mean", "logistic")] > 0.8
""",
}


# The tutorial runs as a notebook: tests/test_surroundings.py.
WITH_PYTHON = [
    name
    for name, page in PAGES.items()
    if any(wanted for _, wanted in python_blocks(page)) and name != "docs/tutorial.md"
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
    last = AFTERWARDS.get(name, "")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.run_page", str(PAGES[name]), last],
        capture_output=True,
        text=True,
        timeout=1200,
        cwd=tmp_path,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    for words in PRINTED.get(name, []):
        assert words in done.stdout


@pytest.mark.parametrize("name", PAGES)
def test_every_block_is_python(name: str) -> None:
    for code, _ in python_blocks(PAGES[name]):
        compile(code, name, "exec")


def _commands() -> list[tuple[str, str]]:
    """(page, line) of every line of every block that calls mnist-models."""
    found = []
    for name, page in PAGES.items():
        text = page.read_text(encoding="utf-8")
        for block in re.findall(r"^```(?:bash|text)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
            found += [(name, line) for line in block.splitlines() if line.startswith("mnist-model")]
    return found


@pytest.mark.parametrize(("name", "line"), _commands())
def test_every_command_exists(name: str, line: str) -> None:
    words = shlex.split(line.split("  ")[0])  # a comment stands two spaces behind
    assert words[0] == "mnist-models"
    assert callable(_parser().parse_args(words[1:]).run)


def test_every_command_is_told_of_on_its_page() -> None:
    shown = {shlex.split(line)[1] for name, line in _commands() if name == "docs/cli.md"}
    commands = next(each for each in _parser()._actions if each.choices).choices
    assert commands is not None
    text = PAGES["docs/cli.md"].read_text(encoding="utf-8")
    assert shown <= set(commands)
    for command in commands:
        assert f"| `{command}` |" in text


def test_there_are_two_commands_to_set_up() -> None:
    text = README.read_text(encoding="utf-8")
    first, second = re.findall(r"^```bash\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert first.strip().endswith("mnist-models compare")
    assert second.strip().endswith("pytest")


def test_the_python_of_the_readme_is_twelve_lines() -> None:
    ((code, _),) = python_blocks(README)
    assert len([line for line in code.splitlines() if line]) <= 12


@pytest.mark.parametrize("name", PAGES)
def test_the_files_it_links_to_are_there(name: str) -> None:
    text = PAGES[name].read_text(encoding="utf-8")
    for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        path = PAGES[name].parent / link
        if path.parent.name == "gallery":  # made of docs/examples/*.py
            path = ROOT / "docs" / "examples" / path.with_suffix(".py").name
            if path.stem == "index":
                path = path.with_name("GALLERY_HEADER.rst")
        assert path.is_file(), link


@pytest.mark.parametrize("name", PAGES)
def test_no_line_is_taken_for_a_comment(name: str) -> None:
    """MyST leaves out a line that begins with a percent sign."""
    assert not re.search(r"^%", PAGES[name].read_text(encoding="utf-8"), re.MULTILINE)
