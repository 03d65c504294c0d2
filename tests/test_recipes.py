"""The recipes run: those for pandas here, that for skore in test_other_tools."""

import re
from pathlib import Path
from typing import Any

import pandas as pd

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
