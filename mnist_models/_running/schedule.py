"""Fits submitted where there is room, watched, collected when they end, tried again if lost."""

import uuid
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Future,
    wait,
)
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

from mnist_models._running.backends import Backend
from mnist_models._running.fitting import Outcome, Task
from mnist_models._running.job import JobResult, unpack_result

# How often progress is read.
_SECONDS_BETWEEN_LOOKS = 0.2
# A worker process takes seconds to start, and longer on a busy machine.
_SECONDS_TO_BEGIN = 60.0


class Lost(NamedTuple):
    """Why a fit has no outcome."""

    reason: str


class Callbacks(NamedTuple):
    """Called when a fit begins, when an epoch of it ends, and when it is tried again."""

    begun: Callable[[Task], None]
    epoch: Callable[[Task, int, int], None]
    retried: Callable[[Task], None]


@dataclass
class _Attempt:
    task: Task
    progress_file: Path
    is_second: bool
    start: float | None = None  # when it was seen to run
    progress: str = ""  # last read


class Schedule:
    """Runs fits on a backend, each at most twice.

    Parameters
    ----------
    tasks : sequence of Task
        What to fit.
    backend : Backend
        Where.
    timeout : float or None
        Seconds that each fit may take; None: any time.
    callbacks : Callbacks
        Called meanwhile.
    """

    def __init__(
        self, tasks: Sequence[Task], backend: Backend, timeout: float | None, callbacks: Callbacks
    ) -> None:
        self._backend, self._callbacks = backend, callbacks
        self._timeout = float("inf") if timeout is None else timeout
        self._waiting, self._retries = deque(tasks), deque[Task]()
        self._running: dict[Future[Any], _Attempt] = {}
        self._last_event = monotonic()  # when a fit last began or ended
        self._worker_hangs = False  # a fit that timed out may still occupy its worker
        self._warning_registries: dict[str, Any] = {}

    def results(self) -> Generator[tuple[Task, Outcome | Lost], None, None]:
        """Every fit with its outcome, in the order in which they end."""
        try:
            while self._waiting or self._retries or self._running:
                self._submit_all()
                self._backend.cancel_stranded(self._running)
                wait(self._running, timeout=_SECONDS_BETWEEN_LOOKS, return_when=FIRST_COMPLETED)
                done = [future for future in self._running if future.done()]
                self._read_progress()
                yield from self._collect(done)
                yield from self._time_out()
        finally:
            for future in list(self._running):
                self._backend.discard(future)

    def _submit_all(self) -> None:
        """Submit as many fits as there is room for."""
        if not (self._waiting or self._retries):
            return
        n_at_once = self._backend.n_at_once()
        while self._waiting and len(self._running) < n_at_once:
            self._submit(self._waiting.popleft(), is_second=False)
        # alone where the worker may have died of another fit
        n_retries = n_at_once if self._backend.owns_workers else 1
        while self._retries and len(self._running) < n_retries:
            self._submit(self._retries.popleft(), is_second=True)

    def _submit(self, task: Task, *, is_second: bool) -> None:
        progress_file = self._backend.folder / f"progress-{uuid.uuid4().hex}"
        try:
            future = self._backend.submit(task, progress_file)
        except (BrokenExecutor, OSError) as error:  # as if a worker had died of this fit
            future = Future()
            future.set_exception(BrokenExecutor(f"{type(error).__name__}: {error}"))
        self._running[future] = _Attempt(task, progress_file, is_second)

    def _read_progress(self) -> None:
        """Read the progress files and call the callbacks."""
        for attempt in self._running.values():
            try:
                progress = attempt.progress_file.read_text(encoding="ascii")
                done, total = (int(each) for each in progress.split())
            except (OSError, ValueError):  # not written yet, or only half
                continue
            self._mark_begun(attempt)
            if total and attempt.progress != progress:
                attempt.progress = progress
                self._callbacks.epoch(attempt.task, done, total)

    def _mark_begun(self, attempt: _Attempt) -> None:
        if attempt.start is None:
            attempt.start = self._last_event = monotonic()
            self._callbacks.begun(attempt.task)

    def _collect(self, done: Iterable[Future[Any]]) -> Iterator[tuple[Task, Outcome | Lost]]:
        """Yield every outcome there is, before an error that a fit raised ends the run."""
        failed: list[tuple[Task, Exception]] = []
        for future in done:
            attempt, result = self._running.pop(future), _result(future, self._warning_registries)
            self._last_event = monotonic()
            if isinstance(result, Outcome):
                self._backend.release(future)
                self._mark_begun(attempt)  # it may have ended before its progress was read
                yield attempt.task, result
                continue
            self._backend.discard(future)
            if isinstance(result, Exception):
                failed.append((attempt.task, result))
            elif attempt.is_second:
                yield attempt.task, result
            else:
                self._retries.append(attempt.task)
                self._callbacks.retried(attempt.task)
        for task, error in failed:
            with errors_name(task):
                raise error

    def _time_out(self) -> Iterator[tuple[Task, Lost]]:
        """Give up fits that take too long, or will never begin."""
        for future, attempt in list(self._running.items()):
            if future.done():  # since done futures were listed
                continue
            seconds = f"timeout={self._timeout:g} seconds"
            if attempt.start is not None and monotonic() - attempt.start > self._timeout:
                reason = f"it did not end within {seconds}"
                self._worker_hangs = True
            elif self._none_will_begin():
                reason = f"it did not begin within {seconds}: nothing that runs it was free"
            else:
                continue
            del self._running[future]
            self._backend.discard(future)
            yield attempt.task, Lost(reason)

    def _none_will_begin(self) -> bool:
        """Whether no fit runs although each has a worker, or because one hangs in its worker."""
        if any(attempt.start is not None for attempt in self._running.values()):
            return False
        idle = monotonic() - self._last_event
        should_run = self._backend.owns_workers or self._worker_hangs
        return should_run and idle > self._timeout + _SECONDS_TO_BEGIN


def _result(future: Future[Any], registries: dict[str, Any]) -> Outcome | Lost | Exception:
    """The outcome of a fit, the death of its worker, or the error it raised."""
    try:
        error = future.exception()
        result: Any = future.result() if error is None else error
    except CancelledError as cancelled:  # Dask cancels what it has lost
        result = cancelled
    if isinstance(result, JobResult):
        result = unpack_result(result, registries)
    # SystemExit and the like are no Exception: raised here, they would end this process too
    if _is_worker_death(result) or not isinstance(result, Outcome | Exception):
        return Lost(_reason(result))
    return result


def _is_worker_death(result: Any) -> bool:
    deadly = (BrokenExecutor, MemoryError, CancelledError)
    return isinstance(result, deadly) or type(result).__name__ == "KilledWorker"  # Dask's


def _reason(error: Any) -> str:
    if isinstance(error, MemoryError):
        return "it ran out of memory"
    if isinstance(error, SystemExit):
        return f"it ended its worker by exit({error.code!r})"
    words = " ".join(f"{type(error).__name__}: {error}".split())[:400].rstrip(":")
    return f"its worker died, perhaps for want of memory ({words})"


@contextmanager
def errors_name(task: Task) -> Iterator[None]:
    """Add to an error which fit raised it."""
    try:
        yield
    except Exception as error:
        error.add_note(f"It was raised by the fit of {task}.")
        raise
