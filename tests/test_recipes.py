"""The recipes run: those for pandas here, that for skore in test_other_tools."""

import gc
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import mnist_models

RECIPES = Path(mnist_models.__file__).parents[1] / "docs" / "recipes.md"


def test_the_recipes_run(capsys: Any) -> None:
    text = RECIPES.read_text(encoding="utf-8")
    before_other_tools, _ = text.split("## MLflow")
    blocks = re.findall(r"^```python\n(.*?)^```$", before_other_tools, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 4
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "recipes.md", "exec"), names)
    assert "logistic is better than network by" in capsys.readouterr().out
    assert names["matrix"].to_numpy().sum() == len(names["y_test"])
    assert names["report"].loc["macro avg", "support"] == len(names["y_test"])
    assert isinstance(names["history"], pd.DataFrame)
    assert len(names["history"]) == 5


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
