"""Evaluations made up for pages: small, quick, and with names that mean harm."""

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mnist_models import Comparison, Evaluation, Fit
from mnist_models.results import Provenance

HOSTILE = ("</script><script>alert(1)</script>", "<img src=x onerror=alert(2)>", "\"'&\u2028é😀")
SIDE = 8
_HISTORY = {"loss": [1.0, 0.6, 0.5], "val_loss": [1.1, 0.7, 0.8]}


def made_up(
    name: str = "model",
    labels: Any = tuple(range(10)),
    n: int = 400,
    seed: int = 0,
    tested: bool = True,
    right: float = 0.7,
    **changes: Any,
) -> Evaluation:
    """An evaluation of a model that reads about that share right; the true labels are the same."""
    classes, rng = np.unique(labels), np.random.default_rng(seed)
    true = np.random.default_rng(99).integers(len(classes), size=n)
    read = np.where(rng.random(n) < right, true, rng.integers(len(classes), size=n))
    shares = rng.random((n, len(classes)))
    shares[np.arange(n), read] = shares.max(axis=1) + rng.random(n)
    shares /= shares.sum(axis=1, keepdims=True)
    y, predictions = classes[true], classes[read]
    folds = tuple(Fit(score, 2.0, 0.01, 80, 40) for score in (0.8 + seed / 50, 0.9, 0.85))
    values: dict[str, Any] = {
        "probabilities": shares.astype(np.float32),
        "provenance": Provenance(
            "d" * 64, "f" * 64, "7", {"": "Model", "C": "1.0"}, {"numpy": "2"}
        ),
    }
    if tested:
        test = Fit(0.7, 3.0, 0.02, 120, n, _HISTORY, 1, model_bytes=45_000, peak_bytes=None)
        values |= {"test": test, "y_test": y, "test_predictions": predictions}
    return Evaluation(name, "accuracy", classes, y, predictions, folds, **(values | changes))


def several(labels: Any = tuple(range(10)), **changes: Any) -> Comparison:
    """Three of them, on the same rows."""
    names = ("forest", "network", "logistic")
    return Comparison(
        {name: made_up(name, labels, seed=seed, **changes) for seed, name in enumerate(names)}
    )


def crowded() -> Comparison:
    """Three of them on 62 classes, with long names, and such as mean harm."""
    names = (f"{number} is a class of a long name" for number in range(58))
    return several((*names, *HOSTILE, "half of a \ud800"), n=1500)


def drawn(n: int = 400, side: int = SIDE) -> NDArray[np.uint8]:
    """Pictures of nothing, each another."""
    rng = np.random.default_rng(1)
    return rng.integers(256, size=(n, side * side), dtype=np.uint8)


def expected_rows(found: Evaluation, true: Any = None, predicted: Any = None) -> list[int]:
    """Row numbers behind a cell, in the order that the page promises."""
    sure = found.confidence
    assert sure is not None
    if true is not None and true == predicted:
        rows = np.flatnonzero((found.y_true == true) & (found.y_pred == true))
        return rows[np.argsort(sure[rows], kind="stable")].tolist()
    rows = found.errors(true, predicted)
    return rows[np.argsort(-sure[rows], kind="stable")].tolist()


def inlined(text: str, tag: str) -> str:
    """What stands in the page's one style, or its one script that runs."""
    (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, flags=re.DOTALL)
    return content


def written(found: Evaluation | Comparison, path: Path, images: Any = None) -> str:
    """The page as text."""
    found.to_html(path, images)
    return path.read_text(encoding="utf-8")
