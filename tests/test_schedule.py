"""Fits under way: when their clock starts, what is kept when one fails, what is given up."""

import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB

from mnist_models import Step, evaluate
from mnist_models._results.findings import Fit
from mnist_models._running import schedule
from mnist_models._running.fitting import Outcome, Task
from mnist_models._running.job import write_progress
from mnist_models._running.schedule import Callbacks, Lost, Schedule
from mnist_models.exceptions import WorkerLostError

from .misbehaving import Misbehaving, numbered_rows


class Prepared:
    """A backend whose fits end when the test says so."""

    owns_workers = True

    def __init__(self, folder: Path, n: int) -> None:
        self.folder = folder
        self.futures = [Future[Any]() for _ in range(n)]
        self.discarded: list[Future[Any]] = []
        self._next = iter(self.futures)

    def n_at_once(self) -> int:
        return len(self.futures)

    def submit(self, task: Task, progress_file: Path) -> Future[Any]:
        write_progress(progress_file, 0, 0)
        return next(self._next)

    def cancel_stranded(self, running: Iterable[Future[Any]]) -> None:
        pass

    def release(self, future: Future[Any]) -> None:
        pass

    def discard(self, future: Future[Any]) -> None:
        self.discarded.append(future)


def _tasks(n: int) -> list[Task]:
    return [Task("model", None, number, None, None, False) for number in range(n)]


_OUTCOME = Outcome(Fit(1.0, 1.0, 1.0, 1, 1), np.zeros(1))
_NOBODY = Callbacks(lambda task: None, lambda task, done, total: None, lambda task: None)


def test_what_is_done_is_told_before_an_error_ends_the_run(tmp_path: Path) -> None:
    backend, tasks = Prepared(tmp_path, 4), _tasks(4)
    backend.futures[0].set_exception(ZeroDivisionError())
    backend.futures[1].set_result(_OUTCOME)
    backend.futures[2].set_result(_OUTCOME)
    results = Schedule(tasks, backend, None, _NOBODY).results()
    assert [next(results)[0].number for _ in range(2)] == [1, 2]
    with pytest.raises(ZeroDivisionError) as caught:
        next(results)
    assert any("the fit of model" in note for note in caught.value.__notes__)
    assert backend.discarded == [
        backend.futures[0],
        backend.futures[3],
    ]  # the last was still at work


def test_what_ends_while_another_is_recorded_is_in_time(tmp_path: Path) -> None:
    backend = Prepared(tmp_path, 2)
    backend.futures[0].set_result(_OUTCOME)
    results = Schedule(_tasks(2), backend, 0.1, _NOBODY).results()
    assert next(results)[1] is _OUTCOME
    time.sleep(0.2)  # as long as it takes to record
    backend.futures[1].set_result(_OUTCOME)
    assert next(results)[1] is _OUTCOME


def test_one_that_takes_too_long_is_lost(tmp_path: Path) -> None:
    backend = Prepared(tmp_path, 1)
    ((_, result),) = Schedule(_tasks(1), backend, 0.1, _NOBODY).results()
    assert result == Lost("it did not end within timeout=0.1 seconds")
    assert backend.discarded == backend.futures


def test_the_clock_of_a_fit_starts_when_it_runs(tmp_path: Path) -> None:
    """One thread, six naps of half a second: all together they take longer than each may."""
    steps: list[Step] = []
    with ThreadPoolExecutor(1) as pool:
        evaluation = evaluate(
            Misbehaving("nap", tmp_path),
            *numbered_rows(),
            cv=6,
            timeout=2,
            executor=pool,
            progress=steps.append,
        )
    assert evaluation.accuracy > 0.5
    before_any_ended = [step.what for step in steps][: [s.what for s in steps].index("finished")]
    assert before_any_ended in (["begun"], ["begun", "begun"])  # the next begins as one ends


_LET_GO = threading.Event()


class Hanging(GaussianNB):
    """Waits for the end of the test."""

    def fit(self, X: Any, y: Any) -> "Hanging":
        _LET_GO.wait(60)
        super().fit(X, y)
        return self


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    _LET_GO.clear()
    yield Hanging()
    _LET_GO.set()


def test_what_waits_behind_one_that_hangs_is_lost_too(
    hanging: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "_SECONDS_TO_BEGIN", 0.1)
    pool = ThreadPoolExecutor(1)
    with pytest.raises(WorkerLostError) as caught:
        evaluate(hanging, *numbered_rows(), cv=3, timeout=0.3, executor=pool)
    pool.shutdown(wait=False)
    reasons = sorted(caught.value.lost.values())
    assert reasons[0].startswith("it did not begin within timeout=0.3 seconds")
    assert reasons[1] == reasons[0]
    assert reasons[2] == "it did not end within timeout=0.3 seconds"
