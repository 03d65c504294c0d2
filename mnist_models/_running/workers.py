"""Worker processes, each in an executor of its own: what ended one is known, the others work on."""

import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mnist_models._running.threads import environment_for

_SECONDS_BETWEEN_LOOKS = 0.5
# loky replaces a worker that has grown by more, to end leaks. Loading TensorFlow takes 400 MB, and
# would be done anew for every network.
_MOST_GROWTH = "4e9"


class Workers:
    """So many processes of loky's, each with so many threads.

    Parameters
    ----------
    n_workers : int
        How many calls can be running.
    n_threads : int
        How many threads each may have.
    folder : path
        Removed by the workers, should this process be killed before it can do so.
    """

    def __init__(self, n_workers: int, n_threads: int, folder: Path) -> None:
        self._environment = environment_for(n_threads)
        self._environment["LOKY_MAX_MEMORY_LEAK_SIZE"] = _MOST_GROWTH
        self._folder = folder
        self._idle: list[Any] = [None] * n_workers  # a process starts when there is work for it
        self._busy: dict[Future[Any], Any] = {}

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Call a function in a worker that is idle, of which there must be one."""
        executor = self._idle.pop() or self._start()
        future: Future[Any] = executor.submit(function, *arguments)
        self._busy[future] = executor
        return future

    def release(self, future: Future[Any]) -> None:
        """Take a worker back whose call has ended."""
        self._idle.append(self._busy.pop(future))

    def discard(self, future: Future[Any]) -> None:
        """End a worker, dead or alive; there will be another when there is work for it."""
        self._busy.pop(future).shutdown(wait=True, kill_workers=True)
        self._idle.append(None)

    def close(self) -> None:
        """End all of them, whatever they are doing."""
        started = [each for each in (*self._idle, *self._busy.values()) if each is not None]
        try:
            while started:
                started.pop().shutdown(wait=True, kill_workers=True)
        finally:  # a second Ctrl-C spares none
            for executor in started:
                executor.shutdown(wait=False, kill_workers=True)

    def _start(self) -> Any:
        from loky import ProcessPoolExecutor

        return ProcessPoolExecutor(
            1,
            env=self._environment,
            initializer=_end_with_parent,
            initargs=(os.getpid(), self._folder),
        )


@contextmanager
def workers(n_workers: int, n_threads: int, folder: Path) -> Iterator[Workers]:
    """Workers that are gone at the end, however it comes."""
    group = Workers(n_workers, n_threads, folder)
    try:
        yield group
    finally:
        group.close()


def _end_with_parent(parent: int, folder: Path) -> None:
    """See to it that this process does not outlive the one that started it, killed without a word.

    It would work on for nobody, then wait for ever. Ctrl-C, the closing of a terminal and the end
    of a batch job reach workers, too; but it is for the parent to end them, which it does by
    SIGKILL, or else for this to clear up.
    """
    for name in ("SIGINT", "SIGHUP", "SIGTERM"):
        if hasattr(signal, name):  # there are systems without them
            signal.signal(getattr(signal, name), signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            pause.wait(_SECONDS_BETWEEN_LOOKS)
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(1)

    pause = threading.Event()
    threading.Thread(target=watch, daemon=True).start()
