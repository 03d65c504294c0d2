"""Finished fits are kept in a folder, and the same call makes only what is not there."""

import json
import os
import signal
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
from sklearn.model_selection import RandomizedSearchCV, StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from mnist_models import Evaluation, compare, evaluate, make_model
from mnist_models.exceptions import WorkerLostError

from .misbehaving import Misbehaving, fits_made, numbered_rows

ROOT = str(Path(__file__).parents[1])


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    folder = tmp_path / "marks"
    folder.mkdir()
    return folder


def _records(folder: Path) -> list[Path]:
    return sorted(folder.rglob("output.pkl"))


def test_what_is_finished_is_not_fitted_again(marks: Path, tmp_path: Path) -> None:
    X, y = numbered_rows()
    labels = np.array(["a", "bc", "ü"], dtype="U7")[y]
    models = {name: Misbehaving("nothing", marks, times=times) for times, name in enumerate("ab")}
    arguments: dict[str, Any] = {"test": (X + 0.1, labels), "cv": 3}
    first = compare(models, X, labels, memory=tmp_path / "kept", **arguments)
    assert fits_made(marks) == 8
    memory = joblib.Memory(str(tmp_path / "kept"), verbose=10)
    backwards, whats = dict(reversed(models.items())), list[str]()
    again = compare(
        backwards,
        np.asfortranarray(X),
        labels,
        memory=memory,
        n_jobs=2,
        progress=lambda step: whats.append(step.what),
        **arguments,
    )
    assert whats == ["kept"] * 8
    for name in models:
        assert again[name].to_json() == first[name].to_json()  # times too: they are of the fits
        assert again[name].y_pred.dtype == first[name].y_pred.dtype
    _records(tmp_path / "kept")[2].unlink()
    compare(models, X, labels, memory=str(tmp_path / "kept"), **arguments)
    assert fits_made(marks) == 9


