"""What a fit takes along to another process, and brings back: settings, warnings, errors."""

import multiprocessing
import os
import pickle
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import config_context, get_config
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier

from mnist_models import evaluate
from mnist_models._results.findings import Fit
from mnist_models._running.fitting import Outcome, Task
from mnist_models._running.job import Job, make_job, run_job, unpack_result

from .misbehaving import numbered_rows


@pytest.fixture(scope="module")
def pool() -> Iterator[Executor]:
    """One process: if it dies, all tests after that fail."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        yield pool


class PickyError(Exception):
    """It cannot be unpickled: two arguments go in, one comes out."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what}, {why}")


class Sayer(ClassifierMixin, BaseEstimator):
    """Does what it is told, and answers with a setting of scikit-learn."""

    def __init__(self, what: str = "") -> None:
        self.what = what

    def fit(self, X: Any, y: Any) -> "Sayer":
        if self.what == "warn":
            warnings.warn("look here", UserWarning, stacklevel=1)
        elif self.what == "picky":
            raise PickyError("on purpose", "twice")
        elif self.what == "locked":
            raise ValueError(threading.Lock())
        self.classes_ = np.unique(y)
        self.history_ = {"assume_finite": [float(get_config()["assume_finite"])]}
        return self

    def predict(self, X: Any) -> Any:
        return np.full(len(X), self.classes_[0])


class Immovable(DummyClassifier):
    """It cannot be unpickled anywhere else."""

    def __reduce__(self) -> Any:
        return _only_in, (os.getpid(),)


def _only_in(process: int) -> Immovable:
    if os.getpid() != process:
        raise ModuleNotFoundError("no module of that name here")
    return Immovable()


def test_settings_of_scikit_learn_go_along(pool: Executor) -> None:
    with ThreadPoolExecutor(1) as threads:
        for executor in (pool, threads):
            for setting in (True, False):
                with config_context(assume_finite=setting):
                    found = evaluate(Sayer(), *numbered_rows(), cv=2, executor=executor)
                assert [fold.history for fold in found.folds] == [{"assume_finite": [setting]}] * 2


def test_warnings_come_back_once_as_if_they_were_made_here(pool: Executor) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        evaluate(Sayer("warn"), *numbered_rows(), cv=3, executor=pool)
    assert [str(each.message) for each in caught] == ["look here"]
    assert caught[0].category is UserWarning
    assert Path(caught[0].filename).name == "test_job.py"


def test_filters_of_warnings_go_along(pool: Executor) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "look here")
        evaluate(Sayer("warn"), *numbered_rows(), cv=2, executor=pool)
    with pytest.raises(UserWarning, match="look here"):  # filtered here to be an error
        evaluate(Sayer("warn"), *numbered_rows(), cv=2, executor=pool)


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (Sayer("picky"), RuntimeError, "PickyError: on purpose, twice"),
        (Sayer("locked"), RuntimeError, "ValueError: <unlocked _thread.lock"),
        (Immovable(), ModuleNotFoundError, "no module of that name here"),
    ],
    ids=["error that cannot be unpickled", "or pickled", "model that cannot be unpickled"],
)
def test_errors_are_told_as_what_they_are(
    model: Any, error: type[Exception], message: str, pool: Executor
) -> None:
    with pytest.raises(error, match=message) as caught:
        evaluate(model, *numbered_rows(), cv=2, executor=pool)
    told = "\n".join([str(caught.value), *caught.value.__notes__])
    assert "Traceback" in told
    assert 'test_job.py", line' in told
    assert "the fit of" in told


# -- in a process that others use ------------------------------------------------------------------

_OUTCOME = Outcome(Fit(1.0, 1.0, 1.0, 1, 1), np.zeros(1))


def _of_another_process() -> bytes:
    task = Task("model", DummyClassifier(), 0, None, None, False)
    job = make_job(task, 1, Path("progress"))._replace(sender=("another", 1))
    return pickle.dumps(job)


def test_overlapping_fits_give_the_filters_back() -> None:
    before, show = warnings.filters[:], warnings.showwarning
    at_work, leave = threading.Barrier(2), threading.Event()

    def first(job: Job) -> Outcome:
        at_work.wait(10)
        return _OUTCOME

    def last(job: Job) -> Outcome:
        at_work.wait(10)
        leave.wait(10)
        warnings.warn("of the last", RuntimeWarning, stacklevel=1)
        return _OUTCOME

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        packed = _of_another_process()
    with ThreadPoolExecutor(2) as threads:
        futures = [threads.submit(run_job, packed, fit) for fit in (first, last)]
        assert futures[0].result(10).warnings == []
        leave.set()
        result = futures[1].result(10)
    assert warnings.filters == before
    assert warnings.showwarning is show
    with pytest.warns(RuntimeWarning, match="of the last"):
        assert isinstance(unpack_result(result, {}), Outcome)


def test_a_filter_of_an_unknown_category_does_not_matter() -> None:
    job: Job = pickle.loads(_of_another_process())
    unknown = b"cno_such_module\nNoSuchWarning\n."
    packed = pickle.dumps(job._replace(filters=[unknown, *job.filters]))
    assert run_job(packed, lambda job: _OUTCOME).error == ""
