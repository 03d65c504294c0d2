"""Fits made in processes, threads and other executors: the same results, whatever goes wrong."""

import multiprocessing
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier

from mnist_models import Comparison, Step, compare, evaluate
from mnist_models._running.threads import threads_per_worker
from mnist_models.exceptions import WorkerLostError

from .conftest import Split, quick_model
from .misbehaving import Misbehaving, fits_made, numbered_rows


def same_results(a: Comparison, b: Comparison) -> None:
    """All that does not depend on the clock, to the last bit."""
    assert list(a) == list(b)
    for name in a:
        np.testing.assert_array_equal(a[name].cv_scores, b[name].cv_scores)
        np.testing.assert_array_equal(a[name].out_of_fold, b[name].out_of_fold)
        np.testing.assert_array_equal(a[name].y_pred, b[name].y_pred)
        np.testing.assert_array_equal(a[name].probabilities, b[name].probabilities)
        assert [fold.history for fold in a[name].folds] == [fold.history for fold in b[name].folds]


def _processes() -> Executor:
    return ProcessPoolExecutor(2, multiprocessing.get_context("spawn"))


@pytest.mark.parametrize(
    "where",
    [{"n_jobs": 2}, lambda: ThreadPoolExecutor(2), _processes],
    ids=["worker processes", "threads", "processes"],
)
def test_results_do_not_depend_on_where_fits_are_made(where: Any, digits: Split) -> None:
    X, X_test, y, y_test = digits
    models = {name: quick_model(name) for name in ("logistic", "forest")}
    models["forest"].set_params(classify__n_jobs=-1)
    arguments: dict[str, Any] = {"test": (X_test, y_test), "cv": 2}
    here = compare(models, X, y, **arguments)
    if isinstance(where, dict):
        same_results(here, compare(models, X, y, **arguments, **where))
        return
    with where() as executor:
        same_results(here, compare(models, X, y, **arguments, executor=executor))


_NETWORK = """
from concurrent.futures import ThreadPoolExecutor
from tests.conftest import quick_model
from tests.test_engine import same_results
from mnist_models import compare, load_sample_digits
X, X_test, y, y_test = load_sample_digits().sample(300, random_state=0).split()
models = {"network": quick_model("network", epochs=3)}
arguments = {"test": (X_test, y_test), "cv": 2}
if __name__ == "__main__":
    here = compare(models, X, y, **arguments)
    same_results(here, compare(models, X, y, n_jobs=2, **arguments))
    with ThreadPoolExecutor(2) as executor:
        same_results(here, compare(models, X, y, executor=executor, **arguments))
    print("same")
"""


@pytest.mark.slow
def test_a_network_is_the_same_where_tensorflow_has_as_many_threads(tmp_path: Path) -> None:
    script = tmp_path / "networks.py"
    script.write_text(_NETWORK, encoding="utf-8")
    one = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    root = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, str(script)],
        env=os.environ | one | {"PYTHONPATH": root},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.stdout, done.returncode) == ("same\n", 0), done.stderr


