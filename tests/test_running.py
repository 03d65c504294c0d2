"""Fits in processes, in threads and on a cluster: the same results, whatever goes wrong."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import coo_array, csr_array
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.neighbors import KNeighborsClassifier

from mnist_models import Comparison, Step, compare, evaluate
from mnist_models.exceptions import WorkerLostError

from .conftest import Split, quick_model
from .misbehaving import Misbehaving, fits_made, numbered_rows

ROOT = str(Path(__file__).parents[1])


def assert_same_results(a: Comparison, b: Comparison) -> None:
    """All that does not depend on the clock, to the last bit."""
    assert list(a) == list(b)
    for name in a:
        np.testing.assert_array_equal(a[name].cv_scores, b[name].cv_scores)
        np.testing.assert_array_equal(a[name].out_of_fold, b[name].out_of_fold)
        np.testing.assert_array_equal(a[name].y_pred, b[name].y_pred)
        np.testing.assert_array_equal(a[name].probabilities, b[name].probabilities)
        assert a[name].provenance == b[name].provenance


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_results_do_not_depend_on_where_fits_run(backend: str, digits: Split) -> None:
    X, X_test, y, y_test = digits
    models = {name: quick_model(name) for name in ("logistic", "forest")}
    models["forest"].set_params(classify__n_jobs=-1)
    here = compare(models, X, y, test=(X_test, y_test), cv=2)
    with joblib.parallel_config(backend):
        there = compare(models, X, y, test=(X_test, y_test), cv=2, n_jobs=2)
    assert_same_results(here, there)


def test_rows_of_any_kind_reach_the_workers() -> None:
    X, y = numbered_rows()
    names = pd.Series(np.array(["a", "b", "c"], dtype=object)[y])
    kinds = (X, pd.DataFrame(X).add_prefix("column "), csr_array(X), coo_array(X), X.tolist())
    expected = evaluate(KNeighborsClassifier(), X, names, cv=2)
    assert expected.classes.tolist() == ["a", "b", "c"]
    for kind in kinds:
        found = evaluate(KNeighborsClassifier(), kind, names, cv=2, n_jobs=2)
        np.testing.assert_array_equal(found.y_pred, expected.y_pred)


class Prober(ClassifierMixin, BaseEstimator):
    """Keeps what it finds where it is fitted, as if it were the history of a network."""

    def __init__(self, warn: bool = False) -> None:
        self.warn = warn

    def fit(self, X: Any, y: Any) -> "Prober":
        from threadpoolctl import threadpool_info

        if self.warn:
            warnings.warn("to be treated as the caller says", UserWarning, stacklevel=1)
        self.classes_ = np.unique(y)
        self.history_ = {
            "process": [os.getpid()],
            "mapped": [isinstance(X, np.memmap)],
            "blas": [p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"],
            "tensorflow": [int(os.environ.get("TF_NUM_INTRAOP_THREADS", 0))],
        }
        return self

    def predict(self, X: Any) -> Any:
        return np.full(len(X), self.classes_[0])


def _probe(n_jobs: int | None = None, **options: Any) -> list[dict[str, Any]]:
    X, y = numbered_rows(300)
    X = np.repeat(X, 200, axis=1)  # 2.4 MB, which joblib maps into memory
    found = evaluate(Prober(), X, y, test=(X + 0.1, y), cv=3, n_jobs=n_jobs, **options)
    assert found.test is not None
    return [fit.history or {} for fit in (*found.folds, found.test)]


def test_workers_map_the_rows_and_share_the_cores() -> None:
    before = dict(os.environ)
    found = _probe(n_jobs=2)
    assert os.getpid() not in {fit["process"][0] for fit in found}
    assert found[-1]["mapped"] == [True]  # the one fit that reads all of X
    for fit in found:
        assert set(fit["blas"]) == {1}
        assert fit["tensorflow"] == [max(1, joblib.cpu_count() // 2)]
    with joblib.parallel_config("threading"):
        found = _probe(n_jobs=2)
    for fit in (*found, *_probe()):
        assert fit["process"] == [os.getpid()]
        assert set(fit["blas"]) == {1}
    assert dict(os.environ) == before


def test_n_jobs_is_what_parallel_config_says_and_timeout_needs_a_process() -> None:
    with joblib.parallel_config(n_jobs=2):
        assert _probe()[0]["process"] != [os.getpid()]
    assert _probe(timeout=60)[0]["process"] != [os.getpid()]


@pytest.mark.filterwarnings("error:to be treated")
def test_warning_filters_hold_in_workers() -> None:
    with pytest.raises(UserWarning, match="as the caller says"):
        evaluate(Prober(warn=True), *numbered_rows(), cv=2, n_jobs=2)


def test_two_evaluations_at_once_in_threads(digits: Split) -> None:
    X, _, y, _ = digits
    model = quick_model("logistic")
    alone = evaluate(model, X, y, cv=2)
    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(evaluate, model, X, y, cv=2, n_jobs=n_jobs) for n_jobs in (1, 2, 2, 1)]
    for call in calls:
        np.testing.assert_array_equal(call.result().probabilities, alone.probabilities)


# -- what goes wrong -------------------------------------------------------------------------------


def _models(folder: Path, ways: tuple[str, ...], times: int) -> dict[str, Misbehaving]:
    """A model for each way to misbehave, with a folder in which it counts how often it does."""
    for what in ways:
        (folder / what).mkdir()
    return {what: Misbehaving(what, folder / what, times=times) for what in ways}


@pytest.mark.slow
def test_fits_whose_worker_dies_are_made_again(tmp_path: Path) -> None:
    X, y = numbered_rows()
    models, steps = _models(tmp_path, ("die", "run out of memory"), times=1), list[Step]()
    comparison = compare(models, X, y, cv=2, n_jobs=2, progress=steps.append)
    for name in models:
        expected = evaluate(Misbehaving("nothing", tmp_path), X, y, cv=2)
        np.testing.assert_array_equal(comparison[name].y_pred, expected.y_pred)
    count = Counter(step.what for step in steps)
    assert count["finished"] == 4
    assert count["retried"] >= 2
    assert count["begun"] == count["finished"] + count["retried"]
    assert (steps[-1].done, steps[-1].total) == (4, 4)


@pytest.mark.slow
def test_one_that_dies_twice_is_lost_and_the_others_are_not(tmp_path: Path) -> None:
    X, y = numbered_rows()
    models = _models(tmp_path, ("die", "nothing", "run out of memory"), times=10)
    with pytest.raises(WorkerLostError, match=r"2 of 9 fits were lost\. .*memory=FOLDER") as caught:
        compare(models, X, y, cv=3, n_jobs=2)
    reasons = {name.split(",")[0]: reason for name, reason in caught.value.lost.items()}
    assert "SIGKILL" in reasons["die"]
    assert "it ran out of memory" in reasons["run out of memory"]
    assert list(caught.value.finished) == ["nothing"]
    assert caught.value.finished["nothing"].accuracy > 0.5


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_one_that_hangs_is_lost_when_its_time_is_up(n_jobs: int | None, tmp_path: Path) -> None:
    X, y = numbered_rows()
    with pytest.raises(WorkerLostError, match=r"1 of 4 .* not end within timeout=25 sec") as caught:
        evaluate(Misbehaving("hang", tmp_path), X, y, cv=4, timeout=25, n_jobs=n_jobs)
    assert len(caught.value.lost) == 1
    (hung,) = tmp_path.glob("victim-*")
    assert not Path("/proc", hung.read_text(encoding="ascii")).exists()


class Unpicklable(Exception):  # noqa: N818
    """An error that a worker's pool does not survive."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__("on purpose")


