"""Worker processes, each in an executor of its own: if one dies, the others work on."""

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
# loky replaces a worker that has grown by more bytes, against leaks. Loading TensorFlow takes
# 400 MB, so that by loky's default every network would load it again.
_MOST_GROWTH = "4e9"


class Workers:
    """A number of loky's processes, each with a number of threads.

    Parameters
    ----------
    n_workers : int
        How many calls can run at a time.
    n_threads : int
        How many threads each may use.
    folder : path
        Removed by the workers if this process is killed before it can do so.
    """

    def __init__(self, n_workers: int, n_threads: int, folder: Path) -> None:
        self._environment = environment_for(n_threads)
        self._environment["LOKY_MAX_MEMORY_LEAK_SIZE"] = _MOST_GROWTH
        self._folder = folder
        self._idle: list[Any] = [None] * n_workers  # None: started when needed
        self._busy: dict[Future[Any], Any] = {}

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Call a function in an idle worker; there must be one."""
        executor = self._idle.pop() or self._start()
        future: Future[Any] = executor.submit(function, *arguments)
        self._busy[future] = executor
        return future

    def release(self, future: Future[Any]) -> None:
        """Make a worker idle whose call has ended."""
        self._idle.append(self._busy.pop(future))

    def discard(self, future: Future[Any]) -> None:
        """End a worker, dead or alive; another is started when needed."""
        self._busy.pop(future).shutdown(wait=True, kill_workers=True)
        self._idle.append(None)

    def close(self) -> None:
        """End all workers, whatever they are doing."""
        started = [each for each in (*self._idle, *self._busy.values()) if each is not None]
        try:
            while started:
                started.pop().shutdown(wait=True, kill_workers=True)
        finally:  # after a second Ctrl-C too
            for executor in started:
                executor.shutdown(wait=False, kill_workers=True)

    def _start(self) -> Any:
        from loky import ProcessPoolExecutor

        return ProcessPoolExecutor(
            1,
            env=self._environment,
            initializer=_exit_with_parent,
            initargs=(os.getpid(), self._folder),
        )


@contextmanager
def workers(n_workers: int, n_threads: int, folder: Path) -> Iterator[Workers]:
    """Workers that are ended with the block, however it ends."""
    group = Workers(n_workers, n_threads, folder)
    try:
        yield group
    finally:
        group.close()


def _exit_with_parent(parent: int, folder: Path) -> None:
    """End this worker when its parent has died, even by SIGKILL; it would wait for ever.

    Ctrl-C, the closing of a terminal and the end of a batch job send signals to workers, too. They
    are ignored here: the parent ends its workers by SIGKILL, and if it dies first, the thread
    below ends this one.
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
