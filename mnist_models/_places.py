"""Where fits are made that are not made here: worker processes of ours, or somebody's executor."""

import contextlib
import os
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from mnist_models._fitting import Data, Outcome, Task, fit_and_predict
from mnist_models._shipment import Shipment, scratch_folder, shipped, unpack
from mnist_models._threads import held_to_one_thread, share_of
from mnist_models._ticks import listening
from mnist_models._workers import Workers, workers

# More fits than there ever are: they are all handed over at once.
_ALL = 10**6


class Place(Protocol):
    """Where fits are made.

    Attributes
    ----------
    folder : path
        Where fits can leave word of their epochs, if they see it.
    knows_who : bool
        Whether it is certain which fit a worker died of; if not, fits that died together must be
        tried again one by one.
    """

    folder: Path
    knows_who: bool

    def n_at_once(self) -> int:
        """How many fits can be at work."""

    def submit(self, task: Task, word: Path) -> Future[Outcome]:
        """Begin a fit."""

    def look(self) -> None:
        """See to fits that will never come to an end."""

    def release(self, future: Future[Outcome]) -> None:
        """Put away a fit that has come to an end."""

    def discard(self, future: Future[Outcome]) -> None:
        """Put away one that has died, or end one that takes too long."""


class OwnProcesses:
    """Worker processes of ours, each with its share of the cores."""

    knows_who = True

    def __init__(self, group: Workers, n_workers: int, shipment: Shipment, folder: Path) -> None:
        self.folder = folder
        self._group = group
        self._n_workers = n_workers
        self._shipment = shipment
        self.release, self.discard = group.release, group.discard

    def n_at_once(self) -> int:
        """As many as there are workers."""
        return self._n_workers

    def look(self) -> None:
        """A worker's end is always heard of."""

    def submit(self, task: Task, word: Path) -> Future[Outcome]:
        """Begin a fit in a worker that is idle."""
        hold = Hold(share_of(self._n_workers), word)
        return self._group.submit(_fit_in_worker, task, self._shipment, hold)


class Somebodys:
    """An executor whose workers are not ours to end or to replace. Every fit has one thread."""

    knows_who = False

    def __init__(self, executor: Executor, n_jobs: int | None, folder: Path) -> None:
        self.folder = folder
        self._executor = executor
        self._n_jobs = n_jobs
        self._running: set[Future[Outcome]] = set()
        self._shipment = Shipment("", 0, None)

    @contextmanager
    def with_rows(self, data: Data) -> Iterator["Somebodys"]:
        """Bring the rows there; at the end, take back what has not begun."""
        threads = isinstance(self._executor, ThreadPoolExecutor)
        with shipped(data, None if threads else self.folder) as self._shipment:
            try:
                yield self
            finally:
                for future in self._running:
                    future.cancel()

    def n_at_once(self) -> int:
        """As many as the caller says, or all."""
        return self._n_jobs or _ALL

    def look(self) -> None:
        """What it does not tell cannot be known."""

    def submit(self, task: Task, word: Path) -> Future[Outcome]:
        """Hand a fit over."""
        try:
            future = self._hand_over(task, Hold(1, word))
        except (BrokenExecutor, OSError) as error:  # as if a worker had died of this fit
            future = Future()
            future.set_exception(BrokenExecutor(f"{type(error).__name__}: {error}"))
        self._running.add(future)
        return future

    def release(self, future: Future[Outcome]) -> None:
        """Forget a fit that has come to an end."""
        self._running.discard(future)

    def discard(self, future: Future[Outcome]) -> None:
        """Take a fit back, if that can be, and forget it."""
        future.cancel()
        self._running.discard(future)

    def _hand_over(self, task: Task, hold: "Hold") -> Future[Outcome]:
        return self._executor.submit(_fit_in_executor, task, self._shipment, hold)


@contextmanager
def own_processes(n_workers: int, data: Data) -> Iterator[Place]:
    """So many workers, gone at the end however it comes."""
    with (
        scratch_folder() as folder,
        shipped(data, folder) as shipment,
        workers(n_workers, share_of(n_workers), folder) as group,
    ):
        yield OwnProcesses(group, n_workers, shipment, folder)


# -- there -----------------------------------------------------------------------------------------


class Hold(NamedTuple):
    """What a fit must keep to, and the file in which it may leave word of its epochs."""

    n_threads: int
    word: Path

    def leave_word(self, done: int, total: int) -> None:
        """Say how many epochs are done, of how many."""
        # the folder is on another machine, or another user's, or full: no reason to end a fit
        with contextlib.suppress(OSError):
            self.word.write_text(f"{done} {total}", encoding="ascii")


def _fit_in_worker(task: Task, shipment: Shipment, hold: Hold) -> Outcome:
    """Make a fit in a process of ours, whose threads were settled when it began."""
    with listening(hold.leave_word):
        return fit_and_predict(task, unpack(shipment), hold.n_threads)


def _fit_in_executor(task: Task, shipment: Shipment, hold: Hold) -> Outcome:
    """Make a fit in a thread or process of somebody's."""
    return fit_held(task, unpack(shipment), hold, own_process=shipment.process == os.getpid())


def fit_held(task: Task, data: Any, hold: Hold, *, own_process: bool = False) -> Outcome:
    """Make a fit in one thread."""
    with listening(hold.leave_word), held_to_one_thread(own_process=own_process):
        return fit_and_predict(task, data, hold.n_threads)