class Raising(DummyClassifier):
    """Raises an error that cannot be pickled."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "Raising":
        raise Unpicklable(1, 2)


@pytest.mark.slow
def test_what_a_fit_raises_is_raised_with_the_name_of_the_fit(tmp_path: Path) -> None:
    X, y = numbered_rows()
    for n_jobs in (None, 2):
        with pytest.raises(ZeroDivisionError, match="on purpose") as caught:
            compare({"bad": Misbehaving("raise", tmp_path)}, X, y, cv=2, n_jobs=n_jobs)
        assert any("the fit of bad, fold" in note for note in caught.value.__notes__)
        with pytest.raises(RuntimeError, match=r"called exit\(3\)"):
            compare({"bad": Misbehaving("exit", tmp_path)}, X, y, cv=2, n_jobs=n_jobs)
    with pytest.raises(RuntimeError, match=r"Unpicklable.*cannot be pickled"):
        evaluate(Raising(), X, y, cv=2, n_jobs=2)


def test_an_error_in_the_callers_function_ends_the_run_and_its_workers(tmp_path: Path) -> None:
    def complain(step: Step) -> None:
        if step.what == "finished":
            raise ZeroDivisionError("of no use")

    with pytest.raises(ZeroDivisionError, match="of no use"):
        evaluate(Misbehaving("hang", tmp_path), *numbered_rows(), cv=3, n_jobs=2, progress=complain)
    assert_nobody_is_left(tmp_path)


def assert_nobody_is_left(marks: Path) -> None:
    """No process lives on in which a fit was made."""
    deadline = time.monotonic() + 10
    for path in marks.glob("fit-*"):
        pid = int(path.read_text(encoding="ascii"))
        while time.monotonic() < deadline and Path(f"/proc/{pid}").exists():
            time.sleep(0.05)
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"n_jobs": 0}, "n_jobs must be"),
        ({"n_jobs": "two"}, "n_jobs must be"),
        ({"timeout": 0}, "seconds above 0"),
        ({"timeout": "1 h"}, "seconds above 0"),
    ],
)
def test_options_that_are_refused(bad: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        evaluate(DummyClassifier(), *numbered_rows(), **bad)


_SCRIPT = """
import signal, sys
from mnist_models import evaluate
from tests.misbehaving import Misbehaving, numbered_rows

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored by some who start tests
    evaluate(Misbehaving("nap", sys.argv[1]), *numbered_rows(), cv=40, n_jobs=2,
             progress=lambda step: print(step, flush=True))