def _resident_megabytes(model: Any, X: Any, y: Any) -> float:
    """A scorer: the memory of the process that the fit was made in."""
    pages = int(Path("/proc/self/statm").read_bytes().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_many_networks_do_not_fill_a_worker(digits: Split) -> None:
    """What TensorFlow compiles, it never gives back: 10 MB for a fit, were it compiled anew."""
    X, _, y, _ = digits
    network = quick_model("network", epochs=2)
    found = evaluate(network, X, y, cv=40, timeout=600, scoring=_resident_megabytes)
    assert found.cv_scores[-1] - found.cv_scores[9] < 30 * 4


def _nobody_is_left(marks: Path) -> None:
    """No process that made a fit lives on."""
    deadline = time.monotonic() + 10  # its end is seen to, not waited for
    for path in marks.glob("fit-*"):
        pid = int(path.read_text(encoding="ascii"))
        while time.monotonic() < deadline and Path(f"/proc/{pid}").exists():
            time.sleep(0.05)
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


# -- what goes wrong -------------------------------------------------------------------------------


_DEATHS = ("die", "exit", "run out of memory")


def _each(folder: Path, ways: Sequence[str], times: int) -> dict[str, Misbehaving]:
    """A model for every way to misbehave, which counts by itself how often it does."""
    for what in ways:
        (folder / what).mkdir()
    return {what: Misbehaving(what, folder / what, times=times) for what in ways}


def test_a_fold_whose_worker_dies_is_tried_again(tmp_path: Path) -> None:
    X, y = numbered_rows()
    models, steps = _each(tmp_path, _DEATHS, times=1), list[Step]()
    comparison = compare(models, X, y, cv=2, n_jobs=2, progress=steps.append)
    told = Counter((step.model, step.what) for step in steps)
    for what in _DEATHS:
        assert fits_made(tmp_path / what) == 2 + 1
        assert told[what, "retried"] == 1
        assert told[what, "begun"] == 3
        assert comparison[what].accuracy > 0.5
    assert (steps[-1].done, steps[-1].total) == (6, 6)


@pytest.mark.slow
def test_one_that_dies_twice_is_lost_and_the_others_go_on(tmp_path: Path) -> None:
    X, y = numbered_rows()
    models = _each(tmp_path, ("nothing", *_DEATHS), times=2)
    with pytest.raises(WorkerLostError, match="3 of 8 fits were lost") as caught:
        compare(models, X, y, cv=2, n_jobs=2)
    reasons = {name.split(",")[0]: reason for name, reason in caught.value.lost.items()}
    assert "SIGKILL" in reasons["die"]
    assert "exit(3)" in reasons["exit"]
    assert "out of memory" in reasons["run out of memory"]
    for what in _DEATHS:
        assert fits_made(tmp_path / what) == 2 + 1
    assert list(caught.value.finished) == ["nothing"]
    np.testing.assert_array_equal(
        caught.value.finished["nothing"].y_pred, evaluate(models["nothing"], X, y, cv=2).y_pred
    )


@pytest.mark.slow
def test_one_that_hangs_meets_the_timeout(tmp_path: Path) -> None:
    X, y = numbered_rows()
    start = time.monotonic()
    with pytest.raises(WorkerLostError, match=r"did not end within timeout=10 seconds") as caught:
        evaluate(Misbehaving("hang", tmp_path), X, y, cv=3, timeout=10)
    assert time.monotonic() - start < 120
    assert len(caught.value.lost) == 1
    assert fits_made(tmp_path) == 3
    _nobody_is_left(tmp_path)  # the one that hangs least of all


def test_what_a_fit_raises_comes_through_and_says_where(tmp_path: Path) -> None:
    X, y = numbered_rows()
    for n_jobs in (None, 2):
        with pytest.raises(ZeroDivisionError, match="on purpose") as caught:
            compare({"bad": Misbehaving("raise", tmp_path)}, X, y, cv=2, n_jobs=n_jobs)
        assert any("the fit of bad, fold" in note for note in caught.value.__notes__)


def test_workers_end_with_whoever_hears_of_them(tmp_path: Path) -> None:
    """If what is done cannot be told or kept, the run ends at once, not when it is forgotten."""
    X, y = numbered_rows()

    def complain(step: Step) -> None:
        if step.what == "finished":
            raise ZeroDivisionError("of no use")

    with pytest.raises(ZeroDivisionError) as caught:
        evaluate(Misbehaving("hang", tmp_path), X, y, cv=3, n_jobs=2, progress=complain)
    assert caught.value.__traceback__ is not None  # which holds on to all that was at work
    _nobody_is_left(tmp_path)


def test_a_broken_executor_loses_its_fits(tmp_path: Path) -> None:
    X, y = numbered_rows()
    with _processes() as executor, pytest.raises(WorkerLostError, match="of 3 fits were lost"):
        evaluate(Misbehaving("die", tmp_path), X, y, cv=3, executor=executor, n_jobs=1)


def test_numbers_of_numpy_will_do() -> None:
    options: Any = {"n_jobs": np.int64(1), "timeout": np.int64(60)}
    assert len(evaluate(DummyClassifier(), *numbered_rows(), cv=2, **options).folds) == 2


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        ({"n_jobs": 0}, ValueError, "n_jobs must be"),
        ({"n_jobs": "two"}, ValueError, "n_jobs must be"),
        ({"executor": 2}, TypeError, "concurrent.futures.Executor"),
        ({"timeout": 0}, ValueError, "seconds above 0"),
        ({"timeout": "1 h"}, ValueError, "seconds above 0"),
    ],
)
def test_what_cannot_be_asked_for(bad: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        evaluate(DummyClassifier(), *numbered_rows(), **bad)


# -- data and threads ------------------------------------------------------------------------------


class Prober(ClassifierMixin, BaseEstimator):
    """Answers what it finds where it is fitted, as the history of a network."""

    def __init__(self, n_jobs: int | None = None) -> None:
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any) -> "Prober":
        from threadpoolctl import threadpool_info

        pools = threadpool_info()
        self.classes_ = np.unique(y)
        self.history_ = {
            "process": [os.getpid()],
            "mapped": [isinstance(X, np.memmap)],
            "blas": [p["num_threads"] for p in pools if p["user_api"] == "blas"],
            "openmp": [p["num_threads"] for p in pools if p["user_api"] == "openmp"],
            "n_jobs": [self.n_jobs, joblib.effective_n_jobs(-1)],
            "tensorflow": [int(os.environ.get("TF_NUM_INTRAOP_THREADS", 0))],
        }
        return self

    def predict(self, X: Any) -> Any:
        return np.full(len(X), self.classes_[0])


