"""What a result came from, told so that no two different things are told alike."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from scipy import stats
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from mnist_models import evaluate, make_model
from mnist_models._running.provenance import (
    describe,
    parameters_of,
    parameters_that_decide,
    sha256_of,
)

from .misbehaving import Misbehaving, fits_made, numbered_rows

_FACTOR = 2


def _times(factor: float) -> Callable[[Any], Any]:
    return lambda X: X * factor


def _add(X: Any, much: float = 1.0) -> Any:
    return X + much


def _scaled(X: Any) -> Any:
    return X * _FACTOR


def _both() -> Any:
    return (lambda X: X + 1), (lambda X: X + 2)


def test_estimators_in_a_grid_are_told_apart() -> None:
    def grid(C: float) -> dict[str, str]:
        pipeline = Pipeline([("classify", LogisticRegression())])
        return parameters_of(GridSearchCV(pipeline, {"classify": [LogisticRegression(C=C)]}))

    assert grid(1.0) == grid(1.0)
    assert grid(1.0) != grid(2.0)


def test_functions_are_told_apart_by_what_they_hold() -> None:
    assert describe(_times(2)) == describe(_times(2))
    assert describe(_times(2)) != describe(_times(3))

    def countdown(n: int) -> int:
        return countdown(n - 1) if n else 0

    assert describe(countdown) == describe(countdown)  # which holds itself
    before = describe(_add)
    _add.__defaults__ = (2.0,)
    assert describe(_add) != before


def test_functions_are_told_apart_by_what_they_do(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = _both()  # of one line
    assert describe(one) != describe(other)
    typed = [eval(f"lambda X: X * {factor}") for factor in (2, 3)]  # whose source is nowhere
    assert describe(typed[0]) != describe(typed[1])
    assert describe(typed[0]) == describe(eval("\n\nlambda X: X * 2"))  # but lower in its file
    before = describe(_scaled)
    monkeypatch.setitem(_scaled.__globals__, "_FACTOR", 3)
    assert describe(_scaled) != before


def test_arrays_of_other_shapes_and_types_have_other_sums() -> None:
    rows = np.arange(6.0)
    things = [rows, rows.reshape(2, 3), rows.reshape(3, 2), rows.astype(np.float32)]
    things += [csr_array(np.eye(3)), csr_array(np.eye(3, 9)), rows.astype(object)]
    assert len({sha256_of([thing]) for thing in things}) == len(things)
    assert len({describe(thing) for thing in things}) == len(things)


def test_distributions_are_told_apart() -> None:
    few = [stats.uniform(0, 1), stats.uniform(0, 2), stats.norm(0, 1), stats.randint(0, 1)]
    assert len({describe(each) for each in few}) == len(few)
    assert describe(stats.uniform(0, 1)) == describe(stats.uniform(0, 1))


def test_only_what_decides_a_result_counts(tmp_path: Path) -> None:
    def decisive(model: Any) -> dict[str, str]:
        return parameters_that_decide(model, "it")

    cached = make_model("forest", memory=str(tmp_path), n_jobs=2)
    assert decisive(cached) == decisive(make_model("forest"))
    grids = [GridSearchCV(model, {"memory": [model.memory]}) for model in (cached, cached)]
    assert decisive(grids[0]) == decisive(grids[1])
    numbers = [decisive(_Forgetful(memory)) for memory in (1, 2, None)]
    assert len({str(each) for each in numbers}) == 3
    assert decisive(_Forgetful(joblib.Memory(tmp_path))) == decisive(_Forgetful(None))


class _Forgetful(ClassifierMixin, BaseEstimator):
    """What it calls its memory is no cache."""

    def __init__(self, memory: Any) -> None:
        self.memory = memory


_ZOO = """
import datetime, enum, functools, pathlib, re
import numpy as np, pandas as pd, scipy.special
from numba import njit
from scipy import stats
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import StratifiedKFold
from mnist_models import make_model
from mnist_models._running.provenance import describe

class Colour(enum.Enum):
    RED = "red"

def held(names):
    return lambda X: X[sorted(names)] if "a" in {"a", "b", "c"} else np.sort(X)