"""


@pytest.mark.slow
def test_ctrl_c_ends_a_run_and_its_workers_quietly(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _SCRIPT, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": ROOT},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert any("finished" in line for line in process.stdout)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to the workers too
    _, errors = process.communicate(timeout=30)
    assert errors.count("KeyboardInterrupt") == 1, errors
    assert_nobody_is_left(tmp_path)


# -- long runs -------------------------------------------------------------------------------------


def _resident_megabytes(model: Any, X: Any, y: Any) -> float:
    """A scorer: the memory of the process that the fit was made in."""
    pages = int(Path("/proc/self/statm").read_bytes().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # distributed leaves sockets and loops
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_dask_cluster_of_which_one_worker_is_killed(tmp_path: Path, digits: Split) -> None:
    import dask
    from distributed import Client, LocalCluster

    X, y = numbered_rows()
    for folder in ("here", "there", "bad"):
        (tmp_path / folder).mkdir()
    expected = evaluate(Misbehaving("nothing", tmp_path / "here"), X, y, cv=6)
    with (
        # a worker that starts slowly is waited for
        dask.config.set({"distributed.deploy.lost-worker-timeout": "200s"}),
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
        joblib.parallel_config("dask"),
    ):

        def kill_a_worker() -> None:
            while fits_made(tmp_path / "there") < 2:
                time.sleep(0.02)
            os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)

        killer = threading.Thread(target=kill_a_worker)
        killer.start()
        found = evaluate(Misbehaving("nap", tmp_path / "there"), X, y, cv=6, n_jobs=-1)
        killer.join()
        np.testing.assert_array_equal(found.y_pred, expected.y_pred)

        client.wait_for_workers(2, timeout=200)  # with one, joblib fits in this process
        models = {name: quick_model(name) for name in ("logistic", "forest")}
        rows, _, labels, _ = digits
        there = compare(models, rows, labels, cv=2, n_jobs=-1)

        bad = {what: Misbehaving(what, tmp_path / "bad") for what in ("die", "nothing")}
        with pytest.raises(WorkerLostError, match=r"1 of 6 fits were lost\. die, ") as caught:
            compare(bad, X, y, cv=3, n_jobs=-1, timeout=40)
        assert list(caught.value.finished) == ["nothing"]
    gc.collect()  # what distributed left open: here, where nobody minds
    assert_same_results(compare(models, rows, labels, cv=2), there)