def _probe(**where: Any) -> Any:
    X, y = numbered_rows()
    found = evaluate(Prober(n_jobs=-1), X, y, test=(X + 0.1, y), cv=3, **where)
    assert found.test is not None
    return [fold.history for fold in found.folds], found.test.history


def test_workers_share_the_cores_and_map_the_rows() -> None:
    cores = joblib.cpu_count()
    folds, test = _probe(n_jobs=2 * cores)  # more than there can be
    workers = {fold["process"][0] for fold in [*folds, test]}
    assert len(workers) <= cores
    share = threads_per_worker(min(cores, 4))
    assert test["mapped"] == [True]  # the one fit that reads all of X
    for found in [*folds, test]:
        assert found["process"] != [os.getpid()]
        assert set(found["blas"]) == {1}
        assert set(found["openmp"]) <= {share}
        assert max(found["n_jobs"]) == share
        assert found["tensorflow"] == [share]


def test_in_an_executor_every_fit_has_one_thread() -> None:
    variables = dict(os.environ)
    with ThreadPoolExecutor(2) as executor:
        folds, _ = _probe(executor=executor)
    for found in folds:
        assert found["process"] == [os.getpid()]
        assert set(found["blas"]) == {1}
        assert set(found["openmp"]) <= {1}
        assert found["n_jobs"][0] == 1
    assert dict(os.environ) == variables


def test_a_pool_on_this_machine_has_no_more_fits_at_once_than_cores(tmp_path: Path) -> None:
    at_work, most = Counter[str](), []

    def count(step: Step) -> None:
        at_work[step.what] += 1
        most.append(at_work["begun"] - at_work["finished"])

    cores = joblib.cpu_count()
    with ThreadPoolExecutor(4 * cores) as pool:
        model = Misbehaving("nap", tmp_path)
        evaluate(model, *numbered_rows(), cv=2 * cores + 1, executor=pool, progress=count)
    assert max(most) == cores


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    evaluate(DummyClassifier(), *numbered_rows(), n_jobs=2)
    assert list(tmp_path.iterdir()) == []