zoo = [
    stats.uniform(0, 1), stats.loguniform(1e-3, 1), stats.randint(1, 9), stats.norm,
    stats.rv_histogram(np.histogram([1.0, 2.0])), stats.rv_discrete(values=([1, 2], [0.5, 0.5])),
    set("abcdef"), frozenset("abcdef"), {"a": [{("x", "y"), ("z", "w")}]}, {"b", 1, None},
    held({"a", "b", "c"}), functools.partial(accuracy_score, normalize=False), njit(lambda a: a),
    make_scorer(held(frozenset("xyz"))), np.log1p, scipy.special.expit, len, re.compile("a"),
    np.random.default_rng(0), np.random.RandomState(0), StratifiedKFold(3, shuffle=True),
    np.array([1, "a", {"a", "b"}], dtype=object), np.float32(0.1), np.dtype("f4"), np.eye(2),
    pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}), Colour.RED, pathlib.PurePath("a"), range(3),
    datetime.date(2020, 1, 1), b"abc", bytearray(b"abc"), 1j, slice(1, 2), ..., float("nan"),
    VotingClassifier([("a", make_model("forest", random_state=0)), ("b", LogisticRegression())]),
]
for each in zoo:
    print(type(each), describe(each))
"""


@pytest.mark.slow
def test_everything_is_told_alike_in_every_process() -> None:
    told = [
        subprocess.run(
            [sys.executable, "-c", _ZOO],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=False,
        )
        for seed in ("1", "2")
    ]
    assert told[0].returncode == 0, told[0].stderr
    lines = told[0].stdout.splitlines()
    assert lines == told[1].stdout.splitlines()
    assert len(set(lines)) == len(lines)


# -- what cannot be told ---------------------------------------------------------------------------


def test_what_cannot_be_told_matters_only_to_a_checkpoint(tmp_path: Path) -> None:
    X, y = numbered_rows()
    lock = threading.Lock()

    def score(model: Any, X: Any, y: Any) -> float:
        with lock:
            return float(np.mean(model.predict(X) == y))

    told = evaluate(GaussianNB(priors=None), X, y, cv=2, scoring=score)
    assert told.accuracy == evaluate(GaussianNB(), X, y, cv=2).accuracy
    with pytest.raises(
        TypeError, match=r"It cannot for scoring: .*_thread\.lock.*leave checkpoint out"
    ):
        evaluate(GaussianNB(), X, y, cv=2, scoring=score, checkpoint=tmp_path / "run")

    odd = make_pipeline(FunctionTransformer(_times(1), kw_args=_Untold()), GaussianNB())
    origin = evaluate(odd, X, y, cv=2).provenance
    assert origin is not None
    assert origin.parameters["functiontransformer__kw_args"].endswith("_Untold")
    with pytest.raises(
        TypeError, match="It cannot for functiontransformer__kw_args of 'GaussianNB'"
    ):
        evaluate(odd, X, y, cv=2, checkpoint=tmp_path / "run")
    assert not (tmp_path / "run").exists()


class _Untold(dict[str, Any]):
    """It cannot be told what is in it."""

    def items(self) -> Any:
        raise RuntimeError("no")

    def __deepcopy__(self, memo: Any) -> "_Untold":
        return self


def test_a_lambda_scores_and_searches_with_a_checkpoint(tmp_path: Path) -> None:
    X, y = numbered_rows()
    marks = tmp_path / "marks"
    marks.mkdir()
    search = RandomizedSearchCV(
        make_pipeline(StandardScaler(), GaussianNB()),
        {"gaussiannb__var_smoothing": stats.loguniform(1e-9, 1e-3)},
        n_iter=2,
        cv=2,
        random_state=0,
    )
    arguments: dict[str, Any] = {"cv": 2, "checkpoint": tmp_path / "search"}
    first = evaluate(search, X, y, **arguments)
    assert evaluate(search, X, y, **arguments).to_json() == first.to_json()
    arguments = {"cv": 2, "checkpoint": tmp_path / "run", "scoring": lambda m, X, y: m.score(X, y)}
    for _ in range(2):
        evaluate(Misbehaving("nothing", marks), X, y, **arguments)
    assert fits_made(marks) == 2
