"""What an evaluation hands to other tools, and our models inside another one."""

import builtins
import dataclasses
import json
import math
import os
import posixpath
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_classification
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from mnist_models import Comparison, Evaluation, Fit, compare, evaluate

_HOSTILE = ["", ".", "..", "/etc/passwd", "../..", "a*", "a?", "a_", "a\nb", "<b>", "x" * 400, "né"]


@pytest.fixture(scope="module")
def table() -> tuple[Any, Any]:
    return make_classification(n_samples=120, n_informative=4, n_classes=3, random_state=0)


@pytest.fixture(scope="module")
def comparison(table: tuple[Any, Any]) -> Comparison:
    models = {"near": KNeighborsClassifier(), "tree": DecisionTreeClassifier(random_state=0)}
    X, y = table
    return compare(models, X, y, test=(X + 0.1, y), cv=3)


def _hostile() -> Evaluation:
    """With labels, a scorer and parameters that no tool would like."""
    classes = np.array(sorted(_HOSTILE))
    fold = Fit(math.nan, 1.0, 0.5, 24, 12)
    evaluation = Evaluation("<script>", "<lambda>", classes, classes, classes, (fold, fold))
    origin = evaluate(KNeighborsClassifier(), *make_classification(), cv=2).provenance
    assert origin is not None
    parameters = origin.parameters | {"long": "x" * 10_000, "model": "another", "a:b\0c": "?"}
    return dataclasses.replace(
        evaluation, provenance=dataclasses.replace(origin, parameters=parameters)
    )


# -- pandas ----------------------------------------------------------------------------------------


def test_a_frame_has_a_row_for_every_fit(comparison: Comparison) -> None:
    evaluation = comparison["near"]
    frame = evaluation.to_frame()
    assert frame["part"].tolist() == ["fold 1", "fold 2", "fold 3", "test"]
    assert set(frame["model"]) == {"near"}
    assert set(frame) == {"model", "part"} | {f.name for f in dataclasses.fields(Fit)} - {
        "history",
        "evidence",
    }
    np.testing.assert_array_equal(frame["score"][:3], evaluation.cv_scores)
    assert frame["score"].iloc[-1] == evaluation.accuracy
    assert frame["n_train"].tolist() == [80, 80, 80, 120]
    assert frame["best_epoch"].isna().all()  # neighbours have no epochs
    assert frame["model_bytes"].dtype == "Int64"


def test_a_comparisons_frame_has_those_of_all_models(comparison: Comparison) -> None:
    frame = comparison.to_frame()
    pd.testing.assert_frame_equal(
        frame, pd.concat([each.to_frame() for each in comparison.values()], ignore_index=True)
    )
    folds = frame[frame["part"] != "test"]
    means = folds.groupby("model")["score"].mean()
    assert means.sort_values(ascending=False).index.tolist() == comparison.ranking()


