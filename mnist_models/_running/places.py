"""Where fits are made that are not made here: worker processes of ours, or somebody's executor."""

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import cloudpickle
import joblib
from sklearn import config_context

from mnist_models._running.errand import Brought, Errand, carry_out, errand, here, leave_word
from mnist_models._running.fitting import Data, Outcome, Task, fit_and_predict
from mnist_models._running.shipment import Shipment, scratch_folder, shipped, unpack
from mnist_models._running.threads import held_to_one_thread, share_of
from mnist_models._running.workers import Workers, workers
from mnist_models._ticks import Hear, listening

# More fits than there ever are: they are all handed over at once.
_ALL = 10**6


class Place(Protocol):
    """Where fits are made.

    Attributes
    ----------
    folder : path
        Where word of the fits arrives: that they have begun, how many epochs are done.
    ours : bool
        Whether each fit has a worker of ours, begins at once, and is the one that it died of. If
        not, fits may have to wait, and those that died together must be tried again one by one.
    """

    folder: Path
    ours: bool

    def n_at_once(self) -> int:
        """How many fits can be there."""

    def submit(self, task: Task, word: Path) -> Future[Any]:
        """Hand a fit over. Its future has an Outcome, or what makes one (``_running.errand``)."""

    def look(self, running: Iterable[Future[Any]]) -> None:
        """See to fits that will never come to an end."""

    def release(self, future: Future[Any]) -> None:
        """Put away a fit that has come to an end."""

    def discard(self, future: Future[Any]) -> None:
        """Put away one that has died, or end one that is no longer wanted."""


class OwnProcesses:
    """Worker processes of ours, each with its share of the cores."""

    ours = True

    def __init__(self, group: Workers, n_workers: int, shipment: Shipment, folder: Path) -> None:
        self.folder = folder
        self._group = group
        self._n_workers = n_workers
        self._shipment = shipment
        self.release, self.discard = group.release, group.discard

    def n_at_once(self) -> int:
        """As many as there are workers."""
        return self._n_workers

    def look(self, running: Iterable[Future[Any]]) -> None:
        """A worker's end is always heard of."""

    def submit(self, task: Task, word: Path) -> Future[Any]:
        """Begin a fit in a worker that is idle."""
        packed = cloudpickle.dumps(errand(task, share_of(self._n_workers), word))
        return self._group.submit(_fit_in_worker, packed, self._shipment)


class Somebodys:
    """An executor whose workers are not ours to end or to replace. Every fit has one thread."""

    ours = False

    def __init__(
        self, executor: Executor, n_at_once: int, shipment: Shipment, folder: Path
    ) -> None:
        self.folder = folder
        self._executor = executor
        self._n_at_once = n_at_once
        self._shipment = shipment

    def n_at_once(self) -> int:
        """As many as the caller says, or all."""
        return self._n_at_once

    def look(self, running: Iterable[Future[Any]]) -> None:
        """What it does not tell cannot be known."""

    def submit(self, task: Task, word: Path) -> Future[Any]:
        """Hand a fit over, packed unless it stays in this process."""
        given = errand(task, 1, word)
        if self._shipment.file is None:
            return self._executor.submit(_fit_in_thread, given, unpack(self._shipment))
        packed = cloudpickle.dumps(given)
        return self._executor.submit(_fit_in_executor, packed, self._shipment)

    def release(self, future: Future[Any]) -> None:
        """Nothing is left of it."""

    def discard(self, future: Future[Any]) -> None:
        """Take a fit back, if that can be."""
        future.cancel()


@contextmanager
def own_processes(n_workers: int, data: Data) -> Iterator[Place]:
    """So many workers, gone at the end however it comes."""
    with (
        scratch_folder() as folder,
        shipped(data, folder) as shipment,
        workers(n_workers, share_of(n_workers), folder) as group,
    ):
        yield OwnProcesses(group, n_workers, shipment, folder)


@contextmanager
def somebodys(executor: Executor, n_jobs: int | None, data: Data) -> Iterator[Place]:
    """Somebody's executor, with the rows. What is on this machine has no more than its cores."""
    threads = isinstance(executor, ThreadPoolExecutor)
    n_at_once = _ALL if n_jobs is None else n_jobs
    if threads or isinstance(executor, ProcessPoolExecutor):
        n_at_once = min(n_at_once, joblib.cpu_count())
    with (
        scratch_folder() as folder,
        shipped(data, None if threads else folder) as shipment,
    ):
        yield Somebodys(executor, n_at_once, shipment, folder)


# -- there -----------------------------------------------------------------------------------------


def _fit_in_worker(packed: bytes, shipment: Shipment) -> Brought:
    """Make a fit in a process of ours, whose threads were settled when it began."""

    def fit(given: Errand) -> Outcome:
        hear = partial(leave_word, given.word)
        hear(0, 0)
        with listening(hear):
            return fit_and_predict(given.task, unpack(shipment), given.n_threads)

    return carry_out(packed, fit)


def _fit_in_executor(packed: bytes, shipment: Shipment) -> Brought:
    """Make a fit in a process of somebody's."""

    def fit(given: Errand) -> Outcome:
        hear = partial(leave_word, given.word)
        hear(0, 0)
        return fit_held(given, unpack(shipment), hear)

    return carry_out(packed, fit)


def _fit_in_thread(given: Errand, data: Data) -> Outcome:
    """Make a fit in a thread of this process, where scikit-learn's settings are the thread's."""
    hear = partial(leave_word, given.word)
    hear(0, 0)
    with config_context(**given.config):
        return fit_held(given, data, hear)


def fit_held(given: Errand, data: Data, hear: Hear) -> Outcome:
    """Make a fit in one thread."""
    own_process = given.sender == here()
    with listening(hear), held_to_one_thread(own_process=own_process):
        return fit_and_predict(given.task, data, given.n_threads)
