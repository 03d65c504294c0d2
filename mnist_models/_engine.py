"""The fits of a comparison, made one after the other here, or several at a time elsewhere."""

import uuid
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    wait,
)
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import monotonic
from typing import NamedTuple

import joblib

from mnist_models._dask import OnDask, client_of
from mnist_models._fitting import Data, Outcome, Task, fit_and_predict
from mnist_models._places import Place, Somebodys, own_processes
from mnist_models._shipment import scratch_folder
from mnist_models._ticks import listening

# How often to look what the fits say of their epochs.
_SECONDS_BETWEEN_LOOKS = 0.2

Hear = Callable[[Task, int, int], None]


class Lost(NamedTuple):
    """What became of a fit that has no outcome."""

    reason: str


class Asked(NamedTuple):
    """How the fits are to be made; each as ``evaluate`` has it."""

    n_jobs: int | None = None
    executor: Executor | None = None
    timeout: float | None = None


class Hearing(NamedTuple):
    """Who is told of a fit that begins, and of its epochs."""

    begun: Callable[[Task], None]
    epochs: Hear


def make_fits(
    tasks: Sequence[Task], data: Data, asked: Asked, hearing: Hearing
) -> Generator[tuple[Task, Outcome | Lost], None, None]:
    """Make every fit, and say what came of each, as soon as it is done.

    Parameters
    ----------
    tasks : sequence of Task
        What to fit.
    data : Data
        On which rows.
    asked : Asked
        Where, how many at a time, and how long each may take.
    hearing : Hearing
        Who is told meanwhile.

    Yields
    ------
    task, outcome : Task and Outcome or Lost
        In the order in which they end. A fit is lost if its worker dies twice, or if it takes
        longer than it may.

    Raises
    ------
    Exception
        Whatever a fit raises, with a note of which it was.
    """
    if not tasks:
        return
    n_jobs = 1 if asked.n_jobs is None else joblib.effective_n_jobs(asked.n_jobs)
    n_workers = min(n_jobs, len(tasks))
    if asked.executor is None and n_workers <= 1 and asked.timeout is None:
        for task in tasks:
            hearing.begun(task)
            with listening(partial(hearing.epochs, task)), _named(task):
                outcome = fit_and_predict(task, data)
            yield task, outcome
        return
    where = own_processes(n_workers, data) if asked.executor is None else _there(asked, data)
    with where as place:
        yield from _schedule(deque(tasks), place, asked.timeout, hearing)


@contextmanager
def _there(asked: Asked, data: Data) -> Iterator[Place]:
    """Somebody's executor, with the rows."""
    assert asked.executor is not None
    kind = Somebodys if client_of(asked.executor) is None else OnDask
    n_jobs = None if asked.n_jobs is None else joblib.effective_n_jobs(asked.n_jobs)
    with (
        scratch_folder() as folder,
        kind(asked.executor, n_jobs, folder).with_rows(data) as place,
    ):
        yield place


# -- who does what when ----------------------------------------------------------------------------


class _Attempt(NamedTuple):
    task: Task
    n_before: int
    deadline: float
    word: Path


def _schedule(
    waiting: deque[Task], place: Place, timeout: float | None, hearing: Hearing
) -> Iterator[tuple[Task, Outcome | Lost]]:
    """Keep as many fits running as there may be, and take what they come to."""
    running: dict[Future[Outcome], _Attempt] = {}
    again: deque[Task] = deque()
    heard: dict[Path, str] = {}

    def start(task: Task, n_before: int) -> None:
        word = place.folder / f"epochs-{uuid.uuid4().hex}"
        deadline = monotonic() + (float("inf") if timeout is None else timeout)
        running[place.submit(task, word)] = _Attempt(task, n_before, deadline, word)
        hearing.begun(task)

    while waiting or again or running:
        while waiting and len(running) < place.n_at_once():
            start(waiting.popleft(), 0)
        # one by one where a worker may have died of another fit than this
        while again and len(running) < (place.n_at_once() if place.knows_who else 1):
            start(again.popleft(), 1)
        place.look()
        done, _ = wait(running, timeout=_SECONDS_BETWEEN_LOOKS, return_when=FIRST_COMPLETED)
        for future in done:
            attempt = running.pop(future)
            result = _result(future, attempt.task)
            if not isinstance(result, Lost):
                place.release(future)
                yield attempt.task, result
                continue
            place.discard(future)
            if attempt.n_before:
                yield attempt.task, result
            else:
                again.append(attempt.task)
        for future, attempt in list(running.items()):
            _pass_on(attempt, heard, hearing)
            if monotonic() > attempt.deadline:
                del running[future]
                place.discard(future)
                yield attempt.task, Lost(f"it did not end within timeout={timeout:g} seconds")


def _result(future: Future[Outcome], task: Task) -> Outcome | Lost:
    """What a fit came to: an outcome, or the death of its worker. Other errors are raised."""
    try:
        error = future.exception()
    except CancelledError as cancelled:  # Dask's word for what it has lost
        error = cancelled
    if error is None:
        return future.result()
    # sys.exit and the like would end this process, too
    if _is_deadly(error) or not isinstance(error, Exception):
        return Lost(_told(error))
    with _named(task):
        raise error


def _is_deadly(error: BaseException) -> bool:
    dead = (BrokenExecutor, MemoryError, CancelledError)
    return isinstance(error, dead) or type(error).__name__ == "KilledWorker"  # which is Dask's


def _told(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "it ran out of memory"
    if isinstance(error, SystemExit):
        return f"it ended its worker by exit({error.code!r})"
    words = " ".join(str(error).split())
    return f"its worker died, perhaps for want of memory ({type(error).__name__}: {words[:400]})"


def _pass_on(attempt: _Attempt, heard: dict[Path, str], hearing: Hearing) -> None:
    """Tell what a fit has last said of its epochs."""
    try:
        word = attempt.word.read_text(encoding="ascii")
        done, total = (int(each) for each in word.split())
    except (OSError, ValueError):  # nothing said yet, or half of it
        return
    if heard.get(attempt.word) != word:
        heard[attempt.word] = word
        hearing.epochs(attempt.task, done, total)


@contextmanager
def _named(task: Task) -> Iterator[None]:
    """Say which fit it was, where one raises."""
    try:
        yield
    except Exception as error:
        error.add_note(f"It was raised by the fit of {task}.")
        raise