def test_without_pandas_the_error_says_what_to_do(
    comparison: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = builtins.__import__

    def without_pandas(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "pandas":
            raise ImportError(name)
        return plain(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_pandas)
    with pytest.raises(ImportError, match="pip install pandas"):
        comparison.to_frame()


# -- MLflow ----------------------------------------------------------------------------------------


def _check_name(name: str) -> None:
    """What MLflow 3.17 asks in mlflow/utils/validation.py, where all its stores look."""
    assert re.match(r"^[/\w.\- :]*$", name), name
    assert posixpath.normpath(name) == name, name
    assert not name.startswith(("..", "/")), name
    assert name != "."
    assert len(name) <= 250


@pytest.mark.parametrize("kind", ["plain", "tested", "hostile"])
def test_mlflow_takes_every_name_and_value(kind: str, comparison: Comparison) -> None:
    plain = {"plain": dataclasses.replace(comparison["tree"], provenance=None)}
    evaluation = {**plain, "tested": comparison["near"], "hostile": _hostile()}[kind]
    entries = evaluation.to_mlflow()
    for name in (*entries["params"], *entries["metrics"], *entries["tags"]):
        _check_name(name)
    assert all(type(v) is str and len(v) <= 6000 for v in entries["params"].values())
    assert all(type(v) is str and len(v) <= 5000 for v in entries["tags"].values())
    assert all(type(v) is float and math.isfinite(v) for v in entries["metrics"].values())
    assert len(entries["params"]) <= 100  # in one request
    assert len(entries["tags"]) <= 100


def test_mlflow_metrics_are_the_evaluations(comparison: Comparison) -> None:
    evaluation = comparison["near"]
    metrics = evaluation.to_mlflow()["metrics"]
    report = evaluation.classification_report(output_dict=True)
    assert metrics["cv_accuracy"] == evaluation.cv_scores.mean()
    assert metrics["test_accuracy"] == evaluation.accuracy
    assert metrics["test_accuracy_low"] == evaluation.confidence_interval().low
    assert metrics["cv_accuracy_high"] == evaluation.cv_confidence_interval().high
    assert metrics["recall/2"] == report["2"]["recall"]
    median = np.median([fold.model_bytes for fold in comparison["tree"].folds])
    without_test = dataclasses.replace(comparison["tree"], test=None)
    assert without_test.to_mlflow()["metrics"]["model_bytes"] == round(median)
    assert metrics["f1-score/macro_avg"] == report["macro avg"]["f1-score"]
    params = evaluation.to_mlflow()["params"]
    assert params["n_neighbors"] == "5"
    assert params["model"] == "sklearn.neighbors._classification.KNeighborsClassifier"
    assert params["evaluate.n_folds"] == "3"


def test_labels_that_look_alike_to_mlflow_stay_apart() -> None:
    metrics = _hostile().to_mlflow()["metrics"]
    assert len([name for name in metrics if name.startswith("recall/")]) == len(_HOSTILE) + 1
    assert {"recall/a_", "recall/a__2", "recall/a__3", "recall/né"} <= set(metrics)
    assert not [name for name in metrics if name.startswith("fold_")]  # scores that were NaN


def test_a_class_called_like_an_average_has_its_own_metrics() -> None:
    classes = np.array(["accuracy", "macro avg", "macro_avg"])
    read = classes[[0, 0, 2]]
    evaluation = Evaluation("model", "accuracy", classes, classes, read, (Fit(1.0, 1, 1, 3, 3),))
    metrics = evaluation.to_mlflow()["metrics"]
    assert metrics["precision/accuracy"] == 0.5
    assert metrics["recall/macro avg"] == 0
    assert metrics["recall/macro_avg"] == 1
    assert metrics["recall/macro_avg_2"] == pytest.approx(2 / 3)  # the average


# -- skore -----------------------------------------------------------------------------------------

_SKORE = """
import json, sys, warnings
from pathlib import Path
import skore
from mnist_models import load_sample_digits
from tests.conftest import QUICK, quick_model

digits = load_sample_digits().sample(300, random_state=0)
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    models = {name: quick_model(name) for name in QUICK}
    comparison = skore.evaluate(models, digits.data, digits.target)
    found = {}
    for name, report in comparison.reports_.items():
        matrix = report.metrics.confusion_matrix().frame()
        right = matrix[matrix["true_label"] == matrix["predicted_label"]]
        found[name] = {
            "accuracy": report.metrics.accuracy(),
            "rows": int(matrix["value"].sum()),
            "right": int(right["value"].sum()),
            "log_loss": report.metrics.log_loss(),
        }
found["warnings"] = [
    f"{each.filename}: {each.message}" for each in seen if "skore" not in Path(each.filename).parts
]
print(json.dumps(found))
"""


@pytest.mark.slow
def test_our_models_run_in_skore() -> None:
    """In a process of its own: importing skore changes pyplot's state."""
    pytest.importorskip("skore")
    done = subprocess.run(
        [sys.executable, "-c", _SKORE],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=Path(__file__).parents[1],
        env=os.environ | {"MPLBACKEND": "agg"},
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found.pop("warnings") == []
    assert set(found) == {"logistic", "forest", "network"}
    for report in found.values():
        assert report["rows"] == 60
        assert report["accuracy"] == report["right"] / 60 > 0.6
        assert 0 < report["log_loss"] < np.log(10)
