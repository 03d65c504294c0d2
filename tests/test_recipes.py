"""The recipes run, as they stand."""

import gc
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import mnist_models

RECIPES = Path(mnist_models.__file__).parents[1] / "docs" / "recipes.md"

_RUN_THEM = """
import re, sys
from pathlib import Path

def refuse(event, arguments):
    if event == "socket.connect":
        raise OSError(f"nothing here should connect to {arguments[1]}")

sys.addaudithook(refuse)
text = Path(sys.argv[1]).read_text(encoding="utf-8")
names = {}
for block in re.findall(r"^```python\\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
    exec(compile(block, "recipes.md", "exec"), names)

n_test = len(names["y_test"])
assert names["matrix"].to_numpy().sum() == n_test
assert names["report"].loc["macro avg", "support"] == n_test
assert len(names["history"]) == 5

client = names["mlflow"].MlflowClient()
runs = client.search_runs([client.get_experiment_by_name("digits").experiment_id])
logged = {run.info.run_name: run for run in runs}
assert set(logged) == set(names["comparison"])
for name, evaluation in names["comparison"].items():
    entries, run = evaluation.to_mlflow(), logged[name]
    assert entries["metrics"].items() <= run.data.metrics.items()
    assert entries["params"] == run.data.params
    assert entries["tags"].items() <= run.data.tags.items()
    folder = Path(run.info.artifact_uri.removeprefix("file:"))
    assert (folder / "evaluation.md").read_text(encoding="utf-8") == evaluation.to_markdown()
losses = client.get_metric_history(logged["network"].info.run_id, "history/loss")
assert [each.value for each in losses] == names["history"]["loss"].tolist()

assert names["skored"].metrics.accuracy().loc["Accuracy", ("mean", "logistic")] > 0.8
"""


@pytest.mark.slow
def test_the_recipes_run(tmp_path: Path) -> None:
    """In a process of their own: importing skore changes pyplot's state, MLflow starts threads."""
    set_for_mlflow = {
        "MLFLOW_TRACKING_URI": (tmp_path / "runs").as_uri(),
        "MLFLOW_ALLOW_FILE_STORE": "true",  # a database needs what mlflow-skinny leaves out
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _RUN_THEM, str(RECIPES)],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=RECIPES.parents[1],
        env=os.environ | set_for_mlflow | {"MPLBACKEND": "agg"},
    )
    assert done.returncode == 0, done.stderr
    assert "logistic is better than network by" in done.stdout


def test_every_recipe_is_python() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", RECIPES.read_text(), re.DOTALL | re.MULTILINE)
    for block in blocks:
        compile(block, "recipes.md", "exec")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_is_said_of_long_runs_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    from distributed import Client, LocalCluster

    text = (RECIPES.parent / "running.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 8
    monkeypatch.chdir(tmp_path)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster),
    ):
        names: dict[str, Any] = {}
        for block in blocks:
            if "parallel_config" in block:
                continue  # which hangs, now and then, as it says
            address = str(cluster.scheduler_address)
            exec(
                compile(block.replace("tcp://scheduler:8786", address), "running.md", "exec"), names
            )
        names["client"].close()
    gc.collect()  # what distributed left open: here, where nobody minds
    assert names["best"].predict(names["X"]).shape == names["y"].shape
    assert "logistic, fold 1: finished (1 of 6 fits done" in capsys.readouterr().out