def test_what_has_changed_is_fitted_again(
    marks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = numbered_rows()
    model = Misbehaving("nothing", marks)

    def n_fitted(model: Any = model, X: Any = X, y: Any = y, **changes: Any) -> int:
        before = fits_made(marks)
        arguments: dict[str, Any] = {"cv": 3, "memory": tmp_path / "kept"} | changes
        evaluate(model, X, y, **arguments)
        return fits_made(marks) - before

    assert n_fitted() == 3
    moved = X.copy()
    moved[5, 1] += 1e-9
    assert n_fitted(X=moved) == 3
    assert n_fitted(y=np.roll(y, 1)) == 3
    assert n_fitted(test=(X + 0.1, y)) == 4
    assert n_fitted(random_state=1) == 3
    assert n_fitted(cv=4) == 4
    assert n_fitted(scoring="f1_macro") == 3
    assert n_fitted(model=Misbehaving("nothing", marks, times=3)) == 3
    with monkeypatch.context() as patch:
        patch.setattr("importlib.metadata.version", lambda name: "1.0")
        assert n_fitted() == 3
    assert n_fitted() == 0  # and nothing has been overwritten
    assert n_fitted(scoring=lambda model, X, y: model.score(X, y)) == 3
    assert n_fitted(scoring=lambda model, X, y: model.score(X, y)) == 0
    assert n_fitted(scoring=lambda model, X, y: -model.score(X, y)) == 3


def _times(factor: float) -> Callable[[Any], Any]:
    return lambda X: X * factor


def _keys(model: Any, tmp_path: Path) -> set[str]:
    """The names of the records that an evaluation of the model reads or makes."""
    before = set(_records(tmp_path))
    evaluate(model, *numbered_rows(), cv=2, memory=tmp_path, ignore=("unseeded",))
    return {path.parent.name for path in set(_records(tmp_path)) - before}


def test_functions_are_told_apart_by_their_code_and_what_they_hold(tmp_path: Path) -> None:
    def model(function: Any) -> Any:
        return make_pipeline(FunctionTransformer(function), GaussianNB())

    def countdown(X: Any, n: int = 3) -> Any:
        return countdown(X, n - 1) if n else X

    for function in (_times(2), _times(3), eval("lambda X: X + 2"), eval("lambda X: X + 3")):
        assert len(_keys(model(function), tmp_path)) == 2
    assert _keys(model(_times(2)), tmp_path) == set()
    assert _keys(model(eval("\n\nlambda X: X + 2")), tmp_path) == set()  # lower in its file
    assert len(_keys(model(countdown), tmp_path)) == 2  # it holds itself


def test_only_parameters_that_decide_count(tmp_path: Path) -> None:
    def forest(**params: Any) -> Any:
        return make_model("forest", random_state=0, n_estimators=3, **params)

    assert len(_keys(forest(), tmp_path / "kept")) == 2
    cached = forest(n_jobs=2, verbose=0).set_params(memory=str(tmp_path / "other"))
    assert _keys(cached, tmp_path / "kept") == set()
    search = RandomizedSearchCV(
        make_pipeline(StandardScaler(), GaussianNB()),
        {"gaussiannb__var_smoothing": stats.loguniform(1e-9, 1e-3)},
        n_iter=2,
        cv=2,
        random_state=0,
    )
    assert len(_keys(search, tmp_path)) == 2
    assert _keys(search.set_params(n_jobs=1), tmp_path) == set()


_OTHER_PROCESS = """
import sys
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from mnist_models import evaluate
from tests.misbehaving import numbered_rows

LETTERS = frozenset("abcdef")

def held(names):
    return lambda X: X * len(names) if "a" in {"a", "b", "c"} else X

if __name__ == "__main__":
    model = make_pipeline(FunctionTransformer(held({"x", "y", "z"}), kw_args={}), GaussianNB())
    evaluate(model, *numbered_rows(), cv=2, memory=sys.argv[1],
             progress=lambda step: print(step.what))
"""


@pytest.mark.slow
def test_another_process_finds_the_same(tmp_path: Path) -> None:
    """Sets have another order there, and functions of a script another module."""
    for expected in ("finished", "kept"):
        done = subprocess.run(
            [sys.executable, "-c", _OTHER_PROCESS, str(tmp_path)],
            env=os.environ | {"PYTHONPATH": ROOT, "PYTHONHASHSEED": str(len(expected))},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        assert done.stdout.count(expected) == 2


@pytest.mark.parametrize("damage", ["cut", "garbled", "empty", "of another"])
def test_a_damaged_record_is_fitted_again_with_one_warning(
    damage: str, marks: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    X, y = numbered_rows()
    model = Misbehaving("nothing", marks)
    arguments: dict[str, Any] = {"memory": tmp_path / "kept", "cv": 3}
    first = evaluate(model, X, y, **arguments)
    path = _records(tmp_path / "kept")[1]
    content = path.read_bytes()
    damaged = {
        "cut": content[:-30],
        "garbled": bytes(byte ^ 0x55 for byte in content),
        "empty": b"",
        "of another": b"\x80\x04N.",  # a pickle of None
    }
    path.write_bytes(damaged[damage])
    with pytest.warns(RuntimeWarning, match="in memory is damaged.*is fitted again") as caught:
        again = evaluate(model, X, y, **arguments)
    assert [warning.filename for warning in caught] == [__file__]
    assert fits_made(marks) == 4
    np.testing.assert_array_equal(again.y_pred, first.y_pred)
    assert evaluate(model, X, y, **arguments).to_json() == again.to_json()
    assert capfd.readouterr().err == ""


def test_folds_that_are_others_every_time_are_refused(tmp_path: Path) -> None:
    for changes in ({"random_state": None}, {"cv": StratifiedKFold(3, shuffle=True)}):
        with pytest.raises(ValueError, match="random_state=None, which shuffles them anew"):
            evaluate(GaussianNB(), *numbered_rows(), memory=tmp_path, **changes)


def test_what_has_no_hash_is_named(tmp_path: Path) -> None:
    X, y = numbered_rows()
    lock = threading.Lock()

    def score(model: Any, X: Any, y: Any) -> float:
        with lock:
            return float(np.mean(model.predict(X) == y))

    class Odd(dict[str, Any]):
        def __reduce__(self) -> Any:
            raise RuntimeError("no")

        def __deepcopy__(self, memo: Any) -> "Odd":
            return self

    odd = make_pipeline(FunctionTransformer(_times(1), kw_args=Odd()), GaussianNB())
    assert evaluate(odd, X, y, cv=2, scoring=score).accuracy > 0.5
    with pytest.raises(TypeError, match=r"whether scoring is the same.*lock.*leave memory out"):
        evaluate(GaussianNB(), X, y, cv=2, scoring=score, memory=tmp_path / "kept")
    with pytest.raises(TypeError, match="whether functiontransformer__kw_args of 'GaussianNB' is"):
        evaluate(odd, X, y, cv=2, memory=tmp_path / "kept")
    with pytest.raises(ValueError, match="memory"):
        evaluate(GaussianNB(), X, y, memory=5)
    assert _records(tmp_path) == []


@pytest.mark.slow
def test_lost_fits_are_tried_again_by_the_next_call(marks: Path, tmp_path: Path) -> None:
    X, y = numbered_rows()
    model = Misbehaving("die", marks, times=2)
    arguments: dict[str, Any] = {"memory": tmp_path / "kept", "cv": 3, "n_jobs": 2}
    with pytest.raises(WorkerLostError, match="the same call tries only these again"):
        evaluate(model, X, y, **arguments)
    before = fits_made(marks)
    assert isinstance(evaluate(model, X, y, **arguments), Evaluation)
    assert fits_made(marks) == before + 1


_RUN = """
import signal, sys
from pathlib import Path
from mnist_models import compare, load_sample_digits
from tests.conftest import quick_model

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored by some who start tests
    memory, out, n_jobs = sys.argv[1:]
    X, X_test, y, y_test = load_sample_digits().sample(300, random_state=0).split()
    models = {name: quick_model(name) for name in ("logistic", "forest", "network")}
    found = compare(models, X, y, test=(X_test, y_test), cv=3, n_jobs=int(n_jobs), memory=memory,
                    progress=lambda step: print(step.what, flush=True))
    Path(out).write_text(found.to_json())
"""


def _start(folder: Path, run: str, n_jobs: int) -> "subprocess.Popen[str]":
    script = folder / "script.py"
    script.write_text(_RUN, encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, script, folder / run, folder / f"{run}.json", str(n_jobs)],
        env=os.environ | {"PYTHONPATH": ROOT},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _without_times(path: Path) -> str:
    """All that a run found, but for what clock and memory said."""
    measured = {"fit_seconds", "predict_seconds", "peak_bytes", "model_bytes"}

    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: strip(item) for key, item in value.items() if key not in measured}
        return [strip(item) for item in value] if isinstance(value, list) else value

    return json.dumps(strip(json.loads(path.read_text(encoding="utf-8"))))


@pytest.mark.slow
def test_all_three_models_go_on_however_often_they_are_killed(tmp_path: Path) -> None:
    n_jobs = 2
    output, errors = _start(tmp_path, "whole", n_jobs).communicate(timeout=300)
    assert output.count("finished") == 12, errors
    n_kept = 0
    for signal_ in (signal.SIGKILL, signal.SIGINT, signal.SIGTERM):
        process = _start(tmp_path, "run", n_jobs)
        assert process.stdout is not None
        n_finished = sum(1 for _ in zip(process.stdout, range(n_kept + 5), strict=False))
        assert n_finished == n_kept + 5
        process.send_signal(signal_)
        process.communicate(timeout=200)  # ends when the workers, too, have closed their streams
        assert n_kept <= len(_records(tmp_path / "run")) < 12
        n_kept = len(_records(tmp_path / "run"))
    output, errors = _start(tmp_path, "run", n_jobs).communicate(timeout=300)
    assert (output.count("kept"), output.count("finished")) == (n_kept, 12 - n_kept), errors
    assert n_kept >= 3
    assert _without_times(tmp_path / "run.json") == _without_times(tmp_path / "whole.json")
