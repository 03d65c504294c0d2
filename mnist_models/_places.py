"""Where fits are made that are not made here: worker processes of ours, or somebody's executor."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from mnist_models._fitting import Data, Outcome, Task, fit_and_predict
from mnist_models._shipment import Shipment, scratch_folder, shipped, unpack
from mnist_models._threads import held_to_one_thread, share_of
from mnist_models._ticks import listening
from mnist_models._workers import workers


class Runs(Protocol):
    """What makes fits: worker processes of ours, or somebody's executor."""

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]: ...

    def release(self, future: Future[Any]) -> None: ...

    def discard(self, future: Future[Any]) -> None: ...


class Place(NamedTuple):
    runs: Runs
    n_at_once: int
    n_threads: int
    shipment: Shipment
    folder: Path  # where fits leave word of their epochs, if they can


class Foreign:
    """Somebody's executor, whose workers are not ours to end or to replace."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._running: set[Future[Any]] = set()

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        try:
            future: Future[Any] = self._executor.submit(function, *arguments)
        except BrokenExecutor as error:  # as if the worker had died on it
            future = Future()
            future.set_exception(error)
        self._running.add(future)
        return future

    def release(self, future: Future[Any]) -> None:
        self._running.discard(future)

    def discard(self, future: Future[Any]) -> None:
        future.cancel()
        self._running.discard(future)

    def close(self) -> None:
        """Take back what has not begun."""
        for future in self._running:
            future.cancel()


@contextmanager
def a_place(executor: Executor | None, n_at_once: int, data: Data) -> Iterator[Place]:
    with scratch_folder() as folder:
        if executor is None:
            n_threads = share_of(n_at_once)
            with (
                shipped(data, folder=folder) as shipment,
                workers(n_at_once, n_threads, folder) as group,
            ):
                yield Place(group, n_at_once, n_threads, shipment, folder)
            return
        elsewhere = None if isinstance(executor, ThreadPoolExecutor) else folder
        foreign = Foreign(executor)
        with shipped(data, executor, elsewhere) as shipment:
            try:
                yield Place(foreign, n_at_once, 1, shipment, folder)
            finally:
                foreign.close()


# -- in a worker -----------------------------------------------------------------------------------


def fit_there(
    task: Task, shipment: Shipment, sent: Any, n_threads: int, ours: bool, word: Path
) -> Outcome:
    """Make a fit in another process or thread, leaving word of its epochs in a file."""
    data = unpack(shipment, sent)

    def leave_word(done: int, total: int) -> None:
        if word.parent.is_dir():  # on another machine it is not
            word.write_text(f"{done} {total}", encoding="ascii")

    with listening(leave_word):
        if ours:  # whose threads were settled when the process began
            return fit_and_predict(task, data, n_threads)
        with held_to_one_thread(own_process=shipment.process == os.getpid()):
            return fit_and_predict(task, data, n_threads)
