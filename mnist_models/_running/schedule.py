"""Fits handed over where there is room, heard of, taken when they end, and tried again once."""

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

from mnist_models._running.errand import Brought, unpacked
from mnist_models._running.fitting import Outcome, Task
from mnist_models._running.places import Place

# How often to look what the fits say.
_SECONDS_BETWEEN_LOOKS = 0.2
# A process takes some to start, more on a busy machine.
_SECONDS_TO_BEGIN = 60.0


class Lost(NamedTuple):
    """What became of a fit that has no outcome."""

    reason: str


class Hearing(NamedTuple):
    """Who is told of a fit that begins, of its epochs, and that it is tried again."""

    begun: Callable[[Task], None]
    epochs: Callable[[Task, int, int], None]
    retried: Callable[[Task], None]


@dataclass
class _Attempt:
    task: Task
    word: Path
    is_second: bool
    began: float | None = None
    heard: str = ""


class Schedule:
    """So many fits at a place.

    Parameters
    ----------
    tasks : sequence of Task
        What to fit.
    place : Place
        Where.
    timeout : float or None
        Seconds that each may take.
    hearing : Hearing
        Who is told meanwhile.
    """

    def __init__(
        self, tasks: Sequence[Task], place: Place, timeout: float | None, hearing: Hearing
    ) -> None:
        self._place, self._hearing = place, hearing
        self._timeout = float("inf") if timeout is None else timeout
        self._waiting, self._again = deque(tasks), deque[Task]()
        self._running: dict[Future[Any], _Attempt] = {}
        self._last_sign = monotonic()  # of a fit that began, or ended
        self._left_hanging = False
        self._shown: dict[str, Any] = {}

    def results(self) -> Generator[tuple[Task, Outcome | Lost], None, None]:
        """Every fit and what came of it, in the order in which they end."""
        try:
            while self._waiting or self._again or self._running:
                self._hand_over()
                self._place.look(self._running)
                wait(self._running, timeout=_SECONDS_BETWEEN_LOOKS, return_when=FIRST_COMPLETED)
                done = [future for future in self._running if future.done()]
                self._listen()
                yield from self._take(done)
                yield from self._give_up()
        finally:
            for future in list(self._running):
                self._place.discard(future)

    def _hand_over(self) -> None:
        if not (self._waiting or self._again):
            return
        n_at_once = self._place.n_at_once()
        while self._waiting and len(self._running) < n_at_once:
            self._submit(self._waiting.popleft(), is_second=False)
        # one by one where a worker may have died of another fit than this
        while self._again and len(self._running) < (n_at_once if self._place.ours else 1):
            self._submit(self._again.popleft(), is_second=True)

    def _submit(self, task: Task, *, is_second: bool) -> None:
        word = self._place.folder / f"word-{uuid.uuid4().hex}"
        try:
            future = self._place.submit(task, word)
        except (BrokenExecutor, OSError) as error:  # as if a worker had died of this fit
            future = Future()
            future.set_exception(BrokenExecutor(f"{type(error).__name__}: {error}"))
        self._running[future] = _Attempt(task, word, is_second)

    def _listen(self) -> None:
        """Pass on what the fits have last said."""
        for attempt in self._running.values():
            try:
                word = attempt.word.read_text(encoding="ascii")
                done, total = (int(each) for each in word.split())
            except (OSError, ValueError):  # nothing said yet, or half of it
                continue
            self._has_begun(attempt)
            if total and attempt.heard != word:
                attempt.heard = word
                self._hearing.epochs(attempt.task, done, total)

    def _has_begun(self, attempt: _Attempt) -> None:
        if attempt.began is None:
            attempt.began = self._last_sign = monotonic()
            self._hearing.begun(attempt.task)

    def _take(self, done: Iterable[Future[Any]]) -> Iterator[tuple[Task, Outcome | Lost]]:
        """What has ended: all outcomes there are, before an error ends the run."""
        failed: list[tuple[Task, Exception]] = []
        for future in done:
            attempt, result = self._running.pop(future), _result(future, self._shown)
            self._last_sign = monotonic()
            if isinstance(result, Outcome):
                self._place.release(future)
                self._has_begun(attempt)  # too short for word of it
                yield attempt.task, result
                continue
            self._place.discard(future)
            if isinstance(result, Exception):
                failed.append((attempt.task, result))
            elif attempt.is_second:
                yield attempt.task, result
            else:
                self._again.append(attempt.task)
                self._hearing.retried(attempt.task)
        for task, error in failed:
            with named(task):
                raise error

    def _give_up(self) -> Iterator[tuple[Task, Lost]]:
        """What takes too long, or will never begin."""
        for future, attempt in list(self._running.items()):
            if future.done():  # while another was taken
                continue
            seconds = f"timeout={self._timeout:g} seconds"
            if attempt.began is not None and monotonic() - attempt.began > self._timeout:
                reason = f"it did not end within {seconds}"
                self._left_hanging = True
            elif self._nothing_begins():
                reason = f"it did not begin within {seconds}: nothing that runs it was free"
            else:
                continue
            del self._running[future]
            self._place.discard(future)
            yield attempt.task, Lost(reason)

    def _nothing_begins(self) -> bool:
        """Whether all wait, where they should begin at once, or behind one that hangs."""
        if any(attempt.began is not None for attempt in self._running.values()):
            return False
        idle = monotonic() - self._last_sign
        expected = self._place.ours or self._left_hanging
        return expected and idle > self._timeout + _SECONDS_TO_BEGIN


def _result(future: Future[Any], shown: dict[str, Any]) -> Outcome | Lost | Exception:
    """What a fit came to: an outcome, the death of its worker, or what it raised."""
    try:
        error = future.exception()
        result: Any = future.result() if error is None else error
    except CancelledError as cancelled:  # Dask's word for what it has lost
        result = cancelled
    if isinstance(result, Brought):
        result = unpacked(result, shown)
    # sys.exit and the like would end this process, too
    if _is_deadly(result) or not isinstance(result, Outcome | Exception):
        return Lost(_told(result))
    return result


def _is_deadly(result: Any) -> bool:
    dead = (BrokenExecutor, MemoryError, CancelledError)
    return isinstance(result, dead) or type(result).__name__ == "KilledWorker"  # which is Dask's


def _told(error: Any) -> str:
    if isinstance(error, MemoryError):
        return "it ran out of memory"
    if isinstance(error, SystemExit):
        return f"it ended its worker by exit({error.code!r})"
    words = " ".join(f"{type(error).__name__}: {error}".split())[:400].rstrip(":")
    return f"its worker died, perhaps for want of memory ({words})"


@contextmanager
def named(task: Task) -> Iterator[None]:
    """Say which fit it was, where one raises."""
    try:
        yield
    except Exception as error:
        error.add_note(f"It was raised by the fit of {task}.")
        raise
