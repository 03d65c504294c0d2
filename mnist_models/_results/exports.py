"""Evaluations for other tools: a pandas table, and entries for MLflow."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mnist_models._results.findings import Findings, Fit
from mnist_models._results.intervals import ConfidenceInterval

if TYPE_CHECKING:
    import pandas as pd

# Names are paths of letters, digits and "_-.: /" (mlflow/utils/validation.py of MLflow 3); the
# lengths are the shortest of https://mlflow.org/docs/latest/rest-api.html.
_NAME_LENGTH, _PARAM_LENGTH, _TAG_LENGTH = 250, 6000, 5000

_COLUMNS = {
    "score": "float64",
    "fit_seconds": "float64",
    "predict_seconds": "float64",
    "n_train": "int64",
    "n_predicted": "int64",
    "model_bytes": "Int64",  # pandas' nullable integer
    "peak_bytes": "Int64",
    "best_epoch": "Int64",
}


def make_frame(models: Mapping[str, Findings]) -> "pd.DataFrame":
    """A DataFrame with a row for every fit of every model.

    Raises
    ------
    ImportError
        If pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError("to_frame needs pandas: pip install pandas") from error

    rows = [
        {"model": name, "part": part} | {column: getattr(fit, column) for column in _COLUMNS}
        for name, found in models.items()
        for part, fit in _parts(found)
    ]
    return pd.DataFrame(rows, columns=["model", "part", *_COLUMNS]).astype(_COLUMNS)


def mlflow_entries(found: Findings) -> dict[str, dict[str, Any]]:
    """Parameters, metrics and tags, with names and lengths that MLflow accepts."""
    origin = found.provenance
    params = {"evaluate.scoring": found.scoring, "evaluate.n_folds": str(len(found.folds))}
    tags = {"model_name": found.model_name, "source": found.source}
    if origin is not None:
        params["evaluate.random_state"] = origin.random_state
        params |= {name or "model": value for name, value in origin.parameters.items()}
        tags |= {"data_sha256": origin.data_sha256, "folds_sha256": origin.folds_sha256}
        tags |= {f"version.{name}": version for name, version in origin.versions.items()}
    metrics = dict(_metrics(found))
    return {
        "params": _named(params, _PARAM_LENGTH),
        "metrics": {name: value for name, value in metrics.items() if np.isfinite(value)},
        "tags": _named(tags, _TAG_LENGTH),
    }


def _parts(found: Findings) -> Iterator[tuple[str, Fit]]:
    for number, fold in enumerate(found.folds, start=1):
        yield f"fold {number}", fold
    if found.test is not None:
        yield "test", found.test


def _metrics(found: Findings) -> Iterator[tuple[str, float]]:
    scoring, source = _clean(found.scoring), found.source.replace("-", "_")
    yield f"cv_{scoring}", float(found.cv_scores.mean())
    yield f"cv_{scoring}_std", float(found.cv_scores.std())
    yield from _ends(f"cv_{scoring}", found.cv_confidence_interval())
    for number, score in enumerate(found.cv_scores.tolist(), start=1):
        yield f"fold_{number}_{scoring}", score
    if found.test is not None:
        yield f"test_{scoring}", found.test.score
    yield f"{source}_accuracy", found.accuracy
    yield from _ends(f"{source}_accuracy", found.confidence_interval())
    for name in ("fit_seconds", "predict_seconds"):
        yield name, getattr(found, name)
    for name in ("model_bytes", "peak_bytes"):
        size = getattr(found, name)
        if size is not None:
            yield name, float(size)
    figures = [*found.class_figures, found.average_figures[0]._replace(name="macro_avg")]
    for name, each in zip(_unique(each.name for each in figures), figures, strict=True):
        yield f"precision/{name}", each.precision
        yield f"recall/{name}", each.recall
        yield f"f1-score/{name}", each.f1


def _ends(name: str, interval: ConfidenceInterval) -> Iterator[tuple[str, float]]:
    if interval.is_known:
        yield f"{name}_low", interval.low
        yield f"{name}_high", interval.high


def _named(entries: Mapping[str, str], length: int) -> dict[str, str]:
    return {
        name: _cut(value, length)
        for name, value in zip(_unique(entries), entries.values(), strict=True)
    }


def _unique(names: Iterable[str]) -> list[str]:
    """The names cleaned for MLflow, numbered where two would become equal."""
    taken: dict[str, None] = {}
    for name in map(_clean, names):
        unused, number = name, 1
        while unused in taken:
            number += 1
            unused = f"{name}_{number}"
        taken[unused] = None
    return list(taken)


def _clean(name: str) -> str:
    """A name with ``_`` for every character that MLflow refuses or that could make it a path."""
    name = re.sub(r"[^\w.\- ]", "_", name)[: _NAME_LENGTH - 50]  # room for a prefix and a number
    return "_" if name in ("", ".", "..") else name


def _cut(value: str, length: int) -> str:
    return value if len(value) <= length else value[: length - 1] + "…"
